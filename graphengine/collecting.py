"""Garbage collection around the making of very many values."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 10_000


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic garbage collection in the body, which makes many values that stay.

    Without it the collector walks through all of them again and again: with 100,000 nodes that
    is 40 % of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_count()[0] > _MANY:
                _count_as_old()
            gc.enable()


def _count_as_old() -> None:
    """Let the next collections of young objects, of which none finds these, not walk through them.

    Freezing and thawing joins lists; what lies in the oldest one is looked at rarely.
    """
    gc.freeze()
    gc.unfreeze()

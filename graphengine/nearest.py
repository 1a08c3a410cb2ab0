"""Names that resemble one which was not found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from graphengine.errors import NONE

LONGEST_NAME = 120


def nearest(name: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Up to ``limit`` of ``names`` that resemble ``name``, best first; case does not count.

    Neither do the suffixes of files, which would make all of a kind resemble each other.
    """
    import difflib

    by_stem: dict[str, list[str]] = {}
    for other in names:
        by_stem.setdefault(_stem(other), []).append(other)
    close = difflib.get_close_matches(_stem(name)[:LONGEST_NAME], by_stem, n=limit, cutoff=0.55)
    return tuple(other for stem in close for other in by_stem[stem])[:limit]


def _stem(name: str) -> str:
    return name.lower().removesuffix(PurePath(name.lower()).suffix)


def listed(names: Iterable[str]) -> str:
    """The names for a message: ``"a", "b"``; a dash if there are none."""
    return ", ".join(f'"{name}"' for name in names) or NONE

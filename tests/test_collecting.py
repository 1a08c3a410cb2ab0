"""The collector's pause around the making of very many values."""

from __future__ import annotations

import gc
from typing import Any

from graphengine.collecting import collector_paused


def test_the_collector_is_as_it_was_before_a_pause() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_very_many_values_made_in_a_pause_are_nothing_young_to_walk_through() -> None:
    with collector_paused():
        made = [[index] for index in range(20_000)]
        assert _is_young(made[-1])
    assert not _is_young(made[0])
    assert not _is_young(made[-1])


def test_a_few_values_made_in_a_pause_stay_young() -> None:
    gc.collect()
    with collector_paused():
        made = [[index] for index in range(20)]
    gc.disable()
    try:
        assert _is_young(made[-1])
    finally:
        gc.enable()


def _is_young(value: Any) -> bool:
    return any(each is value for each in gc.get_objects(generation=0))

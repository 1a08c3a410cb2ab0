"""Saved widget values by name: ComfyUI saves most of them as a list without names.

A control value ("randomize") follows each seed, a button's value follows a file to upload. Lists
are as long as the node was when it was saved, so each value is also looked at, not only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphengine.canvas import Slot
from graphengine.comfy.layouts import SEED_NAMES, WIDGET_TYPES, InputLayout, NodeLayout

CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
UPLOADS = ("image", "video", "audio", "file", "")
NOT_VALUES = ("control_after_generate", "control_filter_list", "upload", "videopreview")


@dataclass(frozen=True)
class NamedValues:
    """Values by name, controls by the name of their widget, and what has no name."""

    values: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    unnamed: tuple[Any, ...] = ()
    misfits: tuple[str, ...] = ()


def name_values(
    layout: NodeLayout | None, slots: Sequence[Slot], saved: Any, named: Any
) -> NamedValues:
    """The saved values (``widgets_values``, ``widgets_values_named``) by name.

    ``layout`` is None for a type that nobody knows: then the names are those of its slots, if
    they account for every value.
    """
    found = _from_saved(layout, slots, saved)
    if not isinstance(named, dict):
        return found
    by_name = _from_mapping(layout, named)
    values = {**found.values, **by_name.values}
    controls = {**found.controls, **by_name.controls}
    unnamed = found.unnamed if layout is not None else ()
    return NamedValues(values, controls, unnamed)


def _from_saved(layout: NodeLayout | None, slots: Sequence[Slot], saved: Any) -> NamedValues:
    if isinstance(saved, dict):
        if saved and all(key.isdecimal() for key in saved):
            return _from_saved(layout, slots, list(saved.values()))
        return _from_mapping(layout, saved)
    if not isinstance(saved, list) or not saved:
        return NamedValues()
    if layout is not None:
        return _aligned(_entries_for(layout, saved), saved)
    entries = [_entry_of(slot) for slot in slots if slot.widget is not None]
    guess = _aligned(entries, saved)
    fits = len(guess.values) == len(entries) and not guess.misfits
    if entries and fits and all(value in UPLOADS for value in guess.unnamed):
        return guess
    return NamedValues(unnamed=tuple(saved))


def _from_mapping(layout: NodeLayout | None, saved: Mapping[str, Any]) -> NamedValues:
    known = None if layout is None else {entry.name for entry in layout.widgets}
    values = {
        name: value
        for name, value in saved.items()
        if (name in known if known else name not in NOT_VALUES)
    }
    control = control_word(saved.get("control_after_generate"))
    seeds = [name for name in values if name in SEED_NAMES]
    return NamedValues(values, {seeds[0]: control} if control and seeds else {})


def control_word(value: Any) -> str | None:
    """What happens to a seed after a run; very old files say true for randomize."""
    if isinstance(value, bool):
        return "randomize" if value else "fixed"
    return value if isinstance(value, str) and value in CONTROLS else None


def fits(kind: str, value: Any) -> bool:
    """Whether a value could be one of a widget of this type."""
    if kind == "BOOLEAN":
        return isinstance(value, bool)
    if kind in ("INT", "FLOAT"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "STRING":
        return not isinstance(value, bool | dict)
    return True


def _entries_for(layout: NodeLayout, saved: Sequence[Any]) -> Sequence[InputLayout]:
    """The inputs that the list has values for: in very old files also those of bare sockets."""
    widgets, with_forced = layout.widgets, layout.with_forced
    if len(with_forced) == len(widgets) or len(saved) != _length(with_forced):
        return widgets
    return widgets if len(saved) == _length(widgets) else with_forced


def _length(entries: Sequence[InputLayout]) -> int:
    return sum(1 + entry.control + entry.upload for entry in entries)


def _aligned(entries: Sequence[InputLayout], saved: Sequence[Any]) -> NamedValues:
    values: dict[str, Any] = {}
    controls: dict[str, str] = {}
    misfits: list[str] = []
    place = 0
    for index, entry in enumerate(entries):
        if place >= len(saved):
            break
        value = saved[place]
        place += 1
        if not entry.forced:
            values[entry.name] = value
        if value is not None and not fits(entry.type, value):
            misfits.append(entry.name)
        following = entries[index + 1].type if index + 1 < len(entries) else ""
        if place < len(saved) and _is_control(entry, following, saved[place]):
            controls[entry.name] = control_word(saved[place]) or "fixed"
            place += 1
        if entry.upload and place < len(saved) and saved[place] in UPLOADS:
            place += 1
    return NamedValues(values, controls, tuple(saved[place:]), tuple(misfits))


def _is_control(entry: InputLayout, following: str, value: Any) -> bool:
    """Whether the value after an entry's own is a control and not the next widget's value."""
    if control_word(value) is None:
        return False
    if isinstance(value, bool):
        return entry.control and following != "BOOLEAN"
    return entry.control or following in ("INT", "FLOAT", "BOOLEAN")


def _entry_of(slot: Slot) -> InputLayout:
    kind = slot.type if slot.type in WIDGET_TYPES else "*"
    control = kind == "INT" and slot.name in SEED_NAMES
    return InputLayout(slot.widget or slot.name, kind, widget=True, control=control)

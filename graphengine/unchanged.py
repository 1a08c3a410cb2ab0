"""Notices a body that writes into a tensor that it was given, which other nodes use too.

PyTorch counts the writes to each tensor; comparing two numbers costs nothing beside any real work.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from graphengine.errors import InputError

_PLAIN = (int, float, str, bool, bytes, type(None))


class InputChanged(InputError):
    """A body wrote into one of its inputs, so that value is no longer what its source gave."""


class Counted(NamedTuple):
    """A tensor of an input and how often it has been written to."""

    input: str
    tensor: Any
    writes: int


def count_writes(arguments: Mapping[str, Any]) -> tuple[Counted, ...]:
    """The tensors among a call's arguments, also inside sockets and lists."""
    if "torch" not in sys.modules:
        return ()
    found: list[Counted] = []
    for name, value in arguments.items():
        if type(value) not in _PLAIN:
            found.extend(_counted(name, value))
    return tuple(found)


def changed_inputs(counted: Iterable[Counted]) -> tuple[str, ...]:
    """The inputs whose tensors have been written to since they were counted."""
    names = (name for name, tensor, writes in counted if tensor._version != writes)
    return tuple(dict.fromkeys(names))


def check_unchanged(counted: Iterable[Counted], node_id: str, title: str) -> None:
    """Raises `InputChanged` if an input has been written to."""
    for name in changed_inputs(counted):
        raise InputChanged("input_changed", node_id=node_id, title=title, input=name)


def _counted(name: str, value: Any) -> Iterable[Counted]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) in _PLAIN:
            continue
        if hasattr(each, "untyped_storage"):
            writes = _writes(each)
            if writes is not None:
                yield Counted(name, each, writes)
        elif isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)
        elif is_dataclass(each) and not isinstance(each, type):
            waiting.extend(getattr(each, field.name) for field in fields(each))


def _writes(tensor: Any) -> int | None:
    try:
        return int(tensor._version)
    except RuntimeError:  # made under torch.inference_mode, where writes are not counted
        return None

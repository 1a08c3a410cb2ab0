"""Notices hosted nodes that write into tensors which they were given."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

Versions = list[tuple[str, Any, int]]
"""Input, tensor, and how often it was written to."""
_PLAIN = frozenset((int, float, str, bool, type(None)))


def versions(given: Mapping[str, Any]) -> Versions:
    """The state of all tensors in some inputs."""
    if all(type(value) in _PLAIN for value in given.values()) or "torch" not in sys.modules:
        return []
    return [
        (name, tensor, version)
        for name, value in given.items()
        for tensor in _tensors(value, 2)
        if (version := _version(tensor)) is not None
    ]


def changed(before: Versions) -> list[str]:
    """The inputs whose tensors have been written to since."""
    names = (name for name, tensor, version in before if _version(tensor) != version)
    return list(dict.fromkeys(names))


def _tensors(value: Any, depth: int) -> Iterator[Any]:
    if hasattr(value, "untyped_storage"):
        yield value
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for item in value[:64]:
            yield from _tensors(item, depth - 1)


def _version(tensor: Any) -> int | None:
    try:
        return int(tensor._version)
    except RuntimeError:  # made in inference mode, where nothing is counted
        return None

"""Values in messages: short, whatever they are."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 80
_TYPES = {
    bool: "BOOLEAN",
    int: "INT",
    float: "FLOAT",
    str: "STRING",
    type(None): "null",
    list: "list",
    dict: "object",
}
_STEERING = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\t"), ord("\n")})


def shown(value: Any) -> str:
    """A value as JSON, cut at 80 characters; of an object only its type."""
    if isinstance(value, str):
        return json.dumps(_cut(value), ensure_ascii=False)
    if isinstance(value, list | tuple | dict):
        return f"{type_shown(value)} ({len(value)})" if len(value) > 4 else _nested(value)
    if value is None or isinstance(value, bool | int | float):
        return _cut(json.dumps(value)) if not _is_huge(value) else type_shown(value)
    return type(value).__name__


def printable(text: str) -> str:
    """The text without the characters that steer a terminal: workflows come from anywhere."""
    return text.translate(_STEERING)


def type_shown(value: Any) -> str:
    """What kind of value it is, in the words of a workflow file."""
    return _TYPES.get(type(value), type(value).__name__)


def _nested(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: …" for name in map(_cut, map(str, value))) + "}"
    parts = [type_shown(item) if isinstance(item, list | dict) else shown(item) for item in value]
    return "[" + ", ".join(parts) + "]"


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > 1000


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

"""Values in a few words for error reports: shape, dtype and range, never the whole thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

_LONGEST_TEXT = 200


def describe_inputs(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Each input in a few words."""
    return {name: describe_value(value) for name, value in inputs.items()}


def is_plain(value: Any) -> bool:
    """Whether a value is short and JSON: a number, None, or a text of a few words."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return value is None or type(value) in (int, float, bool)


def describe_value(value: Any, depth: int = 2) -> str:
    """``Latent(samples=[1, 4, 64, 64] float32 -3.1 … 2.9, noise_mask=None)``."""
    try:
        return _described(value, depth)
    except Exception:  # a plugin's own type may fail in any way, also while it is shown
        return type(value).__name__


def _described(value: Any, depth: int) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _tensor(value)
    if is_dataclass(value) and not isinstance(value, type):
        if depth == 0:
            return type(value).__name__
        parts = (
            f"{entry.name}={describe_value(getattr(value, entry.name), depth - 1)}"
            for entry in fields(value)
        )
        return _cut(f"{type(value).__name__}({', '.join(parts)})")
    if isinstance(value, list | tuple):
        shown = ", ".join(describe_value(item, max(depth - 1, 0)) for item in value[:3])
        return f"[{shown}, … {len(value)} items]" if len(value) > 3 else f"[{shown}]"
    if isinstance(value, str | bytes):
        return _cut(repr(value[: _LONGEST_TEXT + 1]))
    return _cut(repr(value))


def _tensor(value: Any) -> str:
    text = f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    try:
        return f"{text} {float(value.min()):.4g} … {float(value.max()):.4g}"
    except Exception:  # empty, on "meta", of a type without order, or on a device out of memory
        return text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"

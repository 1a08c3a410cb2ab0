"""Values of any kind in a few words, for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

_LONGEST_LIST = 20


def describe(value: Any) -> str:
    """A value as text: JSON where it can be; of tensors the shape, dtype and range only."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return _described(value)


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return _tensor(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = (
            f"{field.name}={_described(getattr(value, field.name))}"
            for field in dataclasses.fields(value)
        )
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_described(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        shown = [_described(item) for item in value[:_LONGEST_LIST]]
        return "[" + ", ".join(shown + ["…"] * (len(value) > _LONGEST_LIST)) + "]"
    return repr(value)


def _tensor(x: Tensor) -> str:
    text = f"{list(x.shape)} {str(x.dtype).removeprefix('torch.')}"
    return f"{text}, {x.min():.4g} … {x.max():.4g}" if x.numel() else text

"""ComfyUI's ``comfy.ldm.util``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def exists(val: Any) -> bool:
    """Whether a value is there."""
    return val is not None


def default(val: Any, d: Any) -> Any:
    """A value, or else another one, which may be a function that makes it."""
    if val is not None:
        return val
    return d() if callable(d) else d


def __getattr__(name: str) -> Any:
    return missing("comfy.ldm.util", name)

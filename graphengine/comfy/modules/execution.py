"""ComfyUI's ``execution``, as far as plugins use it."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.graph_building import ExecutionBlocker, is_link
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import nodes
from graphengine.comfy.modules.comfy.model_management import InterruptProcessingException

__all__ = ["ExecutionBlocker", "InterruptProcessingException", "is_link", "nodes"]


def full_type_name(klass: type) -> str:
    """A class with its module, where that is not Python's own."""
    module = klass.__module__
    return klass.__qualname__ if module == "builtins" else f"{module}.{klass.__qualname__}"


def format_value(x: Any) -> Any:
    """A value as it is told of in errors."""
    return x if x is None or isinstance(x, int | float | bool | str) else str(x)


def __getattr__(name: str) -> Any:
    return missing("execution", name)

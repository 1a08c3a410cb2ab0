"""ComfyUI's ``comfy_execution.graph``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.dynamic_prompt import DynamicPrompt, NodeNotFoundError
from graphengine.comfy.host.graph_building import (
    DependencyCycleError,
    DuplicateNodeError,
    ExecutionBlocker,
    NodeInputError,
    is_link,
)
from graphengine.comfy.host.stand_ins import missing

__all__ = [
    "DependencyCycleError",
    "DuplicateNodeError",
    "DynamicPrompt",
    "ExecutionBlocker",
    "NodeInputError",
    "NodeNotFoundError",
    "is_link",
]


def __getattr__(name: str) -> Any:
    return missing("comfy_execution.graph", name)

"""ComfyUI's ``comfy_execution.graph_utils``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.graph_building import (
    ExecutionBlocker,
    GraphBuilder,
    Node,
    add_graph_prefix,
    is_link,
)
from graphengine.comfy.host.stand_ins import missing

__all__ = ["ExecutionBlocker", "GraphBuilder", "Node", "add_graph_prefix", "is_link"]


def __getattr__(name: str) -> Any:
    return missing("comfy_execution.graph_utils", name)

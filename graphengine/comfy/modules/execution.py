"""ComfyUI's ``execution``, as far as plugins use it."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.graph_building import ExecutionBlocker, is_link
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy.model_management import InterruptProcessingException

__all__ = ["ExecutionBlocker", "InterruptProcessingException", "is_link"]


def __getattr__(name: str) -> Any:
    raise missing("execution", name)

"""ComfyUI's ``comfy_execution.utils``: which node's call is under way."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing


class ExecutionContext(NamedTuple):
    """A node's call: of which prompt, which node, and which of its calls."""

    prompt_id: str
    node_id: str
    list_index: int | None


def get_executing_context() -> ExecutionContext | None:
    """The call that is under way here; None outside of one."""
    context = running_context()
    if context is None:
        return None
    return ExecutionContext(context.run.job_id or "", context.node_id, context.call)


def __getattr__(name: str) -> Any:
    return missing("comfy_execution.utils", name)

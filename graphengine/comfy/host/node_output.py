"""What a node of ComfyUI's third API returns."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.graph_building import ExecutionBlocker


class NodeOutput:
    """Output values in order, and what the node shows, grows into, or is blocked by."""

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: dict[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The values; None if there are none."""
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]

    def as_returned(self) -> Any:
        """The same in the form in which older nodes return it."""
        if self.block_execution is not None:
            return ExecutionBlocker(self.block_execution)
        shown = self.ui.as_dict() if hasattr(self.ui, "as_dict") else self.ui
        whole = {"ui": shown, "result": self.args, "expand": self.expand}
        return {name: value for name, value in whole.items() if value is not None}

"""ComfyUI's ``comfy_execution.progress``: saying how far nodes are."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.running import of_node, running_context, show
from graphengine.comfy.host.stand_ins import missing


class ProgressState:
    """How far the nodes of the present run are."""

    def start_progress(self, node_id: str) -> None:
        """Nothing to do: clients are told when a node starts."""
        del node_id

    def update_progress(
        self, node_id: str, value: float, max_value: float, image: Any = None
    ) -> None:
        """Say how far a node is; ``image`` is (format, PIL image, longest side)."""
        context = running_context()
        if context is None:
            return
        told = of_node(context, node_id)
        if image is not None:
            picture = image[1] if isinstance(image, tuple) else image
            show(told, lambda: picture)
        told.progress(value, max_value)

    def finish_progress(self, node_id: str) -> None:
        """Nothing to do: clients are told when a node ends."""
        del node_id


def get_progress_state() -> ProgressState:
    """That of the present run."""
    return ProgressState()


def __getattr__(name: str) -> Any:
    return missing("comfy_execution.progress", name)

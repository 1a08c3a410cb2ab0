"""ComfyUI's ``latent_preview``: a callback that shows how far a sampling is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy.utils import ProgressBar
from graphengine.context import Context

MAX_PREVIEW_RESOLUTION = 512


def prepare_callback(
    model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None
) -> Callable[[int, Any, Any, int], None]:
    """A callback for samplers: (step, denoised, x, steps)."""
    bar = ProgressBar(steps)
    context = running_context()
    make = None if context is None else _painter(model, context)

    def callback(step: int, x0: Any, x: Any, total_steps: int) -> None:
        del x
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        if context is not None and make is not None:
            context.preview(lambda: make(x0))
        bar.update_absolute(step + 1, total_steps)

    return callback


def _painter(model: Any, context: Context) -> Callable[[Any], Any]:
    from graphengine.diffusion.previews import painter

    return painter(model.description, context)


def __getattr__(name: str) -> Any:
    raise missing("latent_preview", name)

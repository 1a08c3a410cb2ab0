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


def preview_to_image(latent_image: Any, *args: Any, **kwargs: Any) -> Any:
    """A PIL image of [H, W, 3] with values -1..1."""
    import PIL.Image

    del args, kwargs
    pixels = ((latent_image.detach().cpu().float() + 1) / 2).clamp(0, 1) * 255
    return PIL.Image.fromarray(pixels.byte().numpy())


class Latent2RGBPreviewer:
    """Makes pictures of latents by a matrix: channel → red, green, blue."""

    def __init__(
        self, latent_rgb_factors: Any, latent_rgb_factors_bias: Any = None, *args: Any
    ) -> None:
        import torch

        del args
        self.latent_rgb_factors = torch.tensor(latent_rgb_factors)
        bias = latent_rgb_factors_bias
        self.latent_rgb_factors_bias = None if bias is None else torch.tensor(bias)

    def decode_latent_to_preview(self, x0: Any) -> Any:
        """A PIL image of the first latent of a batch."""
        shown = x0[0].movedim(0, -1).cpu().float() @ self.latent_rgb_factors.float()
        if self.latent_rgb_factors_bias is not None:
            shown = shown + self.latent_rgb_factors_bias
        return preview_to_image(shown)

    def decode_latent_to_preview_image(self, preview_format: str, x0: Any) -> tuple[Any, ...]:
        """Format, picture and longest side, as progress bars take it."""
        return (preview_format, self.decode_latent_to_preview(x0), MAX_PREVIEW_RESOLUTION)


def get_previewer(device: Any, latent_format: Any) -> Latent2RGBPreviewer | None:
    """What makes pictures of a format's latents; None where nothing is known of their colours."""
    del device
    factors = latent_format.latent_rgb_factors
    if factors is None:
        return None
    return Latent2RGBPreviewer(factors, latent_format.latent_rgb_factors_bias)


def _painter(model: Any, context: Context) -> Callable[[Any], Any]:
    from graphengine.diffusion.previews import painter

    return painter(model.description, context)


def __getattr__(name: str) -> Any:
    return missing("latent_preview", name)

"""Small pictures of a latent while it is sampled, without a VAE.

A latent's channels are mixed linearly into red, green and blue: at an eighth of the size that is
enough to see what the picture will be, and costs next to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.samplers.steps import Callback, Step
from graphengine.errors import ModelFileError
from graphengine.sockets import FileRef, Model

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

RGB_METADATA = "graphengine.latent_rgb"
"""A model file may carry its own factors under this name: JSON, [channels + 1][3], bias last."""

_SIZE = 512

# Red, green and blue (0..1) of latents in the model's scale, one row a channel, bias last.
# SD 1.x: keturn, "Decoding latents to RGB without upscaling" (Hugging Face forum, 2022).
_SD1 = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
    (0.0, 0.0, 0.0),
)
# SDXL: InvokeAI (Apache-2.0), invokeai/app/util/step_callback.py.
_SDXL = (
    (0.3816, 0.4930, 0.5320),
    (-0.3753, 0.1631, 0.1739),
    (0.1770, 0.3588, -0.2048),
    (-0.4350, -0.2644, -0.4289),
    (0.0, 0.0, 0.0),
)


def preview_to(model: Model, show: Callable[[Callable[[], Picture]], None]) -> Callback:
    """A callback that offers ``show`` a preview of every step; made only if it is wanted."""

    def offer(step: Step) -> None:
        show(partial(preview, step.denoised, model))

    return offer


def preview(denoised: Tensor, model: Model) -> Picture:
    """The first picture of a batch, at most 512 px; ``denoised``: [B, C, h, w], model's scale."""
    from PIL import Image

    factors = rgb_factors(model).to(denoised.device)
    mixed = torch.einsum("chw,cr->hwr", denoised[0].float(), factors[:-1]) + factors[-1]
    pixels = ((mixed + 1) / 2).clamp(0, 1).mul(255).to(torch.uint8).cpu().numpy()
    picture = Image.fromarray(pixels)
    scale = max(1, min(8, _SIZE // max(picture.size)))
    return picture.resize(
        (picture.width * scale, picture.height * scale), Image.Resampling.BILINEAR
    )


def rgb_factors(model: Model) -> Tensor:
    """[C + 1, 3]: what each channel adds to red, green and blue in -1..1, and a bias.

    Those that the model's file carries, else its family's; a grey mean where there are none.
    """
    own = _own_factors(model.weights.file, model.family.latent_channels)
    if own is not None:
        return own
    channels = model.family.latent_channels
    if channels != 4:
        return torch.full((channels + 1, 3), 1 / channels)
    return torch.tensor(_SDXL if model.family.name.startswith("sdxl") else _SD1)


@cache
def _own_factors(file: FileRef, channels: int) -> Tensor | None:
    try:
        rows = json.loads(open_tensors(file).metadata.get(RGB_METADATA, "null"))
        factors = None if rows is None else torch.tensor(rows, dtype=torch.float32)
    except (ModelFileError, ValueError, TypeError):
        return None
    return factors if factors is not None and factors.shape == (channels + 1, 3) else None

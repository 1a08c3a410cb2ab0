"""Small pictures of a latent while it is sampled, without its VAE.

Where a TAESD's decoder is at hand it decodes the latent at half its size, at about a fiftieth of
the cost of a step. Otherwise the latent's channels are mixed linearly into red, green and blue: at
an eighth of the size that is enough to see what the picture will be, and costs next to nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.samplers.steps import Callback, Step
from graphengine.diffusion.tiny_vae import open_tiny_decoder
from graphengine.errors import GraphEngineError, ModelFileError
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


class Viewer(Protocol):
    """Who previews are made for: a node's context."""

    def preview(self, make: Callable[[], Picture]) -> None:
        """Offer a picture, which is made only if it is wanted."""

    def tiny_decoder(self, name: str) -> FileRef | None:
        """The decoder's file of a TAESD, if previews are to be made with it."""

    def warn(self, warning: GraphEngineError) -> None:
        """Tell what does not stop the run."""


def preview_to(model: Model, viewer: Viewer) -> Callback:
    """A callback that offers ``viewer`` a preview of every step; made only if it is wanted."""
    paint = painter(model, viewer)

    def offer(step: Step) -> None:
        viewer.preview(partial(paint, step.denoised))

    return offer


def painter(model: Model, viewer: Viewer) -> Callable[[Tensor], Picture]:
    """What makes a preview of a denoised latent, [B, C, h, w] in the model's scale."""
    file = _tiny_decoder(model, viewer)
    if file is not None:
        try:
            open_tiny_decoder(file)
        except ModelFileError as error:
            viewer.warn(error)
        else:
            return partial(decoded_preview, file=file)
    return partial(preview, model=model)


def decoded_preview(denoised: Tensor, file: FileRef) -> Picture:
    """As `preview`, by a TAESD's decoder; its picture is half as large as the latent's."""
    with torch.no_grad():
        pixels = _decoder(file, denoised.device)(_halved(denoised[:1].float()))[0]
    return _picture(pixels.movedim(0, -1), denoised.shape[-2:])


def preview(denoised: Tensor, model: Model) -> Picture:
    """The first picture of a batch, at most 512 px; ``denoised``: [B, C, h, w], model's scale."""
    factors = rgb_factors(model).to(denoised.device)
    mixed = torch.einsum("chw,cr->hwr", denoised[0].float(), factors[:-1]) + factors[-1]
    return _picture(mixed, denoised.shape[-2:])


def _picture(pixels: Tensor, latent: torch.Size) -> Picture:
    """Pixels, [h, w, 3] in -1..1, at the size of a preview of a latent of that height and width."""
    from PIL import Image

    values = ((pixels + 1) / 2).clamp(0, 1).mul(255).to(torch.uint8).cpu().numpy()
    height, width = latent
    scale = max(1, min(8, _SIZE // max(latent)))
    return Image.fromarray(values).resize(
        (width * scale, height * scale), Image.Resampling.BILINEAR
    )


def _tiny_decoder(model: Model, viewer: Viewer) -> FileRef | None:
    """The TAESD that knows the model's latents; a model with colours of its own has its own."""
    channels = model.family.latent_channels
    if channels != 4 or _own_factors(model.weights.file, channels) is not None:
        return None
    return viewer.tiny_decoder("taesdxl" if model.family.name.startswith("sdxl") else "taesd")


@lru_cache(maxsize=2)
def _decoder(file: FileRef, device: torch.device) -> nn.Module:
    return open_tiny_decoder(file).to(device, torch.float32)


def _halved(latent: Tensor) -> Tensor:
    """At half the size, or smaller where the decoded picture would exceed a preview's."""
    return avg_pool2d(latent, max(2, math.ceil(max(latent.shape[-2:]) * 8 / _SIZE)), ceil_mode=True)


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

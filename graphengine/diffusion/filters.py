"""Pictures blurred, sharpened, roughened, quantised: pictures in, pictures out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from graphengine.diffusion import morphology
from graphengine.sockets import Image

# ComfyUI's strength 1 sharpens as much as 10 of the textbooks' unsharp masking.
_SHARPEN_SCALE = 10.0


def blur(image: Image, radius: int, sigma: float) -> Image:
    """The picture under a Gaussian window of 2 · radius + 1 pixels.

    ``sigma`` is in units of the radius: the window shows the same part of the bell at any radius.
    """
    return Image(gaussian_blur(image.pixels.movedim(-1, 1), radius, sigma * radius).movedim(1, -1))


def sharpen(image: Image, radius: int, sigma: float, amount: float) -> Image:
    """Unsharp masking: x + 10 · amount · (x - blurred x), within 0..1."""
    x = image.pixels.movedim(-1, 1)
    sharp = x + _SHARPEN_SCALE * amount * (x - gaussian_blur(x, radius, sigma * radius))
    return Image(sharp.clamp(0, 1).movedim(1, -1))


def add_noise(image: Image, seed: int, strength: float) -> Image:
    """The picture plus ``strength`` times unit normal noise, drawn on the CPU; within 0..1."""
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn(image.pixels.shape, generator=generator).to(image.pixels)
    return Image((image.pixels + strength * noise).clamp(0, 1))


def morph(image: Image, operation: morphology.Operation, side: int) -> Image:
    """Each channel under a morphological operation with a square of ``side`` pixels."""
    return Image(morphology.transform(image.pixels.movedim(-1, 1), operation, side).movedim(1, -1))


def gaussian_blur(x: Tensor, radius: int, sigma: float) -> Tensor:
    """``x``, [B, C, H, W], under a Gaussian of ``sigma`` pixels cut at ``radius`` pixels.

    Mirrored at its edges; where it is smaller than the window, the edge is repeated.
    """
    places = torch.arange(-radius, radius + 1, device=x.device)
    bell = (-(places**2) / (2 * sigma**2)).exp()
    bell = (bell / bell.sum()).expand(x.shape[1], 1, 1, -1)
    mode = "reflect" if radius < min(x.shape[-2:]) else "replicate"
    x = pad(x, (radius, radius, radius, radius), mode=mode)
    x = conv2d(x, bell, groups=x.shape[1])
    return conv2d(x, bell.transpose(2, 3), groups=x.shape[1])

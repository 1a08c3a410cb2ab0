"""Pictures with few colours: a palette by median cut, with or without dithering."""

from __future__ import annotations

import math

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphengine.diffusion.channels import with_channels
from graphengine.diffusion.images import to_pil
from graphengine.sockets import Image


def quantize(image: Image, colours: int, dither: str) -> Image:
    """Each picture with at most ``colours`` colours of its own, [B, H, W, 3].

    ``dither``: none, floyd-steinberg (1976), or bayer-N: ordered by Bayer's N × N matrix (1973).
    """
    pixels = with_channels(image.pixels, 3)
    return Image(torch.stack([_quantized(picture, colours, dither) for picture in pixels]))


def bayer_matrix(side: int) -> NDArray[np.float64]:
    """Bayer's ordered thresholds, [side, side], evenly between -0.5 and 0.5, their mean 0."""
    matrix = np.zeros((1, 1))
    for _ in range(round(math.log2(side))):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / side**2 - 0.5


def _quantized(pixels: Tensor, colours: int, dither: str) -> Tensor:
    picture = to_pil(pixels)
    palette = picture.quantize(colours)
    errors = PIL.Image.Dither.NONE
    if dither == "floyd-steinberg":
        errors = PIL.Image.Dither.FLOYDSTEINBERG
    elif dither != "none":
        picture = _ordered(picture, colours, side=int(dither.removeprefix("bayer-")))
    reduced = picture.quantize(colours, palette=palette, dither=errors).convert("RGB")
    return torch.from_numpy(np.asarray(reduced).astype(np.float32) / 255.0)


def _ordered(picture: PIL.Image.Image, colours: int, *, side: int) -> PIL.Image.Image:
    """The picture plus the matrix times twice the distance of evenly spread colours."""
    spread = 2 * 256 / colours * bayer_matrix(side)
    rows, columns = np.ogrid[: picture.height, : picture.width]
    offsets = spread[rows % side, columns % side][..., None]
    values = np.asarray(picture).astype(np.float64) + offsets + 0.5
    return PIL.Image.fromarray(values.clip(0, 255).astype(np.uint8))

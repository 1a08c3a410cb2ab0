"""Tensors at another size: [B, C, H, W], the modes of the field, cropping about the centre."""

from __future__ import annotations

from typing import Literal

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphengine.diffusion.images import to_pil
from graphengine.errors import InputError

Method = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos", "bislerp"]
Crop = Literal["disabled", "center"]

# Below this the angle between two vectors is too small, or too near 180°, to divide by its sine.
_MIN_SINE = 1e-5


def resize(
    x: Tensor, width: int, height: int, *, method: Method = "bilinear", crop: Crop = "disabled"
) -> Tensor:
    """``x``, [B, C, H, W] float32, as [B, C, height, width].

    ``crop`` "center" first cuts what juts out beyond the new shape's proportions, in equal parts
    on both sides; otherwise the content is stretched. nearest-exact, bilinear, area and bicubic
    are PyTorch's, without antialiasing; lanczos goes through 8 bits and is for pictures; bislerp
    is for latents. Raises InputError for what has a dimension of frames besides.
    """
    if x.ndim != 4:
        shape = "[batch, channels, height/8, width/8]"
        raise InputError("bad_shape", socket="LATENT", expected=shape, got=str(list(x.shape)))
    if crop == "center":
        x = _crop_to_proportions(x, width, height)
    if x.shape[-2:] == (height, width):
        return x
    if method == "lanczos":
        return _lanczos(x, width, height)
    if method == "bislerp":
        return _bislerp_axis(_bislerp_axis(x, width, 3), height, 2)
    return interpolate(x, size=(height, width), mode=method)


def wanted_size(
    old_width: int, old_height: int, width: int, height: int, *, least: int = 1
) -> tuple[int, int]:
    """Width and height asked for, where 0 means: what keeps the proportions; both 0: no change.

    No side becomes smaller than ``least``.
    """
    if width == height == 0:
        return old_width, old_height
    if width == 0:
        height = max(least, height)
        return max(least, round(old_width * height / old_height)), height
    if height == 0:
        width = max(least, width)
        return width, max(least, round(old_height * width / old_width))
    return max(least, width), max(least, height)


def scaled_size(old_width: int, old_height: int, factor: float) -> tuple[int, int]:
    """Width and height times ``factor``, rounded; at least 1."""
    return max(1, round(old_width * factor)), max(1, round(old_height * factor))


def _crop_to_proportions(x: Tensor, width: int, height: int) -> Tensor:
    old_height, old_width = x.shape[-2:]
    left = _margin(old_width, old_height * width / height)
    top = _margin(old_height, old_width * height / width)
    return x[..., top : old_height - top, left : old_width - left]


def _margin(side: int, kept: float) -> int:
    """What to cut at each end of a side, so that about ``kept`` remain; at least 1 does."""
    return min(max(0, round((side - kept) / 2)), (side - 1) // 2)


def _lanczos(x: Tensor, width: int, height: int) -> Tensor:
    resized = [
        np.asarray(
            to_pil(picture.movedim(0, -1)).resize((width, height), PIL.Image.Resampling.LANCZOS)
        )
        for picture in x
    ]
    pixels = torch.from_numpy(np.stack(resized).astype(np.float32) / 255.0)
    return pixels.reshape(len(x), height, width, -1).movedim(-1, 1).to(x.device)


def _bislerp_axis(x: Tensor, size: int, axis: int) -> Tensor:
    """Each new vector between its two nearest old ones along one axis of the picture."""
    old = x.shape[axis]
    places = (torch.arange(size, device=x.device, dtype=torch.float64) + 0.5) * old / size - 0.5
    places = places.clamp(0, old - 1)
    before = places.floor().long()
    after = (before + 1).clamp(max=old - 1)
    shape = [1] * x.ndim
    shape[axis] = size
    share = (places - before).to(x.dtype).reshape(shape)
    return slerp(x.index_select(axis, before), x.index_select(axis, after), share)


def slerp(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Vectors along dimension 1, ``share`` (0..1) of the way from first to second.

    The direction turns evenly (Shoemake 1985, "Animating rotation with quaternion curves"), the
    length changes linearly. Where the directions (nearly) agree the first's is kept; opposite
    ones are blended linearly.
    """
    lengths = first.norm(dim=1, keepdim=True), second.norm(dim=1, keepdim=True)
    one, two = (
        torch.where(length > 0, x / length, 0.0)
        for x, length in zip((first, second), lengths, strict=True)
    )
    cosine = (one * two).sum(dim=1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    turned = (one * ((1 - share) * angle).sin() + two * (share * angle).sin()) / angle.sin()
    length = lengths[0] * (1 - share) + lengths[1] * share
    result = torch.where(cosine > 1 - _MIN_SINE, one, turned) * length
    return torch.where(cosine < _MIN_SINE - 1, first * (1 - share) + second * share, result)

"""Pictures as tensors of the number of channels that an operation wants."""

from __future__ import annotations

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch
from graphengine.diffusion.masks import resize_to
from graphengine.errors import InputError
from graphengine.sockets import Image, Mask

_CHANNELS = ("red", "green", "blue", "alpha")


def with_channels(pixels: Tensor, count: int) -> Tensor:
    """``pixels``, [B, H, W, C], with 3 or 4 channels: grey repeated, alpha cut off or made 1."""
    if pixels.shape[-1] == 1:
        pixels = pixels.expand(*pixels.shape[:-1], 3)
    if pixels.shape[-1] < count:
        return torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1)
    return pixels[..., :count]


def same_channels(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both [B, H, W, C] with equally many channels; where one has alpha, both get it."""
    if first.shape[-1] == second.shape[-1]:
        return first, second
    count = max(3, first.shape[-1], second.shape[-1])
    return with_channels(first, count), with_channels(second, count)


def channel_mask(image: Image, channel: str) -> Mask:
    """One channel as a mask, [B, H, W]; InputError if it is alpha and there is none."""
    count = image.pixels.shape[-1]
    if channel == "alpha" and count != 4:
        raise InputError("image_has_no_alpha", got=count)
    index = 0 if count == 1 else _CHANNELS.index(channel)
    return Mask(image.pixels[..., index])


def mask_image(mask: Mask) -> Image:
    """A mask as a grey picture, [B, H, W, 3]."""
    return Image(mask.values[..., None].repeat(1, 1, 1, 3))


def join_alpha(image: Image, mask: Mask) -> Image:
    """The picture with alpha 1 - mask, [B, H, W, 4]; the shorter batch begins anew."""
    count = max(len(image.pixels), len(mask.values))
    alpha = 1.0 - resize_to(mask.values, image.pixels.shape[1:3])
    colours = with_channels(image.pixels, 3)
    return Image(torch.cat([fit_batch(colours, count), fit_batch(alpha, count)[..., None]], dim=-1))


def split_alpha(image: Image) -> tuple[Image, Mask]:
    """The colours, [B, H, W, 3], and 1 - alpha, [B, H, W]; zeros without alpha."""
    pixels = with_channels(image.pixels, 4)
    return Image(pixels[..., :3]), Mask(1.0 - pixels[..., 3])

"""Masks made, changed and combined. ``values``: [B, H, W] float32, 0..1; 1 = masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch
from graphengine.diffusion.conditions import resize_mask
from graphengine.diffusion.morphology import dilate, dilate_diamond
from graphengine.errors import InputError
from graphengine.sockets import Image, Mask

Operation = Literal["multiply", "add", "subtract", "and", "or", "xor"]


def resize_to(values: Tensor, size: Sequence[int]) -> Tensor:
    """``values``, [B, H, W], at ``size`` = (height, width), bilinear."""
    return resize_mask(values, *size)[:, 0]


def solid(value: float, width: int, height: int) -> Mask:
    """One mask, [1, height, width], of the same value everywhere."""
    return Mask(torch.full((1, height, width), value))


def invert(mask: Mask) -> Mask:
    """What was masked is free, and the other way round."""
    return Mask(1.0 - mask.values)


def threshold(mask: Mask, value: float) -> Mask:
    """1 where the mask is above ``value``, else 0."""
    return Mask((mask.values > value).float())


def from_colour(image: Image, colour: int) -> Mask:
    """1 where the picture, rounded to 8 bits, has exactly the colour 0xRRGGBB."""
    wanted = torch.tensor([colour >> 16 & 255, colour >> 8 & 255, colour & 255])
    bytes_ = (image.pixels[..., :3].clamp(0, 1) * 255).round()
    return Mask((bytes_ == wanted.to(bytes_.device)).all(dim=-1).float())


def crop(mask: Mask, *, x: int, y: int, width: int, height: int) -> Mask:
    """A rectangle of the mask, as far as the mask reaches; InputError if it lies outside."""
    tall, wide = mask.values.shape[1:]
    if x >= wide or y >= tall:
        raise InputError("crop_outside", x=x, y=y, size=f"{wide}×{tall}")
    return Mask(mask.values[:, y : y + height, x : x + width])


def combine(destination: Mask, source: Mask, *, x: int, y: int, operation: Operation) -> Mask:
    """The destination with the source applied where it lies, its upper left corner at (x, y).

    The result is kept within 0..1; "and", "or" and "xor" round both to 0 or 1 first. A shorter
    batch of sources begins anew.
    """
    result = destination.values.clone()
    under = result[:, y : y + source.values.shape[1], x : x + source.values.shape[2]]
    over = fit_batch(source.values, len(result))[:, : under.shape[1], : under.shape[2]]
    under.copy_(_combined(under, over.to(under), operation))
    return Mask(result)


def feather(mask: Mask, *, left: int, top: int, right: int, bottom: int) -> Mask:
    """The mask fading out towards its edges, each over so many pixels: 1/n, 2/n, … n/n."""
    height, width = mask.values.shape[1:]
    rows = _ramp(height, top) * _ramp(height, bottom).flip(0)
    columns = _ramp(width, left) * _ramp(width, right).flip(0)
    fade = rows[:, None] * columns[None, :]
    return Mask(mask.values * fade.to(mask.values.device))


def grow(mask: Mask, expand: int, *, tapered_corners: bool = True) -> Mask:
    """The mask grown by ``expand`` pixels, shrunk by a negative one.

    It grows by a pixel upwards, downwards and sidewards at a time, so that corners taper;
    otherwise in all eight directions. Beyond the edge there is nothing: neither grows from there.
    """
    values = mask.values if expand >= 0 else -mask.values
    # A mask as large as its picture does not change any more.
    steps = min(abs(expand), sum(mask.values.shape[1:]))
    values = dilate_diamond(values, steps) if tapered_corners else dilate(values, 2 * steps + 1)
    return Mask(values if expand >= 0 else -values)


def _combined(under: Tensor, over: Tensor, operation: Operation) -> Tensor:
    if operation == "multiply":
        return (under * over).clamp(0, 1)
    if operation == "add":
        return (under + over).clamp(0, 1)
    if operation == "subtract":
        return (under - over).clamp(0, 1)
    one, other = under.round().bool(), over.round().bool()
    if operation == "and":
        return (one & other).float()
    return (one | other if operation == "or" else one ^ other).float()


def _ramp(length: int, rise: int) -> Tensor:
    """1/rise, 2/rise, … up to 1, and 1 from there on: [length]; a mask's size bounds ``rise``."""
    rise = min(rise, length)
    if rise == 0:
        return torch.ones(length)
    return (torch.arange(1, length + 1) / rise).clamp(max=1.0)

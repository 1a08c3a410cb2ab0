"""Pictures of another size or shape: scaled, cropped, padded, turned, put side by side."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from graphengine.diffusion.batches import extend_batch
from graphengine.diffusion.channels import same_channels
from graphengine.diffusion.resize import Crop, Method, resize, scaled_size, wanted_size
from graphengine.errors import InputError
from graphengine.sockets import Image, Mask

Direction = Literal["right", "down", "left", "up"]

MEGAPIXEL = 1024 * 1024
GREY = 0.5
"""What stands where a picture is to be painted anew."""

_COLOURS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}


# --- scaling --------------------------------------------------------------------------------------


def scale(
    image: Image, width: int, height: int, *, method: Method, crop: Crop = "disabled"
) -> Image:
    """The picture at this size; 0 keeps the proportions, both 0 leave it as it is."""
    tall, wide = image.pixels.shape[1:3]
    width, height = wanted_size(wide, tall, width, height)
    x = resize(image.pixels.movedim(-1, 1), width, height, method=method, crop=crop)
    return Image(x.movedim(1, -1))


def scale_by(image: Image, factor: float, *, method: Method) -> Image:
    """The picture with both sides times ``factor``, rounded."""
    tall, wide = image.pixels.shape[1:3]
    return scale(image, *scaled_size(wide, tall, factor), method=method)


def scale_to_total(image: Image, megapixels: float, *, method: Method) -> Image:
    """The picture in its proportions, with about this many times 1024 · 1024 pixels."""
    tall, wide = image.pixels.shape[1:3]
    return scale_by(image, math.sqrt(megapixels * MEGAPIXEL / (tall * wide)), method=method)


def scale_to_longest(image: Image, side: int, *, method: Method) -> Image:
    """The picture in its proportions, its longer side this long; 0 leaves it as it is."""
    tall, wide = image.pixels.shape[1:3]
    size = (side, 0) if wide >= tall else (0, side)
    return scale(image, *size, method=method)


# --- shape ----------------------------------------------------------------------------------------


def empty(width: int, height: int, count: int, colour: int) -> Image:
    """``count`` pictures of the one colour 0xRRGGBB."""
    values = torch.tensor([colour >> 16 & 255, colour >> 8 & 255, colour & 255]) / 255.0
    return Image(values.expand(count, height, width, 3).contiguous())


def crop(image: Image, *, x: int, y: int, width: int, height: int) -> Image:
    """A rectangle of the picture, as far as the picture reaches.

    Raises InputError if it lies outside.
    """
    tall, wide = image.pixels.shape[1:3]
    if x >= wide or y >= tall:
        raise InputError("crop_outside", x=x, y=y, size=f"{wide}×{tall}")
    return Image(image.pixels[:, y : y + height, x : x + width])


def flip(image: Image, *, upside_down: bool) -> Image:
    """The picture mirrored: upside down, or left to right."""
    return Image(image.pixels.flip(1 if upside_down else 2))


def rotate(image: Image, quarters: int) -> Image:
    """The picture turned clockwise by so many quarter turns."""
    return Image(image.pixels.rot90(quarters, (2, 1)))


def pad_for_outpaint(
    image: Image, *, left: int, top: int, right: int, bottom: int, feathering: int
) -> tuple[Image, Mask]:
    """The picture with grey around it, and the mask [1, H, W] of what is to be painted.

    The mask falls off into the picture as (1 - distance / feathering)² from each side that grew,
    but not in pictures narrower than twice the feathering.
    """
    height, width = image.pixels.shape[1:3]
    sides = (left, right, top, bottom)
    pixels = pad(image.pixels, (0, 0, *sides), value=GREY)
    fade = torch.zeros(height, width)
    if 0 < 2 * feathering < min(height, width):
        rows, columns = _distance(height, top, bottom), _distance(width, left, right)
        distance = torch.minimum(rows[:, None], columns[None, :])
        fade = (1.0 - distance / feathering).clamp(min=0.0) ** 2
    return Image(pixels), Mask(pad(fade[None], sides, value=1.0))


def stitch(
    first: Image,
    second: Image | None,
    direction: Direction,
    *,
    match_size: bool,
    spacing: int,
    colour: str,
) -> Image:
    """The second picture right of, below, left of or above the first, with a bar between.

    ``match_size`` brings the second to the first's height (or width) in its own proportions;
    otherwise the smaller one is centred on black. The shorter batch repeats its last picture. An
    odd ``spacing`` becomes one pixel wider. Without a second picture the first is given back.
    """
    if second is None:
        return first
    sideways = direction in ("right", "left")
    if match_size:
        tall, wide = first.pixels.shape[1:3]
        size = (0, tall) if sideways else (wide, 0)
        second = scale(second, *size, method="lanczos")
    one, two = _padded_alike(*same_channels(first.pixels, second.pixels), axis=1 if sideways else 2)
    count = max(len(one), len(two))
    parts = [extend_batch(one, count), extend_batch(two, count)]
    if direction in ("left", "up"):
        parts.reverse()
    axis = 2 if sideways else 1
    if spacing > 0:
        parts.insert(1, _bar(parts[0], spacing + spacing % 2, axis, colour))
    return Image(torch.cat(parts, dim=axis))


def join(first: Image, second: Image) -> Image:
    """Both batches; the second at the first's size (bilinear, cropped about the centre)."""
    one, two = same_channels(first.pixels, second.pixels)
    height, width = one.shape[1:3]
    return Image(
        torch.cat([one, scale(Image(two), width, height, method="bilinear", crop="center").pixels])
    )


def _distance(length: int, grown_before: int, grown_after: int) -> Tensor:
    """How far each of ``length`` places is from the new ground; infinite without any."""
    places = torch.arange(length, dtype=torch.float32)
    nowhere = torch.full((length,), math.inf)
    before = places if grown_before else nowhere
    return torch.minimum(before, length - places if grown_after else nowhere)


def _padded_alike(one: Tensor, two: Tensor, *, axis: int) -> tuple[Tensor, Tensor]:
    side = max(one.shape[axis], two.shape[axis])
    return _centred(one, side, axis), _centred(two, side, axis)


def _centred(pixels: Tensor, side: int, axis: int) -> Tensor:
    missing = side - pixels.shape[axis]
    around = (missing // 2, missing - missing // 2)
    return pad(pixels, (0, 0, *around) if axis == 2 else (0, 0, 0, 0, *around))


def _bar(like: Tensor, width: int, axis: int, colour: str) -> Tensor:
    shape = list(like.shape)
    shape[axis] = width
    values = {1: _COLOURS[colour][:1], 3: _COLOURS[colour], 4: (*_COLOURS[colour], 1.0)}
    return like.new_tensor(values[shape[-1]]).expand(shape)

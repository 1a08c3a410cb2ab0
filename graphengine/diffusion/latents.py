"""Latents made larger, turned, cut, batched and mixed. ``samples``: [B, C, H/8, W/8].

What changes the picture's geometry changes its noise mask alike. Values in pixels are those of
the picture; latents know every 8th.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch, part_of
from graphengine.diffusion.conditioning import LATENT_SCALE
from graphengine.diffusion.conditions import resize_mask
from graphengine.diffusion.resize import Crop, Method, resize, scaled_size, wanted_size
from graphengine.errors import InputError
from graphengine.sockets import Latent, Mask

# Pixels: nothing smaller is made by resizing or cropping, since networks halve sides three times.
_LEAST_SIDE = 64


# --- size and shape -------------------------------------------------------------------------------


def upscale(latent: Latent, width: int, height: int, *, method: Method, crop: Crop) -> Latent:
    """The latent of a picture of ``width`` × ``height`` pixels, cut to multiples of 8.

    0 keeps the proportions, both 0 leave all as it is; at least 64 pixels.
    """
    tall, wide = latent.samples.shape[-2:]
    if width == height == 0:
        return latent
    width, height = wanted_size(
        wide * LATENT_SCALE, tall * LATENT_SCALE, width, height, least=_LEAST_SIDE
    )
    size = width // LATENT_SCALE, height // LATENT_SCALE
    mask = latent.noise_mask
    if mask is not None and crop == "center":
        mask = resize_mask(mask, tall * LATENT_SCALE, wide * LATENT_SCALE)
        mask = resize(mask, width, height, crop="center")
    samples = resize(latent.samples, *size, method=method, crop=crop)
    return replace(latent, samples=samples, noise_mask=mask)


def upscale_by(latent: Latent, factor: float, *, method: Method) -> Latent:
    """The latent with both sides times ``factor``, rounded."""
    tall, wide = latent.samples.shape[-2:]
    width, height = scaled_size(wide, tall, factor)
    return replace(latent, samples=resize(latent.samples, width, height, method=method))


def rotate(latent: Latent, quarters: int) -> Latent:
    """The latent turned clockwise by so many quarter turns."""
    return _reshaped(latent, lambda x: x.rot90(quarters, (-1, -2)))


def flip(latent: Latent, *, upside_down: bool) -> Latent:
    """The latent mirrored: upside down, or left to right."""
    return _reshaped(latent, lambda x: x.flip(-2 if upside_down else -1))


def crop(latent: Latent, *, x: int, y: int, width: int, height: int) -> Latent:
    """A rectangle of pixels, moved and cut so that 64 pixels or more of each side remain."""
    tall, wide = latent.samples.shape[-2:]
    least = _LEAST_SIDE // LATENT_SCALE
    top = min(y // LATENT_SCALE, max(0, tall - least))
    left = min(x // LATENT_SCALE, max(0, wide - least))
    bottom = min(tall, top + height // LATENT_SCALE)
    right = min(wide, left + width // LATENT_SCALE)

    def cut(values: Tensor) -> Tensor:
        scale_y, scale_x = values.shape[-2] // tall, values.shape[-1] // wide
        rows = slice(top * scale_y, bottom * scale_y)
        return values[..., rows, left * scale_x : right * scale_x]

    mask = latent.noise_mask
    if mask is not None:
        mask = resize_mask(mask, tall * LATENT_SCALE, wide * LATENT_SCALE)
    return _reshaped(replace(latent, noise_mask=mask), cut)


def set_noise_mask(latent: Latent, mask: Mask) -> Latent:
    """The latent with ``mask``, at whatever size, as the part that sampling paints anew."""
    return replace(latent, noise_mask=mask.values[:, None])


# --- batches --------------------------------------------------------------------------------------


def from_batch(latent: Latent, first: int, length: int) -> Latent:
    """Up to ``length`` latents from ``first`` on, with the noise that they have in the batch."""
    count = len(latent.samples)
    part = part_of(count, first, length)
    mask = latent.noise_mask
    if mask is not None and len(mask) > 1:
        mask = fit_batch(mask, count)[part]
    return Latent(latent.samples[part], mask, _batch_index(latent)[part])


def repeat(latent: Latent, amount: int) -> Latent:
    """The batch ``amount`` times; known noise indices go on, so that no two share their noise."""
    mask, index = latent.noise_mask, latent.batch_index
    if mask is not None and len(mask) > 1:
        mask = fit_batch(mask, len(latent.samples)).repeat(amount, 1, 1, 1)
    if index is not None:
        step = max(index) - min(index) + 1
        index = tuple(item + turn * step for turn in range(amount) for item in index)
    samples = latent.samples.repeat(amount, *[1] * (latent.samples.ndim - 1))
    return Latent(samples, mask, index)


def join(first: Latent, second: Latent) -> Latent:
    """Both batches, the second at the first's size; each keeps its noise indices."""
    samples = torch.cat([first.samples, _like(second, first)])
    return Latent(
        samples, _joined_masks((first, second)), _batch_index(first) + _batch_index(second)
    )


def set_seed_behaviour(latent: Latent, *, fixed: bool) -> Latent:
    """The batch sampled from one and the same noise, or (not ``fixed``) from different noises."""
    index = (_batch_index(latent)[0],) * len(latent.samples) if fixed else None
    return replace(latent, batch_index=index)


def rebatch(latents: Sequence[Latent], size: int) -> list[Latent]:
    """All latents in new batches of ``size``; a new one begins where the shape changes.

    Latents without noise indices are numbered through, so that each keeps a noise of its own.
    """
    singles = _singles(latents)
    runs = (list(run) for _, run in groupby(singles, lambda item: item.samples.shape))
    return [_stacked(run[i : i + size]) for run in runs for i in range(0, len(run), size)]


# --- mixing ---------------------------------------------------------------------------------------


def add(first: Latent, second: Latent) -> Latent:
    """first + second; the second at the first's size and in batches of its length."""
    return replace(first, samples=first.samples + _fitted(second, first))


def subtract(first: Latent, second: Latent) -> Latent:
    """first - second, fitted as in `add`."""
    return replace(first, samples=first.samples - _fitted(second, first))


def multiply(latent: Latent, factor: float) -> Latent:
    """Every value times ``factor``."""
    return replace(latent, samples=latent.samples * factor)


def blend(first: Latent, second: Latent, share: float) -> Latent:
    """first · share + second · (1 - share), fitted as in `add` but bicubic."""
    other = _fitted(second, first, method="bicubic")
    return replace(first, samples=first.samples * share + other * (1 - share))


def interpolate(first: Latent, second: Latent, share: float) -> Latent:
    """Each latent vector ``share`` first and the rest second, direction and length apart.

    The blended directions are brought back to length 1 and given the blended length, so that
    contrast does not suffer as in `blend`.
    """
    one, two = first.samples, _fitted(second, first)
    lengths = one.norm(dim=1, keepdim=True), two.norm(dim=1, keepdim=True)
    directions = _divided(one, lengths[0]) * share + _divided(two, lengths[1]) * (1 - share)
    length = lengths[0] * share + lengths[1] * (1 - share)
    directions = _divided(directions, directions.norm(dim=1, keepdim=True))
    return replace(first, samples=directions * length)


def check_channels(first: Latent, second: Latent) -> None:
    """Raises InputError if the two are of different families, so that nothing can mix them."""
    shapes = list(first.samples.shape), list(second.samples.shape)
    if len(shapes[0]) != len(shapes[1]) or shapes[0][1] != shapes[1][1]:
        raise InputError("latents_differ", first=shapes[0], second=shapes[1])


# --- parts ----------------------------------------------------------------------------------------


def _reshaped(latent: Latent, change: Callable[[Tensor], Tensor]) -> Latent:
    mask = latent.noise_mask
    return replace(
        latent,
        samples=change(latent.samples),
        noise_mask=None if mask is None else change(mask),
    )


def _batch_index(latent: Latent) -> tuple[int, ...]:
    return latent.batch_index or tuple(range(len(latent.samples)))


def _like(latent: Latent, other: Latent, *, method: Method = "bilinear") -> Tensor:
    """The samples at the other's size, cropped about the centre to its proportions."""
    check_channels(other, latent)
    height, width = other.samples.shape[-2:]
    return resize(latent.samples, width, height, method=method, crop="center")


def _fitted(latent: Latent, other: Latent, *, method: Method = "bilinear") -> Tensor:
    return fit_batch(_like(latent, other, method=method), len(other.samples))


def _divided(x: Tensor, length: Tensor) -> Tensor:
    return torch.where(length > 0, x / length, 0.0)


def _joined_masks(latents: Sequence[Latent]) -> Tensor | None:
    """One mask an item, at the first's size, if any has one: where it is missing, all is free."""
    if all(latent.noise_mask is None for latent in latents):
        return None
    height, width = (side * LATENT_SCALE for side in latents[0].samples.shape[-2:])
    masks = [
        torch.ones(1, 1, height, width)
        if latent.noise_mask is None
        else resize_mask(latent.noise_mask, height, width)
        for latent in latents
    ]
    counts = [len(latent.samples) for latent in latents]
    return torch.cat([fit_batch(mask, count) for mask, count in zip(masks, counts, strict=True)])


def _singles(latents: Sequence[Latent]) -> list[Latent]:
    """Every item as a latent of its own, each with its noise index."""
    singles: list[Latent] = []
    for latent in latents:
        count = len(latent.samples)
        index = latent.batch_index or tuple(range(len(singles), len(singles) + count))
        mask = None if latent.noise_mask is None else fit_batch(latent.noise_mask, count)
        singles += [
            Latent(
                latent.samples[i : i + 1],
                None if mask is None else mask[i : i + 1],
                (index[i],),
            )
            for i in range(count)
        ]
    return singles


def _stacked(latents: Sequence[Latent]) -> Latent:
    index = tuple(item for latent in latents for item in _batch_index(latent))
    return Latent(torch.cat([latent.samples for latent in latents]), _joined_masks(latents), index)

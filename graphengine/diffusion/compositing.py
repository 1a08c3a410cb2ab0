"""One picture or latent over another."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch
from graphengine.diffusion.channels import with_channels
from graphengine.diffusion.conditioning import LATENT_SCALE
from graphengine.diffusion.latents import check_channels
from graphengine.diffusion.masks import resize_to
from graphengine.diffusion.resize import resize
from graphengine.sockets import Image, Latent, Mask


def composite_images(
    destination: Image,
    source: Image,
    *,
    x: int,
    y: int,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Image:
    """The source over the destination, its upper left corner at (x, y), where the mask is 1.

    The mask is brought to the source's size; ``resize_source`` brings the source to the
    destination's. Shorter batches of sources and masks begin anew.
    """
    channels = max(3, destination.pixels.shape[-1])
    under, over = (
        with_channels(image.pixels, channels).movedim(-1, 1) for image in (destination, source)
    )
    if resize_source:
        over = resize(over, under.shape[-1], under.shape[-2])
    return Image(_pasted(under, over, x=x, y=y, mask=mask).movedim(1, -1))


def composite_latents(
    destination: Latent,
    source: Latent,
    *,
    x: int,
    y: int,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Latent:
    """The same of latents; x and y are pixels of the picture, cut to multiples of 8."""
    check_channels(destination, source)
    under, over = destination.samples, source.samples
    if resize_source:
        over = resize(over, under.shape[-1], under.shape[-2])
    place = {"x": x // LATENT_SCALE, "y": y // LATENT_SCALE}
    return replace(destination, samples=_pasted(under, over, mask=mask, **place))


def feather_latents(destination: Latent, source: Latent, *, x: int, y: int, feather: int) -> Latent:
    """The source over the destination, fading in over ``feather`` pixels at its edges.

    Edges that lie at the destination's own edge do not fade.
    """
    height, width = source.samples.shape[-2:]
    tall, wide = destination.samples.shape[-2:]
    left, top = x // LATENT_SCALE, y // LATENT_SCALE
    rows = _fade(height, feather // LATENT_SCALE, start=top > 0, end=top + height < tall)
    columns = _fade(width, feather // LATENT_SCALE, start=left > 0, end=left + width < wide)
    mask = Mask((rows[:, None] * columns[None, :])[None])
    return composite_latents(destination, source, x=x, y=y, mask=mask)


def _pasted(under: Tensor, over: Tensor, *, x: int, y: int, mask: Mask | None) -> Tensor:
    """``over`` on ``under``, both [B, C, H, W]; what juts out is cut."""
    result = under.clone()
    place = result[..., y : y + over.shape[-2], x : x + over.shape[-1]]
    height, width = place.shape[-2:]
    over = fit_batch(over, len(under))
    if mask is None:
        place.copy_(over[..., :height, :width])
        return result
    opacity = fit_batch(resize_to(mask.values, over.shape[-2:]), len(under))[:, None]
    opacity = opacity[..., :height, :width].to(place)
    place.copy_(over[..., :height, :width] * opacity + place * (1.0 - opacity))
    return result


def _fade(length: int, width: int, *, start: bool, end: bool) -> Tensor:
    """1/width, 2/width, … 1 at the ends that fade, 1 between: [length]."""
    fade = torch.ones(length)
    rise = (torch.arange(1, length + 1) / max(width, 1)).clamp(max=1.0)
    if start:
        fade = fade * rise
    return fade * rise.flip(0) if end else fade

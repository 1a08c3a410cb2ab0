"""Two pictures into one: blend modes, and Porter and Duff's rules for pictures with alpha."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch
from graphengine.diffusion.channels import same_channels, with_channels
from graphengine.diffusion.resize import resize
from graphengine.sockets import Image, Mask

_Rule = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def blend(first: Image, second: Image, factor: float, mode: str) -> Image:
    """first · (1 - factor) + mode(first, second) · factor, kept within 0..1.

    The second comes at the first's size (bicubic, cropped about the centre); a shorter batch
    begins anew. Modes as in W3C "Compositing and Blending Level 1", but "difference" is first -
    second without its sign taken off.
    """
    one, two = same_channels(first.pixels, second.pixels)
    two = fit_batch(_fitted(two, one), len(one))
    return Image((one * (1 - factor) + _BLENDS[mode](one, two) * factor).clamp(0, 1))


def porter_duff(
    source: Image, source_mask: Mask, destination: Image, destination_mask: Mask, mode: str
) -> tuple[Image, Mask]:
    """Source and destination by one of Porter and Duff's rules (1984), with 1 - alpha as masks.

    All at the destination's size and as many as the longest batch has; formulas, also of the
    blending modes beside theirs, as android.graphics.PorterDuff.Mode documents them. Colours of
    fully transparent pixels are 0.
    """
    masks = (source_mask.values[..., None], destination_mask.values[..., None])
    under = with_channels(destination.pixels, 3)
    count = max(map(len, (source.pixels, under, *masks)))
    # Bicubic resizing overshoots, and an alpha above 1 would turn colours round.
    over, over_mask, under_mask = (
        _fitted(pixels, under).clamp(0, 1) for pixels in (with_channels(source.pixels, 3), *masks)
    )
    s, d, s_mask, d_mask = (fit_batch(x, count) for x in (over, under, over_mask, under_mask))
    sa, da = 1.0 - s_mask, 1.0 - d_mask
    alpha, colours = _RULES[mode](s * sa, sa, d * da, da)
    colours = torch.where(alpha > _TRANSPARENT, colours / alpha, 0.0).clamp(0, 1)
    return Image(colours), Mask((1.0 - alpha[..., 0]).clamp(0, 1))


_TRANSPARENT = 1e-5
"""Alpha below which a colour cannot be told from its premultiplied value."""


def _fitted(pixels: Tensor, other: Tensor) -> Tensor:
    """Pixels, [B, H, W, C], at the other's height and width."""
    height, width = other.shape[1:3]
    x = resize(pixels.movedim(-1, 1), width, height, method="bicubic", crop="center")
    return x.movedim(1, -1)


def _overlay(first: Tensor, second: Tensor) -> Tensor:
    light = 1 - 2 * (1 - first) * (1 - second)
    return torch.where(first <= 0.5, 2 * first * second, light)


def _soft_light(first: Tensor, second: Tensor) -> Tensor:
    lifted = torch.where(first <= 0.25, ((16 * first - 12) * first + 4) * first, first.sqrt())
    dark = first - (1 - 2 * second) * first * (1 - first)
    return torch.where(second <= 0.5, dark, first + (2 * second - 1) * (lifted - first))


_BLENDS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": lambda _first, second: second,
    "multiply": lambda first, second: first * second,
    "screen": lambda first, second: 1 - (1 - first) * (1 - second),
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": lambda first, second: first - second,
}


def _union(sa: Tensor, da: Tensor) -> Tensor:
    return sa + da - sa * da


def _over_both(s: Tensor, sa: Tensor, d: Tensor, da: Tensor, mixed: Tensor) -> Tensor:
    return s * (1 - da) + d * (1 - sa) + mixed


def _overlay_rule(s: Tensor, sa: Tensor, d: Tensor, da: Tensor) -> Tensor:
    return torch.where(2 * d < da, 2 * s * d, sa * da - 2 * (da - s) * (sa - d))


# (S, Sa, D, Da), colours premultiplied by alpha, to (alpha, colours premultiplied).
_RULES: Mapping[str, _Rule] = {
    "ADD": lambda s, sa, d, da: ((sa + da).clamp(max=1), (s + d).clamp(max=1)),
    "CLEAR": lambda _s, sa, d, _da: (torch.zeros_like(sa), torch.zeros_like(d)),
    "DARKEN": lambda s, sa, d, da: (
        _union(sa, da), _over_both(s, sa, d, da, torch.minimum(s, d))
    ),
    "DST": lambda _s, _sa, d, da: (da, d),
    "DST_ATOP": lambda s, sa, d, da: (sa, sa * d + (1 - da) * s),
    "DST_IN": lambda _s, sa, d, da: (sa * da, d * sa),
    "DST_OUT": lambda _s, sa, d, da: ((1 - sa) * da, (1 - sa) * d),
    "DST_OVER": lambda s, sa, d, da: (_union(sa, da), d + (1 - da) * s),
    "LIGHTEN": lambda s, sa, d, da: (
        _union(sa, da), _over_both(s, sa, d, da, torch.maximum(s, d))
    ),
    "MULTIPLY": lambda s, sa, d, da: (sa * da, s * d),
    "OVERLAY": lambda s, sa, d, da: (_union(sa, da), _overlay_rule(s, sa, d, da)),
    "SCREEN": lambda s, sa, d, da: (_union(sa, da), s + d - s * d),
    "SRC": lambda s, sa, _d, _da: (sa, s),
    "SRC_ATOP": lambda s, sa, d, da: (da, da * s + (1 - sa) * d),
    "SRC_IN": lambda s, sa, _d, da: (sa * da, s * da),
    "SRC_OUT": lambda s, sa, _d, da: ((1 - da) * sa, (1 - da) * s),
    "SRC_OVER": lambda s, sa, d, da: (_union(sa, da), s + (1 - sa) * d),
    "XOR": lambda s, sa, d, da: (sa + da - 2 * sa * da, (1 - da) * s + (1 - sa) * d),
}  # fmt: skip

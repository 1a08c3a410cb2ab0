"""Conditionings changed and combined: new values, the given ones are never written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from graphengine.errors import GraphEngineError, InputError
from graphengine.sockets import Area, Condition, Conditioning, Mask

Warn = Callable[[GraphEngineError], None]

LATENT_SCALE = 8
"""Picture pixels to a latent pixel."""


def combine(first: Conditioning, second: Conditioning) -> Conditioning:
    """All conditions of both: the sampler predicts with each and blends the predictions."""
    return Conditioning((*first.conditions, *second.conditions))


def concatenate(
    conditioning: Conditioning, tail: Conditioning, *, warn: Warn | None = None
) -> Conditioning:
    """The rows of ``tail``'s first condition behind those of every condition: [1, T1 + T2, D]."""
    source = _first(tail, "conditioning_from", warn)
    return _each(
        conditioning,
        lambda c: replace(c, embedding=torch.cat(_same_width(c, source), dim=1)),
    )


def average(
    conditioning: Conditioning, other: Conditioning, share: float, *, warn: Warn | None = None
) -> Conditioning:
    """Every condition blended with ``other``'s first one: c · share + other · (1 - share).

    ``other`` is cut, or filled up with zeros, to the condition's number of rows. Pooled states
    are blended alike; where only one has it, that is taken.
    """
    source = _first(other, "conditioning_from", warn)

    def blend(condition: Condition) -> Condition:
        embedding, far = _same_width(condition, source)
        near_rows = embedding.shape[1]
        far = functional.pad(far[:, :near_rows], (0, 0, 0, max(0, near_rows - far.shape[1])))
        return replace(
            condition,
            embedding=_mix(embedding, far, share),
            pooled=_mix_pooled(condition.pooled, source.pooled, share),
        )

    return _each(conditioning, blend)


def set_area(conditioning: Conditioning, area: Area, strength: float) -> Conditioning:
    """The conditioning acting only in a rectangle, there with this strength."""
    return _each(
        conditioning,
        lambda c: replace(c, area=area, strength=strength, mask_sets_area=False),
    )


def pixel_area(*, width: int, height: int, x: int, y: int) -> Area:
    """The rectangle of latent pixels that a rectangle of picture pixels covers."""
    return Area(
        height=height // LATENT_SCALE,
        width=width // LATENT_SCALE,
        y=y // LATENT_SCALE,
        x=x // LATENT_SCALE,
    )


def fraction_area(*, width: float, height: float, x: float, y: float) -> Area:
    """A rectangle given in parts of the picture's width and height, 0..1."""
    return Area(height=height, width=width, y=y, x=x, fraction=True)


def set_strength(conditioning: Conditioning, strength: float) -> Conditioning:
    """The conditioning with this weight among those that it is combined with."""
    return _each(conditioning, lambda c: replace(c, strength=strength))


def set_mask(
    conditioning: Conditioning, mask: Mask, strength: float, *, sets_area: bool = False
) -> Conditioning:
    """The conditioning acting where the mask is white.

    ``sets_area``: the network then sees only the mask's bounding rectangle.
    """
    return _each(
        conditioning,
        lambda c: replace(c, mask=mask.values, mask_strength=strength, mask_sets_area=sets_area),
    )


def set_timestep_range(conditioning: Conditioning, start: float, end: float) -> Conditioning:
    """The conditioning acting from ``start`` to ``end`` of the denoising (0 = noise, 1 = done)."""
    return _each(conditioning, lambda c: replace(c, start=start, end=end))


def zero_out(conditioning: Conditioning) -> Conditioning:
    """The conditioning with all states zero, pooled ones too: no prompt, not even an empty one."""
    return _each(
        conditioning,
        lambda c: replace(
            c,
            embedding=torch.zeros_like(c.embedding),
            pooled=None if c.pooled is None else torch.zeros_like(c.pooled),
        ),
    )


def _each(conditioning: Conditioning, change: Callable[[Condition], Condition]) -> Conditioning:
    return Conditioning(tuple(change(condition) for condition in conditioning.conditions))


def _first(conditioning: Conditioning, name: str, warn: Warn | None) -> Condition:
    count = len(conditioning.conditions)
    if count == 0:
        raise InputError("conditioning_is_empty", name=name)
    if count > 1 and warn is not None:
        warn(InputError("conditioning_first_only", name=name, count=count))
    return conditioning.conditions[0]


def _same_width(first: Condition, second: Condition) -> tuple[Tensor, Tensor]:
    widths = first.embedding.shape[-1], second.embedding.shape[-1]
    if widths[0] != widths[1]:
        raise InputError("conditioning_widths_differ", first=widths[0], second=widths[1])
    return first.embedding, second.embedding


def _mix(near: Tensor, far: Tensor, share: float) -> Tensor:
    return near * share + far * (1.0 - share)


def _mix_pooled(near: Tensor | None, far: Tensor | None, share: float) -> Tensor | None:
    if near is None or far is None:
        return far if near is None else near
    return _mix(near, far, share)

"""The vector condition y of SDXL, its refiner and unCLIP (Podell et al. 2023, arXiv:2307.01952)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from graphengine.sockets import Condition, Family

SIZE_WIDTH = 256
# What the refiner was trained with as the aesthetic score of good and of bad pictures.
AESTHETIC_POSITIVE = 6.0
AESTHETIC_NEGATIVE = 2.5


def vector_of(
    condition: Condition, family: Family, *, width: int, height: int, negative: bool, total: int
) -> Tensor | None:
    """The finished vector y, [1, ``total``] float32; None for families without one.

    ``width``, ``height``: of the picture in pixels, where the condition does not say.
    ``total``: how wide the network wants it.
    """
    if family.vector == "none":
        return None
    if family.vector == "unclip":
        given = condition.extra.get("vector")
        return torch.zeros(1, total) if given is None else given
    sizes = _sdxl_sizes if family.vector == "sdxl" else _refiner_sizes
    embedded = size_embedding(sizes(condition.size, width, height, negative))
    pooled = condition.pooled
    if pooled is None:
        pooled = torch.zeros(1, total - embedded.shape[1])
    return torch.cat([pooled.float().cpu(), embedded.expand(len(pooled), -1)], dim=1)


def size_embedding(values: list[float]) -> Tensor:
    """Sinusoidal embeddings side by side: [1, 256 · len(values)] float32, cosines first."""
    half = SIZE_WIDTH // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angles = torch.tensor(values, dtype=torch.float32)[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1).reshape(1, -1)


def _sdxl_sizes(size: Mapping[str, float], width: int, height: int, _negative: bool) -> list[float]:
    width_given, height_given = size.get("width", width), size.get("height", height)
    return [
        height_given,
        width_given,
        size.get("crop_h", 0),
        size.get("crop_w", 0),
        size.get("target_height", height_given),
        size.get("target_width", width_given),
    ]


def _refiner_sizes(
    size: Mapping[str, float], width: int, height: int, negative: bool
) -> list[float]:
    score = AESTHETIC_NEGATIVE if negative else AESTHETIC_POSITIVE
    return [
        size.get("height", height),
        size.get("width", width),
        size.get("crop_h", 0),
        size.get("crop_w", 0),
        size.get("aesthetic_score", score),
    ]

"""The vector condition y of SDXL, its refiner and unCLIP (Podell et al. 2023, arXiv:2307.01952)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from graphengine.diffusion.sinusoids import sinusoidal_embedding
from graphengine.diffusion.unclip import MERGED_AUGMENTATION, picture_vector, pictures_of
from graphengine.sockets import Condition, Family

SIZE_WIDTH = 256
# What the refiner was trained with as the aesthetic score of good and of bad pictures.
AESTHETIC_POSITIVE = 6.0
AESTHETIC_NEGATIVE = 2.5


def vector_of(
    condition: Condition,
    family: Family,
    *,
    width: int,
    height: int,
    negative: bool,
    total: int,
    seed: int = 0,
) -> Tensor | None:
    """The finished vector y, [1, ``total``] float32; None for families without one.

    ``width``, ``height``: of the picture in pixels, where the condition does not say.
    ``total``: how wide the network wants it. ``seed``: the sampler's, for pictures under noise.
    """
    if family.vector == "none":
        return None
    if family.vector == "unclip":
        return _unclip(condition, total, seed)
    sizes = _sdxl_sizes if family.vector == "sdxl" else _refiner_sizes
    embedded = size_embedding(sizes(condition.size, width, height, negative))
    pooled = _pooled(condition, total - embedded.shape[1], seed)
    return torch.cat([pooled, embedded.expand(len(pooled), -1)], dim=1)


def size_embedding(values: list[float]) -> Tensor:
    """Sinusoidal embeddings side by side: [1, 256 · len(values)] float32, cosines first."""
    return sinusoidal_embedding(values, SIZE_WIDTH).reshape(1, -1)


def _pooled(condition: Condition, width: int, seed: int) -> Tensor:
    """The pooled prompt, [1, width], or pictures in its place, or zeros."""
    pictures = pictures_of(condition)
    if pictures:
        vector = picture_vector(pictures, width=width, seed=seed, merged_augmentation=0.0)
        return vector[:, :width]
    if condition.pooled is None:
        return torch.zeros(1, width)
    return condition.pooled.float().cpu()


def _unclip(condition: Condition, total: int, seed: int) -> Tensor:
    pictures = pictures_of(condition)
    if not pictures:
        return torch.zeros(1, total)
    return picture_vector(
        pictures, width=total // 2, seed=seed, merged_augmentation=MERGED_AUGMENTATION
    )


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

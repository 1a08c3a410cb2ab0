"""Pictures as prompts: unCLIP models, and SDXL with pictures in place of its pooled prompt.

Ramesh et al. 2022 (arXiv:2204.06125); Stable unCLIP 2.1 (Stability AI, MIT). What a CLIP sees in a
picture is put under noise, to let the model take more or less liberty, and told to the network
together with the level of that noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from graphengine.diffusion.sinusoids import sinusoidal_embedding
from graphengine.errors import InputError
from graphengine.sockets import ClipVisionOutput, Condition, Conditioning

EXTRA = "unclip_conditioning"
"""Where `Condition.extra` holds the pictures, a tuple of `SeenPicture`."""

LEVELS = 1000
# The level of the noise under which several pictures that an unCLIP model gets are blended.
MERGED_AUGMENTATION = 0.05
# The noise is drawn from the sampler's seed less this, to be another than the sampler's.
SEED_OFFSET = 10


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """What a CLIP sees in one picture, [P]; how much it counts; how freely it is taken, 0..1."""

    embed: Tensor
    strength: float
    augmentation: float


def add_pictures(
    conditioning: Conditioning, seen: ClipVisionOutput, *, strength: float, augmentation: float
) -> Conditioning:
    """The conditioning with the pictures of a batch beside its words; at strength 0 as it is.

    ``augmentation``: 0 = keep close to the picture … 1 = pure noise.
    """
    if strength == 0:
        return conditioning
    pictures = tuple(SeenPicture(embed, strength, augmentation) for embed in seen.image_embeds)
    return Conditioning(
        tuple(
            replace(
                condition, extra={**condition.extra, EXTRA: (*pictures_of(condition), *pictures)}
            )
            for condition in conditioning.conditions
        )
    )


def pictures_of(condition: Condition) -> tuple[SeenPicture, ...]:
    """The pictures beside a condition's words."""
    return tuple(condition.extra.get(EXTRA, ()))


def picture_vector(
    pictures: Sequence[SeenPicture], *, width: int, seed: int, merged_augmentation: float
) -> Tensor:
    """The vector that tells a network about pictures: [1, 2 · width] float32.

    One half is the noisy embedding, the other its level, both times the strength. Those of
    several pictures are added up, and the sum is put under noise of ``merged_augmentation``
    again. ``width``: of the embedding. ``seed``: the sampler's. InputError for another width.
    """
    vectors = [
        picture.strength * _noisy(picture.embed[None], picture.augmentation, width, seed)
        for picture in pictures
    ]
    if len(vectors) == 1:
        return vectors[0]
    total = torch.stack(vectors).sum(dim=0)
    return _noisy(total[:, :width], merged_augmentation, width, seed)


def _noisy(embed: Tensor, augmentation: float, width: int, seed: int) -> Tensor:
    if embed.shape[-1] != width:
        raise InputError("unclip_other_width", expected=width, got=embed.shape[-1])
    level = round((LEVELS - 1) * augmentation)
    kept = float(_kept()[level])
    generator = torch.Generator().manual_seed(seed - SEED_OFFSET)
    noise = torch.randn(embed.shape, generator=generator)
    noisy = math.sqrt(kept) * embed.float().cpu() + math.sqrt(1 - kept) * noise
    return torch.cat([noisy, sinusoidal_embedding([level], width)], dim=1)


@cache
def _kept() -> Tensor:
    """How much of the signal's power is left at each level, [1000] float64.

    The cosine schedule: Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17, betas at most 0.999.
    """
    t = torch.arange(LEVELS + 1, dtype=torch.float64) / LEVELS
    power = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - power[1:] / power[:-1]).clamp(max=0.999)
    return (1 - betas).cumprod(dim=0)

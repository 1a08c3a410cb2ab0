"""Between latents as the VAE makes them and as a family's networks see them."""

from __future__ import annotations

import torch
from torch import Tensor

from graphengine.sockets import Family


def into_model(samples: Tensor, family: Family) -> Tensor:
    """[B, C, H, W] as the network sees it; an empty latent stays empty."""
    if not family.latent_mean or not samples.count_nonzero():
        return samples * family.latent_scale
    mean, std = _by_channel(family, samples)
    return (samples - mean) * (family.latent_scale / std)


def out_of_model(samples: Tensor, family: Family) -> Tensor:
    """The inverse: as the VAE takes it."""
    if not family.latent_mean:
        return samples / family.latent_scale
    mean, std = _by_channel(family, samples)
    return samples * (std / family.latent_scale) + mean


def _by_channel(family: Family, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(values) for values in (family.latent_mean, family.latent_std))
    return mean.to(like)[:, None, None], std.to(like)[:, None, None]

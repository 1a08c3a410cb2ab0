"""Differential diffusion: grey values of the mask decide how long each place is painted.

Levin & Fried 2023 (arXiv:2306.00950).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.sockets import Model


@dataclass(frozen=True)
class DifferentialMask(SamplingOption):
    """The rule as a model's option; ``strength`` below 1 mixes the plain mask in."""

    strength: float = 1.0

    def denoise_mask(
        self, mask: Tensor, sigma: Tensor, sigmas: Tensor, levels: ModelSampling
    ) -> Tensor:
        """1 where the mask is at least as bright as the part of the run's time that is left."""
        first, last = sigmas[0], sigmas[-1].clamp(min=float(levels.sigma_min))
        start, end = float(levels.timestep(first)), float(levels.timestep(last))
        now = float(levels.timestep(sigma))
        left = (now - end) / (start - end) if start != end else 0.0
        painted = (mask >= left).to(mask.dtype)
        return torch.lerp(mask, painted, self.strength)


def add_differential_mask(model: Model, strength: float) -> Model:
    """``model`` whose inpaint masks are read by differential diffusion."""
    return replace(model, options=(*model.options, DifferentialMask(strength)))

"""What all samplers share: what they may call, the record of a step, and the ancestral split.

A sampler is a pure function ``(run, x, sigmas, *, options) → x`` after k-diffusion (Crowson et
al., MIT). ``x``: [B, C, H, W] float32, noise of level sigmas[0] included. ``sigmas``: [N + 1]
float32 on the CPU, so that looking at a level never waits for the device. The result has noise of
level sigmas[N], none where that is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from graphengine.diffusion.model_sampling import ModelSampling, NoisePath
from graphengine.diffusion.noise import SamplerNoise


class Denoise(Protocol):
    """A guided model in sigma space: Karras et al. 2022, D(x; sigma)."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the model sees in ``x`` at level ``sigma`` (0-d, CPU)."""
        ...

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the unconditional one: Chung et al. 2024 (CFG++, arXiv:2406.08070)."""
        ...


@dataclass(frozen=True, eq=False)
class Step:
    """One finished look at the model: ``index`` of ``steps``, at ``sigma``, from x to denoised."""

    index: int
    steps: int
    sigma: float
    x: Tensor
    denoised: Tensor


Callback = Callable[[Step], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What a sampler may call while it steps."""

    denoise: Denoise
    levels: ModelSampling
    noise: SamplerNoise
    callback: Callback | None = None

    @property
    def path(self) -> NoisePath:
        return self.levels.path

    def report(self, index: int, sigmas: Tensor, x: Tensor, denoised: Tensor) -> None:
        """Hand the step's record to whoever watches."""
        if self.callback is not None:
            step = Step(index, len(sigmas) - 1, float(sigmas[index]), x, denoised)
            self.callback(step)


SamplerFunction = Callable[..., Tensor]
"""``(run, x, sigmas, **options) → x``; each method has its own options."""


def slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dsigma of the probability-flow ODE: Karras et al. 2022, eq. 3."""
    return (x - denoised) / sigma


def with_finite_start(run: Run, sigmas: Tensor) -> Tensor:
    """The same levels; the first one of a flow is lowered if its signal-to-noise ratio is 0."""
    if not run.path.flow or sigmas[0] < 1:
        return sigmas
    first = run.levels.percent_to_sigma(1e-4)
    return torch.cat([sigmas.new_tensor([first]), sigmas[1:]])


def ancestral_split(sigma: Tensor, sigma_next: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """(sigma_down, sigma_up): how far to step down and how much fresh noise to add.

    Song et al. 2020 (arXiv:2010.02502, eq. 16) in sigma, as in k-diffusion.
    """
    if not eta:
        return sigma_next, torch.zeros_like(sigma_next)
    fresh = (sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2) ** 0.5
    sigma_up = torch.minimum(sigma_next, eta * fresh)
    return (sigma_next**2 - sigma_up**2) ** 0.5, sigma_up


def flow_ancestral_split(
    sigma: Tensor, sigma_next: Tensor, eta: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(sigma_down, scale, sigma_up) of a flow model: the level below, the share of x kept, noise.

    The variance of the result is that of level ``sigma_next`` on the straight path.
    """
    sigma_down = sigma_next * (1 + (sigma_next / sigma - 1) * eta)
    scale = (1 - sigma_next) / (1 - sigma_down)
    sigma_up = (sigma_next**2 - (sigma_down * scale) ** 2).clamp(min=0) ** 0.5
    return sigma_down, scale, sigma_up

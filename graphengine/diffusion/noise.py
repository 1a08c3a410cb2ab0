"""Where noise comes from: the start of a sampling and what samplers add between steps.

Seeds go from 0 to 2**64 - 1. Every stream depends on its seed and the device it is drawn on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphengine.diffusion.brownian import BrownianTree
from graphengine.sockets import Latent, Noise

StepNoise = Callable[[Tensor, Tensor], Tensor]
"""(sigma, sigma_next) → unit-variance noise like x."""


def initial_noise(latent: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """Unit normal noise shaped like ``latent``, drawn on the CPU so that any device gets the same.

    Without ``batch_index`` the whole batch is one draw. With it, single pictures are drawn one
    after the other up to the highest index, and equal indices share their noise.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    if batch_index is None:
        return _normal(tuple(latent.shape), latent.dtype, generator)
    single = (1, *latent.shape[1:])
    drawn = [_normal(single, latent.dtype, generator) for _ in range(max(batch_index) + 1)]
    return torch.cat([drawn[index] for index in batch_index])


def _normal(shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=generator, device="cpu")


def noise_for(latent: Latent, noise: Noise) -> Tensor:
    """The noise of a NOISE for a latent: [B, C, h, w], zeros where there is none."""
    if noise.own is not None:
        drawn: Tensor = noise.own(latent)
        return drawn.to(latent.samples)
    if noise.seed is None:
        return torch.zeros_like(latent.samples)
    return initial_noise(latent.samples, noise.seed, latent.batch_index)


@dataclass(frozen=True)
class SamplerNoise:
    """The noise a sampler adds while it steps, from the seed of the initial noise."""

    seed: int

    def independent(self, x: Tensor) -> StepNoise:
        """One draw per call on x's device; on the CPU the first equals the initial noise."""
        generator = torch.Generator(x.device).manual_seed(self.seed)

        def draw(_sigma: Tensor, _sigma_next: Tensor) -> Tensor:
            return torch.randn(x.size(), dtype=x.dtype, device=x.device, generator=generator)

        return draw

    def continued(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Draws like any tensor, behind the initial noise of a latent like ``x``; on x's device."""
        generator = torch.Generator(x.device).manual_seed(self.seed)
        torch.randn(x.size(), dtype=x.dtype, device=x.device, generator=generator)

        def draw(like: Tensor) -> Tensor:
            return torch.randn(like.size(), dtype=x.dtype, device=x.device, generator=generator)

        return draw

    def churn(self, x: Tensor, index: int) -> Tensor:
        """What churn adds before step ``index``: a stream of its own for every step."""
        generator = torch.Generator(x.device).manual_seed((self.seed + 1 + index) % 2**64)
        return torch.randn(x.size(), dtype=x.dtype, device=x.device, generator=generator)

    def brownian(self, x: Tensor, sigmas: Tensor, *, on_device: bool = False) -> StepNoise:
        """Increments of one Brownian path over the levels, so that step sizes share their noise.

        Drawn on the CPU, or on x's device with ``on_device``.
        """
        low, high = float(sigmas[sigmas > 0].min()), float(sigmas.max())
        like = torch.zeros_like(x, device=None if on_device else "cpu")
        tree = BrownianTree(low, high, like, self.seed)

        def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
            start, end = sorted((float(sigma), float(sigma_next)))
            sign = 1.0 if float(sigma) < float(sigma_next) else -1.0
            increment = tree.increment(start, end) * sign
            return (increment / (sigma_next - sigma).abs().sqrt().to(like.device)).to(x.device)

        return draw

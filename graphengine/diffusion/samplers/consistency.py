"""Samplers that jump to the denoised latent and noise it anew, and DDPM."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.resize import Method, resize
from graphengine.diffusion.samplers.steps import Run


def lcm(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """Multistep consistency sampling: Luo et al. 2023 (arXiv:2310.04378)."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x_i, x = x, run.denoise(x, sigma)
        run.report(i, sigmas, x_i, x)
        if sigma_next > 0:
            x = run.levels.add_noise(x, noise(sigma, sigma_next), sigma_next)
    return x


def lcm_upscale(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    scale_ratio: float = 1.0,
    scale_steps: int = -1,
    upscale_method: Method = "bislerp",
) -> Tensor:
    """`lcm` whose latent grows behind its first steps, until it is ``scale_ratio`` × as large.

    ``scale_steps``: behind how many; -1 = half of them. Sizes grow evenly. The noise between steps
    goes on in the stream that the initial noise came from, since its size changes.
    """
    noise = run.noise.continued(x)
    height, width = x.shape[-2:]
    steps = max(len(sigmas) // 2, 1) if scale_steps < 0 else min(scale_steps, len(sigmas))
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x_i, x = x, run.denoise(x, sigma)
        run.report(i, sigmas, x_i, x)
        if i < steps:
            scale = 1 + (scale_ratio - 1) * (i + 1) / steps
            x = resize(x, round(width * scale), round(height * scale), method=upscale_method)
        if sigma_next > 0:
            x = run.levels.add_noise(x, noise(x), sigma_next)
    return x


def ddpm(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """Ancestral, in the variance-preserving form: Ho et al. 2020 (arXiv:2006.11239), Alg. 2."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        eps = (x - denoised) / sigma
        kept, kept_next = 1 / (sigma**2 + 1), 1 / (sigma_next**2 + 1)
        ratio = kept / kept_next
        mean = (x / (1 + sigma**2) ** 0.5 - (1 - ratio) * eps / (1 - kept) ** 0.5) / ratio**0.5
        if sigma_next > 0:
            spread = ((1 - ratio) * (1 - kept_next) / (1 - kept)) ** 0.5
            mean = mean + spread * noise(sigma, sigma_next)
        x = mean * (1 + sigma_next**2) ** 0.5
    return x

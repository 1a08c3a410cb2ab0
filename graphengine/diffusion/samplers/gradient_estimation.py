"""Gradient estimation (Permenter & Yuan 2024, arXiv:2306.04848)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, slope


def gradient_estimation(run: Run, x: Tensor, sigmas: Tensor, *, ge_gamma: float = 2.0) -> Tensor:
    """Euler steps along gamma · slope + (1 - gamma) · earlier slope."""
    return _gradient_estimation(run, x, sigmas, ge_gamma, cfg_pp=False)


def gradient_estimation_cfg_pp(
    run: Run, x: Tensor, sigmas: Tensor, *, ge_gamma: float = 2.0
) -> Tensor:
    """Renoised along the unconditional prediction: CFG++ (Chung et al. 2024)."""
    return _gradient_estimation(run, x, sigmas, ge_gamma, cfg_pp=True)


def _gradient_estimation(
    run: Run, x: Tensor, sigmas: Tensor, gamma: float, *, cfg_pp: bool
) -> Tensor:
    before: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        if cfg_pp:
            denoised, base = run.denoise.with_uncond(x, sigma)
        else:
            denoised = base = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        d = slope(x, sigma, base)
        if sigma_next == 0:
            x = denoised
        else:
            x = denoised + d * sigma_next
            if before is not None:
                x = x + (gamma - 1) * (d - before) * (sigma_next - sigma)
        before = d
    return x

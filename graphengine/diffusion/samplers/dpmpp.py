"""DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095) in sigma space, as in k-diffusion (MIT).

With lambda = log(alpha / sigma) and h = lambda_next - lambda, one step of first order is
x_next = sigma_next / sigma · x - alpha_next · (exp(-h) - 1) · denoised.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from graphengine.diffusion.samplers.steps import (
    Run,
    ancestral_split,
    flow_ancestral_split,
    slope,
)

# Half-way from pure noise in log SNR, where a flow starts, is pure noise again.
FLOW_FIRST_MIDDLE = 0.9999


def dpmpp_2m(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """Multistep of second order, DPM-Solver++(2M): Lu et al. 2022b, Alg. 2."""
    before: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        h = sigma.log() - sigma_next.log()
        guess = denoised
        if before is not None:
            half_ratio = h / (2 * (sigmas[i - 1].log() - sigma.log()))
            guess = (1 + half_ratio) * denoised - half_ratio * before
        x = (sigma_next / sigma) * x - (-h).expm1() * guess
        before = denoised
    return x


def dpmpp_2m_cfg_pp(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """2M that renoises along the unconditional prediction: CFG++ (Chung et al. 2024)."""
    before: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, uncond = run.denoise.with_uncond(x, sigma)
        run.report(i, sigmas, x, denoised)
        h = sigma.log() - sigma_next.log()
        if before is None or sigma_next == 0:
            drift = -torch.exp(-h) * uncond
        else:
            half_ratio = h / (2 * (sigmas[i - 1].log() - sigma.log()))
            correction = denoised - before
            drift = -torch.exp(-h) * uncond - (-h).expm1() * half_ratio * correction
        x = denoised + drift + torch.exp(-h) * x
        before = uncond
    return x


def dpmpp_2s_ancestral(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Single steps of second order to a lower level, then fresh noise: Lu et al. 2022b, Alg. 1."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        down, scale, up = _split(run, sigma, sigma_next, eta)
        if down == 0:
            x = x + slope(x, sigma, denoised) * (down - sigma)
            continue
        t, t_next = run.path.log_snr(sigma), run.path.log_snr(down)
        middle = run.path.sigma_of(t + 0.5 * (t_next - t))
        if run.path.flow and sigma >= 1:
            middle = sigma.new_tensor(FLOW_FIRST_MIDDLE)
        x_2 = _first_order(run, x, sigma, middle, denoised)
        x = _first_order(run, x, sigma, down, run.denoise(x_2, middle))
        if sigma_next > 0:
            x = scale * x + noise(sigma, sigma_next) * s_noise * up
    return x


def dpmpp_2s_ancestral_cfg_pp(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """2S ancestral that renoises along the unconditional prediction: CFG++ (Chung et al. 2024)."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, uncond = run.denoise.with_uncond(x, sigma)
        run.report(i, sigmas, x, denoised)
        down, up = ancestral_split(sigma, sigma_next, eta)
        if down == 0:
            x = denoised
            continue
        t, t_next = -sigma.log(), -down.log()
        h = t_next - t
        x_2 = torch.exp(-h * 0.5) * (x + (denoised - uncond)) - (-h * 0.5).expm1() * denoised
        denoised_2, uncond_2 = run.denoise.with_uncond(x_2, torch.exp(-(t + 0.5 * h)))
        x = torch.exp(-h) * (x + (denoised - uncond_2)) - (-h).expm1() * denoised_2
        if sigma_next > 0:
            x = x + noise(sigma, sigma_next) * s_noise * up
    return x


def _split(
    run: Run, sigma: Tensor, sigma_next: Tensor, eta: float
) -> tuple[Tensor, Tensor, Tensor]:
    if run.path.flow:
        return flow_ancestral_split(sigma, sigma_next, eta)
    down, up = ancestral_split(sigma, sigma_next, eta)
    return down, torch.ones_like(up), up


def _first_order(run: Run, x: Tensor, sigma: Tensor, target: Tensor, denoised: Tensor) -> Tensor:
    h = run.path.log_snr(target) - run.path.log_snr(sigma)
    return (target / sigma) * x - run.path.alpha(target) * (-h).expm1() * denoised

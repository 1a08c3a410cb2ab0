"""First-order samplers."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.samplers.steps import (
    Run,
    ancestral_split,
    flow_ancestral_split,
    slope,
)


def euler(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = math.inf,
    s_noise: float = 1.0,
) -> Tensor:
    """Euler steps with optional churn: Karras et al. 2022, Alg. 2 without the correction."""
    for i, sigma_next in enumerate(sigmas[1:]):
        x, sigma = churn(
            run, x, sigmas, i, s_churn=s_churn, s_tmin=s_tmin, s_tmax=s_tmax, s_noise=s_noise
        )
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        x = x + slope(x, sigma, denoised) * (sigma_next - sigma)
    return x


def churn(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    index: int,
    *,
    s_churn: float,
    s_tmin: float,
    s_tmax: float,
    s_noise: float,
) -> tuple[Tensor, Tensor]:
    """(x, sigma_hat): x with the level raised by fresh noise: Karras et al. 2022, Alg. 2."""
    sigma = sigmas[index]
    if s_churn <= 0 or not s_tmin <= float(sigma) <= s_tmax:
        return x, sigma
    gamma = min(s_churn / (len(sigmas) - 1), 2**0.5 - 1)
    sigma_hat = sigma * (gamma + 1)
    fresh = run.noise.churn(x, index)
    return x + fresh * s_noise * (sigma_hat**2 - sigma**2) ** 0.5, sigma_hat


def euler_ancestral(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Euler steps to a lower level, then fresh noise up to the next one."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
        elif run.path.flow:
            down, scale, up = flow_ancestral_split(sigma, sigma_next, eta)
            ratio = down / sigma
            x = scale * (ratio * x + (1 - ratio) * denoised)
            x = x + noise(sigma, sigma_next) * s_noise * up if eta > 0 else x
        else:
            down, up = ancestral_split(sigma, sigma_next, eta)
            x = x + slope(x, sigma, denoised) * (down - sigma)
            x = x + noise(sigma, sigma_next) * s_noise * up
    return x


def euler_ancestral_cfg_pp(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Euler ancestral, renoised along the unconditional prediction: Chung et al. 2024."""
    noise = run.noise.independent(x)
    alphas = run.path.alpha(sigmas)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, uncond = run.denoise.with_uncond(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        alpha, alpha_next = alphas[i], alphas[i + 1]
        down, up = ancestral_split(sigma / alpha, sigma_next / alpha_next, eta)
        x = alpha_next * (denoised + down * slope(x, sigma, alpha * uncond))
        if eta > 0 and s_noise > 0:
            x = x + alpha_next * noise(sigma, sigma_next) * s_noise * up
    return x


def euler_cfg_pp(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """The deterministic one of the above: CFG++ (Chung et al. 2024)."""
    return euler_ancestral_cfg_pp(run, x, sigmas, eta=0.0)

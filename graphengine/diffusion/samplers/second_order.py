"""Samplers that look at the model twice (or three times) a step."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.samplers.euler import churn
from graphengine.diffusion.samplers.steps import (
    Run,
    ancestral_split,
    flow_ancestral_split,
    slope,
)


def heun(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = math.inf,
    s_noise: float = 1.0,
) -> Tensor:
    """Heun's trapezoidal steps: Karras et al. 2022, Alg. 2."""
    for i, sigma_next in enumerate(sigmas[1:]):
        x, sigma = churn(
            run, x, sigmas, i, s_churn=s_churn, s_tmin=s_tmin, s_tmax=s_tmax, s_noise=s_noise
        )
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        d, dt = slope(x, sigma, denoised), sigma_next - sigma
        euler_x = x + d * dt
        if sigma_next == 0:
            x = euler_x
        else:
            d_next = slope(euler_x, sigma_next, run.denoise(euler_x, sigma_next))
            x = x + (d + d_next) / 2 * dt
    return x


def heunpp2(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """Heun++: slopes one and two steps ahead, weighted by their sigma over sigma_max.

    From Carzit's sampler collection (MIT). The last step is Euler's, the one
    before it uses one further slope.
    """
    top = sigmas[0]
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        d, dt = slope(x, sigma, denoised), sigma_next - sigma
        if sigma_next == 0:
            x = x + d * dt
            continue
        x_2 = x + d * dt
        d_2 = slope(x_2, sigma_next, run.denoise(x_2, sigma_next))
        sigma_after = sigmas[i + 2] if i + 2 < len(sigmas) else sigmas[-1]
        if sigma_after == sigmas[-1]:
            w_2 = sigma_next / (2 * top)
            x = x + (d * (1 - w_2) + d_2 * w_2) * dt
        else:
            x_3 = x_2 + d_2 * (sigma_after - sigma_next)
            d_3 = slope(x_3, sigma_after, run.denoise(x_3, sigma_after))
            w_2, w_3 = sigma_next / (3 * top), sigma_after / (3 * top)
            x = x + (d * (1 - w_2 - w_3) + d_2 * w_2 + d_3 * w_3) * dt
    return x


def dpm_2(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = math.inf,
    s_noise: float = 1.0,
) -> Tensor:
    """Midpoint steps in log sigma: DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927) with churn."""
    for i, sigma_next in enumerate(sigmas[1:]):
        x, sigma = churn(
            run, x, sigmas, i, s_churn=s_churn, s_tmin=s_tmin, s_tmax=s_tmax, s_noise=s_noise
        )
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        x = _midpoint_step(run, x, sigma, sigma_next, denoised)
    return x


def dpm_2_ancestral(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Midpoint steps to a lower level, then fresh noise up to the next one."""
    noise = run.noise.independent(x)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if run.path.flow:
            down, scale, up = flow_ancestral_split(sigma, sigma_next, eta)
            x = scale * _midpoint_step(run, x, sigma, down, denoised)
        else:
            down, up = ancestral_split(sigma, sigma_next, eta)
            x = _midpoint_step(run, x, sigma, down, denoised)
        if sigma_next > 0:
            x = x + noise(sigma, sigma_next) * s_noise * up
    return x


def _midpoint_step(run: Run, x: Tensor, sigma: Tensor, target: Tensor, denoised: Tensor) -> Tensor:
    d = slope(x, sigma, denoised)
    if target == 0:
        return x + d * (target - sigma)
    middle = sigma.log().lerp(target.log(), 0.5).exp()
    x_2 = x + d * (middle - sigma)
    return x + slope(x_2, middle, run.denoise(x_2, middle)) * (target - sigma)

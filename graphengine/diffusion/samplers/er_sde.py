"""Extended reverse-time SDE (Cui et al. 2023, arXiv:2309.06169; the authors' code, MIT)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, with_finite_start

INTEGRATION_POINTS = 200
Scaler = Callable[[Tensor], Tensor]


def er_sde(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"] = "ER-SDE",
    max_stage: int = 3,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """ER-SDE-Solver of up to third order, over lambda = sigma / alpha.

    ``solver_type`` chooses how noise is scaled along the way; ODE adds none.
    """
    scale, s_noise = _scaler(solver_type, eta), 0.0 if solver_type == "ODE" else s_noise
    sigmas = with_finite_start(run, sigmas)
    noise, path = run.noise.independent(x), run.path
    levels = path.log_snr(sigmas).neg().exp()
    before: Tensor | None = None
    slope_before: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        here, there = levels[i], levels[i + 1]
        alpha, alpha_next = sigma / here, sigma_next / there
        ratio = scale(there) / scale(here)
        x = alpha_next / alpha * ratio * x + alpha_next * (1 - ratio) * denoised
        slope: Tensor | None = None
        if before is not None and max_stage >= 2:
            first, second = _integrals(scale, here, there)
            slope = (denoised - before) / (here - levels[i - 1])
            x = x + alpha_next * first * slope
            if slope_before is not None and max_stage >= 3:
                curve = (slope - slope_before) / ((here - levels[i - 2]) / 2)
                x = x + alpha_next * second * curve
        if s_noise > 0:
            spread = (there**2 - here**2 * ratio**2).sqrt().nan_to_num(nan=0.0)
            x = x + alpha_next * noise(sigma, sigma_next) * s_noise * spread
        before, slope_before = denoised, slope
    return x


def _scaler(solver_type: str, eta: float) -> Scaler:
    if solver_type == "ER-SDE":
        return lambda level: level * ((level**0.3).exp() + 10.0)
    power = 1.0 if solver_type == "ODE" else eta + 1.0
    return lambda level: level**power


def _integrals(scale: Scaler, here: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """What the first and second derivative of the denoised latent contribute, by left sums.

    The number of points is the authors', and part of the result.
    """
    dt = there - here
    width = -dt / INTEGRATION_POINTS
    points = there + torch.arange(INTEGRATION_POINTS) * width
    first = dt + (1 / scale(points)).sum() * width * scale(there)
    moment = ((points - here) / scale(points)).sum() * width
    return first, dt**2 / 2 + moment * scale(there)

"""Stochastic DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095), as in k-diffusion (MIT).

The noise is a Brownian path over the levels, so that step count and order share one path.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, ancestral_split, slope, with_finite_start
from graphengine.errors import InputError


def dpmpp_sde(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
    noise_on_device: bool = False,
) -> Tensor:
    """Single steps of second order with noise at the midpoint ``r`` and at the end."""
    if r <= 0:
        raise InputError("sampler_option", option="r", expected="> 0", got=r)
    if len(sigmas) < 2:
        return x
    sigmas = with_finite_start(run, sigmas)
    noise = run.noise.brownian(x, sigmas, on_device=noise_on_device)
    path = run.path
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = x + slope(x, sigma, denoised) * (sigma_next - sigma)
            continue
        t, t_next = path.log_snr(sigma), path.log_snr(sigma_next)
        middle = path.sigma_of(t + r * (t_next - t))
        x_2, up = _noisy_step(run, x, sigma, middle, denoised, eta)
        x_2 = x_2 + path.alpha(middle) * noise(sigma, middle) * s_noise * up
        blend = 1 / (2 * r)
        guess = (1 - blend) * denoised + blend * run.denoise(x_2, middle)
        x, up = _noisy_step(run, x, sigma, sigma_next, guess, eta)
        x = x + path.alpha(sigma_next) * noise(sigma, sigma_next) * s_noise * up
    return x


def _noisy_step(
    run: Run, x: Tensor, sigma: Tensor, target: Tensor, denoised: Tensor, eta: float
) -> tuple[Tensor, Tensor]:
    """x at the level below ``target``, and the noise (over alpha) that leads up to it."""
    path = run.path
    scaled, scaled_target = path.log_snr(sigma).neg().exp(), path.log_snr(target).neg().exp()
    down, up = ancestral_split(scaled, scaled_target, eta)
    h = path.log_snr(sigma) + down.log()
    kept = path.alpha(target) / path.alpha(sigma) * h.exp() * x
    return kept - path.alpha(target) * h.expm1() * denoised, up


def dpmpp_2m_sde(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: Literal["midpoint", "heun"] = "midpoint",
    noise_on_device: bool = False,
) -> Tensor:
    """Multistep of second order, SDE-DPM-Solver++(2M)."""
    if len(sigmas) < 2:
        return x
    sigmas = with_finite_start(run, sigmas)
    noise = run.noise.brownian(x, sigmas, on_device=noise_on_device)
    path, before, h_before = run.path, None, None
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        h = path.log_snr(sigma_next) - path.log_snr(sigma)
        total, alpha = h * (1 + eta), path.alpha(sigma_next)
        x = sigma_next / sigma * (-h * eta).exp() * x + alpha * (-total).expm1().neg() * denoised
        if before is not None and h_before is not None:
            half = 0.5 * (-total).expm1().neg()
            weight = half if solver_type == "midpoint" else _phi_2(total)
            x = x + alpha * weight * (h / h_before) * (denoised - before)
        if eta > 0 and s_noise > 0:
            spread = sigma_next * (-2 * h * eta).expm1().neg().sqrt()
            x = x + noise(sigma, sigma_next) * spread * s_noise
        before, h_before = denoised, h
    return x


def dpmpp_2m_sde_heun(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    noise_on_device: bool = False,
) -> Tensor:
    """2M SDE with Heun's weight on the correction."""
    return dpmpp_2m_sde(
        run,
        x,
        sigmas,
        eta=eta,
        s_noise=s_noise,
        solver_type="heun",
        noise_on_device=noise_on_device,
    )


def dpmpp_3m_sde(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    noise_on_device: bool = False,
) -> Tensor:
    """Multistep of third order (k-diffusion, MIT)."""
    if len(sigmas) < 2:
        return x
    sigmas = with_finite_start(run, sigmas)
    noise = run.noise.brownian(x, sigmas, on_device=noise_on_device)
    path = run.path
    earlier: list[Tensor] = []
    spans: list[Tensor] = []
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        h = path.log_snr(sigma_next) - path.log_snr(sigma)
        total, alpha = h * (eta + 1), path.alpha(sigma_next)
        x = sigma_next / sigma * (-h * eta).exp() * x + alpha * (-total).expm1().neg() * denoised
        if len(earlier) == 2:
            x = x + alpha * _third_order(total, h, spans, denoised, earlier)
        elif earlier:
            x = x + alpha * _phi_2(total) * (denoised - earlier[0]) * (h / spans[0])
        if eta > 0 and s_noise > 0:
            spread = sigma_next * (-2 * h * eta).expm1().neg().sqrt()
            x = x + noise(sigma, sigma_next) * spread * s_noise
        earlier, spans = [denoised, *earlier][:2], [h, *spans][:2]
    return x


def _third_order(
    total: Tensor, h: Tensor, spans: list[Tensor], denoised: Tensor, earlier: list[Tensor]
) -> Tensor:
    """What the first and second divided differences of the denoised latents add."""
    r_0, r_1 = spans[0] / h, spans[1] / h
    first = (denoised - earlier[0]) / r_0
    second = (earlier[0] - earlier[1]) / r_1
    d_1 = first + (first - second) * r_0 / (r_0 + r_1)
    d_2 = (first - second) / (r_0 + r_1)
    phi_2 = _phi_2(total)
    return phi_2 * d_1 - (phi_2 / total - 0.5) * d_2


def _phi_2(total: Tensor) -> Tensor:
    return (-total).expm1() / total + 1

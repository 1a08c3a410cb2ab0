"""Refined exponential solver, multistep of second order (Zhang et al. 2023, arXiv:2308.02157)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, ancestral_split, slope


def res_multistep(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """The deterministic one."""
    return _res_multistep(run, x, sigmas, eta=0.0, s_noise=0.0, cfg_pp=False)


def res_multistep_cfg_pp(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """Renoised along the unconditional prediction: CFG++ (Chung et al. 2024)."""
    return _res_multistep(run, x, sigmas, eta=0.0, s_noise=0.0, cfg_pp=True)


def res_multistep_ancestral(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Steps to a lower level, then fresh noise up to the next one."""
    return _res_multistep(run, x, sigmas, eta=eta, s_noise=s_noise, cfg_pp=False)


def res_multistep_ancestral_cfg_pp(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Ancestral and renoised along the unconditional prediction."""
    return _res_multistep(run, x, sigmas, eta=eta, s_noise=s_noise, cfg_pp=True)


def _res_multistep(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float, s_noise: float, cfg_pp: bool
) -> Tensor:
    noise = run.noise.independent(x)
    before: Tensor | None = None
    down_before = sigmas[0]
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised, base = run.denoise.with_uncond(x, sigma) if cfg_pp else (None, None)
        if denoised is None or base is None:
            denoised = base = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        down, up = ancestral_split(sigma, sigma_next, eta)
        if down == 0 or before is None:
            x = denoised + slope(x, sigma, base) * down
        else:
            h = sigma.log() - down.log()
            c_2 = (down_before.log() - sigmas[i - 1].log()) / h
            phi_1 = (-h).expm1() / -h
            phi_2 = (phi_1 - 1.0) / -h
            b_2 = (phi_2 / c_2).nan_to_num(nan=0.0)
            b_1 = (phi_1 - phi_2 / c_2).nan_to_num(nan=0.0)
            x = (-h).exp() * (x + (denoised - base)) + h * (b_1 * base + b_2 * before)
        if sigma_next > 0 and eta > 0:
            x = x + noise(sigma, sigma_next) * s_noise * up
        before, down_before = base, down
    return x

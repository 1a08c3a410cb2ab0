"""Stochastic explicit exponential derivative-free solvers (Gonzalez et al. 2023, arXiv:2305.14267).

Data prediction; ``eta`` 0 gives exponential Runge-Kutta methods of the same order.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, with_finite_start


def seeds_2(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 1.0, s_noise: float = 1.0, r: float = 0.5
) -> Tensor:
    """SEEDS-2: two looks a step, the second at the share ``r`` of it."""
    sigmas = with_finite_start(run, sigmas)
    noise, path = run.noise.independent(x), run.path
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        h = path.log_snr(sigma_next) - path.log_snr(sigma)
        middle = path.sigma_of(path.log_snr(sigma) + r * h)
        x_2 = _exponential(run, x, sigma, middle, r * h, eta, denoised)
        random = eta > 0 and s_noise > 0
        if random:
            early, late = noise(sigma, middle), noise(middle, sigma_next)
            x_2 = x_2 + middle * _fresh(r * h, eta) * early * s_noise
        blend = 1 / (2 * r)
        guess = (1 - blend) * denoised + blend * run.denoise(x_2, middle)
        x = _exponential(run, x, sigma, sigma_next, h, eta, guess)
        if random:
            rest = (1 - r) * h
            kept = (-rest * eta).exp() * _fresh(r * h, eta)
            x = x + sigma_next * (kept * early + _fresh(rest, eta) * late) * s_noise
    return x


def seeds_3(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Tensor:
    """SEEDS-3: three looks a step."""
    sigmas = with_finite_start(run, sigmas)
    noise, path = run.noise.independent(x), run.path
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        if sigma_next == 0:
            x = denoised
            continue
        start = path.log_snr(sigma)
        h = path.log_snr(sigma_next) - start
        ends = path.sigma_of(start + r_1 * h), path.sigma_of(start + r_2 * h), sigma_next
        shares = (r_1, r_2, 1.0)
        fresh = [x * 0.0] * 3
        if eta > 0 and s_noise > 0:
            draws = [noise(a, b) * s_noise for a, b in pairwise((sigma, *ends))]
            fresh = [_accumulated(draws[: k + 1], shares, h, eta) for k in range(3)]
        x_2 = _exponential(run, x, sigma, ends[0], r_1 * h, eta, denoised) + ends[0] * fresh[0]
        change = run.denoise(x_2, ends[0]) - denoised
        x_3 = _exponential(run, x, sigma, ends[1], r_2 * h, eta, denoised) + ends[1] * fresh[1]
        x_3 = x_3 + (r_2 / r_1) * path.alpha(ends[1]) * _phi(r_2 * h * (1 + eta)) * change
        change = run.denoise(x_3, ends[1]) - denoised
        x = _exponential(run, x, sigma, sigma_next, h, eta, denoised) + sigma_next * fresh[2]
        x = x + (1 / r_2) * path.alpha(sigma_next) * _phi(h * (1 + eta)) * change
    return x


def _exponential(
    run: Run, x: Tensor, sigma: Tensor, target: Tensor, h: Tensor, eta: float, denoised: Tensor
) -> Tensor:
    """The exact solution over ``h`` for a constant denoised latent, without its noise."""
    kept = target / sigma * (-h * eta).exp() * x
    return kept - run.path.alpha(target) * (-h * (1 + eta)).expm1() * denoised


def _fresh(h: Tensor, eta: float) -> Tensor:
    """The noise, over sigma, that comes in while lambda grows by ``h``."""
    return (-2 * h * eta).expm1().neg().sqrt()


def _accumulated(draws: list[Tensor], shares: tuple[float, ...], h: Tensor, eta: float) -> Tensor:
    """The noise, over sigma, after the first ``len(draws)`` parts of a step."""
    end = shares[len(draws) - 1]
    total = draws[0] * 0.0
    for draw, (begin, after) in zip(draws, pairwise((0.0, *shares)), strict=False):
        part = _fresh((after - begin) * h, eta) * (-(end - after) * h * eta).exp()
        total = total + part * draw
    return total


def _phi(h: Tensor) -> Tensor:
    return (-h).expm1() / h + 1

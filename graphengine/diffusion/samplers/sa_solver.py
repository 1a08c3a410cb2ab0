"""SA-Solver, a stochastic Adams method (Xue et al. 2023, arXiv:2309.05019)."""

from __future__ import annotations

from functools import partial
from math import factorial

import torch
from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, with_finite_start

# Where noise is added by default: these parts of the denoising.
NOISE_FROM, NOISE_TO = 0.2, 0.8


def sa_solver(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    eta: float = 1.0,
    sde_start_percent: float = NOISE_FROM,
    sde_end_percent: float = NOISE_TO,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    use_pece: bool = False,
    simple_order_2: bool = False,
) -> Tensor:
    """Predictor and corrector with noise of strength tau = ``eta`` in a part of the run.

    ``use_pece``: look again after the corrector. ``simple_order_2``: second order by the
    simplified weights.
    """
    sigmas = with_finite_start(run, sigmas)
    noise, path = run.noise.independent(x), run.path
    start, end = (run.levels.percent_to_sigma(p) for p in (sde_start_percent, sde_end_percent))
    lambdas, steps = path.log_snr(sigmas).double(), len(sigmas) - 1
    seen: list[Tensor] = []
    predicted, fresh, tau = x, x * 0.0, 0.0
    adams = partial(_adams, path.alpha(sigmas), lambdas, simple=simple_order_2)
    for i in range(steps):
        sigma, sigma_next = sigmas[i], sigmas[i + 1]
        denoised = run.denoise(predicted, sigma)
        run.report(i, sigmas, predicted, denoised)
        seen = [*seen, denoised][-max(predictor_order, corrector_order, 1) :]
        order = _corrector_order(i, sigmas, corrector_order, len(seen), use_pece=use_pece)
        if order == 0:
            x = predicted
        else:
            x = _kept(x, sigmas, lambdas, i, tau) + adams(seen[-order:], i, i, tau) + fresh
            if use_pece:
                denoised = run.denoise(x, sigma)
                seen[-1] = denoised
        if sigma_next == 0:
            return denoised
        order = min(predictor_order, len(seen))
        if sigmas[-1] == 0:
            order = min(order, steps - 1 - i)
        tau = eta if end <= float(sigma_next) <= start else 0.0
        predicted = _kept(x, sigmas, lambdas, i + 1, tau) + adams(seen[-order:], i, i + 1, tau)
        fresh = x * 0.0
        if tau > 0 and s_noise > 0:
            h = (lambdas[i + 1] - lambdas[i]).float()
            spread = sigma_next * (-2 * tau**2 * h).expm1().neg().sqrt()
            fresh = noise(sigma, sigma_next) * spread * s_noise
            predicted = predicted + fresh
    return predicted


sa_solver_pece = partial(sa_solver, use_pece=True)


def _corrector_order(step: int, sigmas: Tensor, wanted: int, known: int, *, use_pece: bool) -> int:
    if step == 0 or (sigmas[step + 1] == 0 and not use_pece):
        return 0
    order = min(wanted, known)
    return min(order, len(sigmas) - 1 - step) if sigmas[-1] == 0 else order


def _kept(x: Tensor, sigmas: Tensor, lambdas: Tensor, target: int, tau: float) -> Tensor:
    """What remains of x on the way to level ``target`` from the one before."""
    h = (lambdas[target] - lambdas[target - 1]).float()
    return sigmas[target] / sigmas[target - 1] * (-(tau**2) * h).exp() * x


def _adams(
    alphas: Tensor,
    lambdas: Tensor,
    seen: list[Tensor],
    newest: int,
    target: int,
    tau: float,
    *,
    simple: bool,
) -> Tensor:
    """The denoised latents ``seen`` up to step ``newest``, integrated up to level ``target``."""
    nodes = lambdas[newest - len(seen) + 1 : newest + 1] - lambdas[target]
    h, rate = lambdas[target] - lambdas[target - 1], 1 + tau**2
    if simple and len(seen) == 2:
        weights = _simple_weights(nodes, h, rate, corrector=newest == target)
    else:
        moments = _moments(h, rate, len(seen))
        powers = torch.stack([nodes**k for k in range(len(seen))])
        weights = torch.linalg.solve(powers, moments)
    weights = (weights * alphas[target]).float()
    terms = [weight * denoised for weight, denoised in zip(weights, seen, strict=True)]
    return torch.stack(terms).sum(dim=0)


def _moments(h: Tensor, rate: float, count: int) -> Tensor:
    """rate · ∫ from -h to 0 of exp(rate·u) u^k du, k = 0 … count - 1: [count] float64."""
    return torch.stack([_moment(h, rate, k) for k in range(count)])


def _moment(h: Tensor, rate: float, k: int) -> Tensor:
    """Integrated by parts: (-1)^k k!/rate^k · (1 - exp(-rate·h) Σ_j (rate·h)^j / j!, j ≤ k)."""
    series = torch.stack([(rate * h) ** j / factorial(j) for j in range(k + 1)]).sum()
    moment: Tensor = (-1) ** k * factorial(k) / rate**k * (1 - torch.exp(-rate * h) * series)
    return moment


def _simple_weights(nodes: Tensor, h: Tensor, rate: float, *, corrector: bool) -> Tensor:
    total = -torch.expm1(-rate * h)
    if corrector:
        return torch.stack([0.5 * total, 0.5 * total])
    share = 0.5 * rate * h * h / (nodes[1] - nodes[0])
    return torch.stack([-share, total + share])

"""UniPC (Zhao et al. 2023, arXiv:2302.04867), data prediction, multistep (the authors' code, MIT).

Works in the variance-preserving form x / sqrt(1 + sigma²); the last level 0 becomes 0.001.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.samplers.steps import Run

LAST_SIGMA = 0.001
Variant = Literal["bh1", "bh2"]


def uni_pc(run: Run, x: Tensor, sigmas: Tensor, *, variant: Variant = "bh1") -> Tensor:
    """Predictor and corrector of up to third order from one look at the model a step."""
    steps = len(sigmas) - 1
    if steps < 1:
        return x
    levels = sigmas.clone()
    levels[-1] = levels[-1] if levels[-1] > 0 else LAST_SIGMA
    order = max(1, min(3, steps - 1))
    history: list[tuple[Tensor, Tensor]] = []
    x = x / (levels[0] ** 2 + 1) ** 0.5
    for step, sigma in enumerate(levels):
        if step > 0:
            step_order = min(order, step, steps + 1 - step)
            x, denoised = _update(run, x, history, sigma, step_order, variant, last=step == steps)
        else:
            denoised = _denoise(run, x, sigma)
        if denoised is None:
            break
        run.report(step, sigmas, x * (sigma**2 + 1) ** 0.5, denoised)
        history = [*history, (sigma, denoised)][-order:]
    return x / _alpha(levels[-1])


uni_pc_bh2 = partial(uni_pc, variant="bh2")


def _update(
    run: Run,
    x: Tensor,
    history: list[tuple[Tensor, Tensor]],
    sigma: Tensor,
    order: int,
    variant: Variant,
    *,
    last: bool,
) -> tuple[Tensor, Tensor | None]:
    """(x at ``sigma``, what the model sees in the prediction); no look at the last level."""
    sigma_before, denoised_before = history[-1]
    h = _log_snr(sigma) - _log_snr(sigma_before)
    ratios = [(_log_snr(s) - _log_snr(sigma_before)) / h for s, _ in history[-2 : -order - 1 : -1]]
    changes = [
        (denoised - denoised_before) / ratio
        for (_, denoised), ratio in zip(history[-2 : -order - 1 : -1], ratios, strict=True)
    ]
    matrix, right, scale = _system([*ratios, torch.ones(())], -h, variant)
    base = _noise_share(sigma) / _noise_share(sigma_before) * x
    base = base - _alpha(sigma) * (-h).expm1() * denoised_before
    predicted = base
    if changes:
        weights = (
            torch.full((1,), 0.5)
            if order == 2
            else torch.linalg.solve(matrix[:-1, :-1], right[:-1])
        )
        predicted = base - _alpha(sigma) * scale * _weighted(weights, changes)
    if last:
        return predicted, None
    denoised = _denoise(run, predicted, sigma)
    weights = torch.full((1,), 0.5) if order == 1 else torch.linalg.solve(matrix, right)
    correction = _weighted(weights, [*changes, denoised - denoised_before])
    return base - _alpha(sigma) * scale * correction, denoised


def _system(ratios: list[Tensor], hh: Tensor, variant: Variant) -> tuple[Tensor, Tensor, Tensor]:
    """(R, b, B(h)): the weights rho solve R·rho = b."""
    scale = hh if variant == "bh1" else hh.expm1()
    powers = torch.stack(ratios)
    phi, factorial = hh.expm1() / hh - 1, 1
    rows, right = [], []
    for i in range(1, len(ratios) + 1):
        rows.append(powers ** (i - 1))
        right.append(phi * factorial / scale)
        factorial *= i + 1
        phi = phi / hh - 1 / factorial
    return torch.stack(rows), torch.stack(right), scale


def _weighted(weights: Tensor, terms: list[Tensor]) -> Tensor:
    return sum(
        (w * term for w, term in zip(weights, terms, strict=True)), torch.zeros_like(terms[0])
    )


def _denoise(run: Run, x: Tensor, sigma: Tensor) -> Tensor:
    """What the model sees, brought to the data prediction by way of the noise."""
    x_sigma = x * (sigma**2 + 1) ** 0.5
    eps = (x_sigma - run.denoise(x_sigma, sigma)) / sigma
    return (x - _noise_share(sigma) * eps) / _alpha(sigma)


# Alpha and the noise's share go through their logs in float32, as in the authors' code. Near the
# last level that rounds in the fourth digit, and equal seeds are to give equal pictures.


def _log_alpha(sigma: Tensor) -> Tensor:
    return 0.5 * torch.log(1 / (sigma**2 + 1))


def _alpha(sigma: Tensor) -> Tensor:
    return _log_alpha(sigma).exp()


def _noise_share(sigma: Tensor) -> Tensor:
    return (1 - (2 * _log_alpha(sigma)).exp()).sqrt()


def _log_snr(sigma: Tensor) -> Tensor:
    return _log_alpha(sigma) - 0.5 * (1 - (2 * _log_alpha(sigma)).exp()).log()

"""Deterministic samplers that reuse the slopes of earlier steps."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy
from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, slope

# Adams-Bashforth on even steps, newest slope first, for 1 to 4 slopes.
ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def lms(run: Run, x: Tensor, sigmas: Tensor, *, order: int = 4) -> Tensor:
    """Linear multistep with coefficients integrated over the actual levels (k-diffusion, MIT)."""
    times = sigmas.double().numpy()
    slopes: deque[Tensor] = deque(maxlen=order)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        slopes.appendleft(slope(x, sigma, denoised))
        if sigma_next == 0:
            x = denoised
            continue
        known = times[i::-1][: len(slopes)]
        weights = lagrange_integrals(known, times[i], times[i + 1])
        x = x + weighted(weights, slopes)
    return x


def ipndm(run: Run, x: Tensor, sigmas: Tensor, *, max_order: int = 4) -> Tensor:
    """Improved pseudo numerical methods: Zhang & Chen 2022 (arXiv:2204.13902), iPNDM."""
    slopes: deque[Tensor] = deque(maxlen=max_order)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        slopes.appendleft(slope(x, sigma, denoised))
        if sigma_next == 0:
            x = denoised
        else:
            weights = ADAMS_BASHFORTH[len(slopes) - 1]
            x = x + (sigma_next - sigma) * weighted(weights, slopes)
    return x


def ipndm_v(run: Run, x: Tensor, sigmas: Tensor, *, max_order: int = 4) -> Tensor:
    """iPNDM for uneven steps, as in zju-pi's diff-sampler."""
    times = sigmas.double().tolist()
    slopes: deque[Tensor] = deque(maxlen=max_order)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        slopes.appendleft(slope(x, sigma, denoised))
        if sigma_next == 0:
            x = denoised
        else:
            spans = [times[k + 1] - times[k] for k in range(i, i - len(slopes), -1)]
            x = x + (sigma_next - sigma) * weighted(_uneven_adams_bashforth(spans), slopes)
    return x


def _uneven_adams_bashforth(h: list[float]) -> tuple[float, ...]:
    """Weights of the slopes, newest first, for steps ``h``, newest first."""
    if len(h) == 1:
        return (1.0,)
    first, second = (2 + h[0] / h[1]) / 2, -(h[0] / h[1]) / 2
    if len(h) == 2:
        return first, second
    bend = _bend(h)
    first, second, third = first + bend, second - (1 + h[1] / h[2]) * bend, bend * h[1] / h[2]
    if len(h) == 3:
        return first, second, third
    twist = _twist(h)
    ratio, span = h[1] / h[2], h[1] * (h[1] + h[2]) / (h[2] * (h[2] + h[3]))
    return (
        first + twist,
        second - (1 + ratio + span) * twist,
        third + (ratio + span * (1 + h[2] / h[3])) * twist,
        -twist * span * ratio,
    )


def _bend(h: list[float]) -> float:
    """The share of the second divided difference."""
    two = h[0] + h[1]
    return (1 - h[0] / (3 * two) * (h[0] * two) / (h[1] * (h[1] + h[2]))) / 2


def _twist(h: list[float]) -> float:
    """The share of the third divided difference."""
    two, three = h[0] + h[1], h[0] + h[1] + h[2]
    size = (h[0] * two * three) / (h[1] * (h[1] + h[2]) * (h[1] + h[2] + h[3]))
    return ((1 - h[0] / (3 * two)) / 2 + (1 - h[0] / (2 * two)) * h[0] / (6 * three)) * size


def lagrange_integrals(known: numpy.ndarray, start: float, end: float) -> tuple[float, ...]:
    """∫ from ``start`` to ``end`` of each Lagrange polynomial over the points ``known``."""
    return tuple(_lagrange_integral(known, j, start, end) for j in range(len(known)))


def _lagrange_integral(known: numpy.ndarray, j: int, start: float, end: float) -> float:
    # Around the start, in units of the step: the roots may differ by orders of magnitude.
    length = end - start
    points = (known - start) / length
    others = numpy.delete(points, j)
    antiderivative = numpy.poly1d(others, r=True).integ()
    return float(length * (antiderivative(1.0) - antiderivative(0.0)) / (points[j] - others).prod())


def weighted(weights: tuple[float, ...], slopes: deque[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, d in zip(weights[1:], list(slopes)[1:], strict=True):
        total = total + weight * d
    return total

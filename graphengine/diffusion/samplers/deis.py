"""DEIS (Zhang & Chen 2022, arXiv:2204.13902), polynomials in the time of a VP process.

Weights as in zju-pi's diff-sampler, mode "tab".
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import numpy
from torch import Tensor

from graphengine.diffusion.samplers.multistep import weighted
from graphengine.diffusion.samplers.steps import Run, slope

# The VP process whose time the polynomials are in: sigma runs from 0.002 to 80 (Karras et al.
# 2022) while t runs from 0.001 to 1. The number of points is part of the result.
SIGMA_MIN, SIGMA_MAX, FIRST_TIME = 0.002, 80.0, 1e-3
POINTS = 10000

_LOG_MIN, _LOG_MAX = math.log(SIGMA_MIN**2 + 1), math.log(SIGMA_MAX**2 + 1)
_BETA_SLOPE = 2 * (_LOG_MIN / FIRST_TIME - _LOG_MAX) / (FIRST_TIME - 1)
_BETA_START = _LOG_MAX - 0.5 * _BETA_SLOPE


def deis(run: Run, x: Tensor, sigmas: Tensor, *, max_order: int = 3) -> Tensor:
    """Multistep with slopes extrapolated in the time of a VP process: tAB-DEIS."""
    times = _times(sigmas.double().numpy())
    slopes: deque[Tensor] = deque(maxlen=max_order)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = run.denoise(x, sigma)
        run.report(i, sigmas, x, denoised)
        slopes.appendleft(slope(x, sigma, denoised))
        if sigma_next == 0:
            x = denoised
        elif len(slopes) == 1:
            x = x + (sigma_next - sigma) * slopes[0]
        else:
            x = x + weighted(_weights(times[i::-1][: len(slopes)], times[i], times[i + 1]), slopes)
    return x


def _times(sigmas: numpy.ndarray) -> numpy.ndarray:
    root = numpy.sqrt(_BETA_START**2 + 2 * _BETA_SLOPE * numpy.log(sigmas**2 + 1))
    return numpy.asarray((root - _BETA_START) / _BETA_SLOPE)


def _weights(known: numpy.ndarray, start: float, end: float) -> tuple[float, ...]:
    """∫ dsigma/dt · l_j(t) dt over the step for the Lagrange polynomials over ``known`` times."""
    t = numpy.linspace(start, end, POINTS)
    rate = _BETA_START + _BETA_SLOPE * t
    alpha = numpy.exp(-0.5 * _BETA_SLOPE * t**2 - _BETA_START * t)
    growth = 0.5 * rate / numpy.sqrt(alpha * (1 - alpha)) * (end - start) / POINTS
    return tuple(float((growth * _lagrange(known, j, t)).sum()) for j in range(len(known)))


def _lagrange(known: numpy.ndarray, j: int, t: numpy.ndarray) -> numpy.ndarray:
    others = numpy.delete(known, j)
    factors = (t[None] - others[:, None]) / (known[j] - others[:, None])
    return numpy.asarray(factors.prod(axis=0))

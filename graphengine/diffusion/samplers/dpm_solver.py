"""DPM-Solver (Lu et al. 2022, arXiv:2206.00927) in epsilon form, as in k-diffusion (MIT).

Time is t = -log sigma. Both samplers end at the last level above 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from graphengine.diffusion.samplers.steps import Run, Step, ancestral_split, slope
from graphengine.errors import InputError


def dpm_fast(
    run: Run, x: Tensor, sigmas: Tensor, *, eta: float = 0.0, s_noise: float = 1.0
) -> Tensor:
    """DPM-Solver-Fast: as many steps of order 3 as fit into N looks at the model, then lower."""
    if len(sigmas) < 3:
        return _at_once(run, x, sigmas)
    orders = _orders(len(sigmas) - 1)
    start, end = -sigmas[0].log(), -_last_above_zero(sigmas).log()
    times = torch.linspace(float(start), float(end), len(orders) + 1)
    noise = run.noise.independent(x)
    for i, order in enumerate(orders):
        t, t_next = times[i], times[i + 1]
        down, up = t_next, torch.zeros(())
        if eta:
            sigma_down, up = ancestral_split(_sigma(t), _sigma(t_next), eta)
            down = torch.minimum(times[-1], -sigma_down.log())
            up = (_sigma(t_next) ** 2 - _sigma(down) ** 2) ** 0.5
        stages = _Stages(run, x, t, down)
        _report(run, i, len(orders), x, t, stages.denoised)
        x = stages.of_order(order)
        if eta:
            x = x + up * s_noise * noise(_sigma(t), _sigma(t_next))
    return x


def dpm_adaptive(
    run: Run,
    x: Tensor,
    sigmas: Tensor,
    *,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM-Solver-12 or -23 with steps sized by the difference of both orders.

    Only the ends of ``sigmas`` count. Each record's number of steps is 1 more than its index.
    """
    if len(sigmas) < 3:
        return _at_once(run, x, sigmas)
    t, end = -sigmas[0].log(), -_last_above_zero(sigmas).log()
    control = _StepSize(
        h_init, (pcoeff, icoeff, dcoeff), 1.5 if eta else float(order), accept_safety
    )
    noise = run.noise.independent(x)
    x_before, accepted = x, 0
    while float(t) < float(end) - 1e-5:
        t_next = torch.minimum(end, t + control.h)
        if not t_next > t:  # NaN is not above it either
            raise InputError("sampler_stands_still", sigma=float(_sigma(t)))
        down = t_next
        if eta:
            sigma_down, _ = ancestral_split(_sigma(t), _sigma(t_next), eta)
            down = torch.minimum(end, -sigma_down.log())
        stages = _Stages(run, x, t, down)
        low, high = stages.pair(order)
        scale = torch.clamp(rtol * torch.maximum(low.abs(), x_before.abs()), min=atol)
        error = float(torch.linalg.norm((low - high) / scale)) / x.numel() ** 0.5
        if control.accepts(error):
            _report(run, accepted, accepted + 1, x, t, stages.denoised)
            x_before, x, accepted = low, high, accepted + 1
            if eta:
                up = (_sigma(t_next) ** 2 - _sigma(down) ** 2) ** 0.5
                x = x + up * s_noise * noise(_sigma(t), _sigma(t_next))
            t = t_next
    return x


def _at_once(run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
    """The only step there is, by Euler: no time passes between its start and its last level."""
    for sigma, sigma_next in pairwise(sigmas):
        denoised = run.denoise(x, sigma)
        run.report(0, sigmas, x, denoised)
        x = x + slope(x, sigma, denoised) * (sigma_next - sigma)
    return x


def _orders(looks: int) -> list[int]:
    """Orders that add up to ``looks``"""
    if looks % 3 == 0:
        return [3] * (looks // 3 - 1) + [2, 1]
    return [3] * (looks // 3) + [looks % 3]


def _sigma(t: Tensor) -> Tensor:
    return t.neg().exp()


def _last_above_zero(sigmas: Tensor) -> Tensor:
    return sigmas[sigmas > 0][-1]


def _report(run: Run, index: int, steps: int, x: Tensor, t: Tensor, denoised: Tensor) -> None:
    if run.callback is not None:
        run.callback(Step(index, steps, float(_sigma(t)), x, denoised))


class _Stages:
    """The looks at the model inside one step from ``t`` to ``t_next``, each taken once."""

    def __init__(self, run: Run, x: Tensor, t: Tensor, t_next: Tensor) -> None:
        self._run, self._x, self._t, self._h = run, x, t, t_next - t
        self._sigma_next = _sigma(t_next)
        self.denoised = run.denoise(x, _sigma(t))
        self._eps = (x - self.denoised) / _sigma(t)
        self._eps_at: dict[float, Tensor] = {}

    def of_order(self, order: int) -> Tensor:
        """x after the step: DPM-Solver-1, -2 or -3."""
        return (self._first, self._second, self._third)[order - 1]()

    def pair(self, order: int) -> tuple[Tensor, Tensor]:
        """x by the lower and by the higher order."""
        if order == 2:
            return self._first(), self._second()
        return self._second(1 / 3), self._third()

    def _first(self) -> Tensor:
        return self._x - self._sigma_next * self._h.expm1() * self._eps

    def _second(self, r: float = 1 / 2) -> Tensor:
        change = self._inner(r) - self._eps
        return self._first() - self._sigma_next / (2 * r) * self._h.expm1() * change

    def _third(self, r_1: float = 1 / 3, r_2: float = 2 / 3) -> Tensor:
        t_2, h_2 = self._t + r_2 * self._h, r_2 * self._h
        u = self._x - _sigma(t_2) * h_2.expm1() * self._eps
        u = u - _sigma(t_2) * (r_2 / r_1) * (h_2.expm1() / h_2 - 1) * (self._inner(r_1) - self._eps)
        change = self._eps_of(u, t_2) - self._eps
        return self._first() - self._sigma_next / r_2 * (self._h.expm1() / self._h - 1) * change

    def _inner(self, r: float) -> Tensor:
        if r not in self._eps_at:
            t = self._t + r * self._h
            u = self._x - _sigma(t) * (r * self._h).expm1() * self._eps
            self._eps_at[r] = self._eps_of(u, t)
        return self._eps_at[r]

    def _eps_of(self, x: Tensor, t: Tensor) -> Tensor:
        return (x - self._run.denoise(x, _sigma(t))) / _sigma(t)


@dataclass
class _StepSize:
    """A PID controller of the step size: Söderlind 2003, as in k-diffusion."""

    h: float
    gains: tuple[float, float, float]
    order: float
    accept_safety: float
    _earlier: tuple[float, float] | None = None

    def accepts(self, error: float) -> bool:
        """Whether a step of this error stands; sets the next step's size either way."""
        p, i, d = self.gains
        inverse = 1 / (error + 1e-8)
        before, before_that = self._earlier or (inverse, inverse)
        factor = inverse ** ((p + i + d) / self.order)
        factor *= before ** (-(p + 2 * d) / self.order) * before_that ** (d / self.order)
        factor = 1 + math.atan(factor - 1)
        accepted = factor >= self.accept_safety
        self._earlier = (inverse, before) if accepted else (before, before_that)
        self.h *= factor
        return accepted

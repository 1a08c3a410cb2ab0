"""Sequences of noise levels: which sigmas a sampling visits.

A schedule is a pure function ``(levels, steps) → sigmas``: [steps + 1] float32 on the CPU,
descending, ending in 0 (``ddim_uniform`` and ``beta`` may differ by some steps).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.model_sampling import LCM_LEVELS, TRAINING_STEPS, ModelSampling
from graphengine.errors import InputError

Schedule = Callable[[ModelSampling, int], Tensor]
Spacing = Literal["linear", "cosine", "sine"]

# Sabour et al. 2024, "Align Your Steps", the published 10-step tables.
ALIGN_YOUR_STEPS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "SD1": (
            *(14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177),
            *(1.3943805092, 0.9642583904, 0.6523686016, 0.3977456272, 0.1515232662),
            0.0291671582,
        ),
        "SDXL": (
            *(14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945),
            *(0.8620721141, 0.5550693289, 0.3798540708, 0.2332364134, 0.1114188177),
            0.0291671582,
        ),
        "SVD": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
    }
)


def schedule_sigmas(name: str, levels: ModelSampling, steps: int) -> Tensor:
    """The sigmas of schedule ``name``: float32, descending, ending in 0. Raises InputError."""
    if steps < 1:
        raise InputError("steps_too_few", steps=steps)
    if name not in SCHEDULES:
        raise InputError("unknown_scheduler", name=name, known=", ".join(SCHEDULES))
    return SCHEDULES[name](levels, steps)


def denoise_sigmas(schedule: Callable[[int], Tensor], steps: int, denoise: float) -> Tensor:
    """The last ``steps`` steps of a schedule that is 1/``denoise`` times as long; empty at 0."""
    if denoise <= 0.0:
        return torch.zeros(0)
    if denoise > 0.9999:
        return schedule(steps)
    return schedule(int(steps / denoise))[-(steps + 1) :]


# --- schedules over a model's levels ---


def simple(levels: ModelSampling, steps: int) -> Tensor:
    """Every (N / steps)-th table entry from the top."""
    stride = len(levels.table) / steps
    return torch.tensor([float(levels.table[-(1 + int(i * stride))]) for i in range(steps)] + [0.0])


def normal(levels: ModelSampling, steps: int) -> Tensor:
    """Timesteps evenly spaced from the highest to the lowest level."""
    start, end = _timestep_range(levels)
    if math.isclose(float(levels.sigma(end)), 0.0, abs_tol=1e-5):
        return levels.sigma(torch.linspace(float(start), float(end), steps + 1))
    return _with_zero(levels.sigma(torch.linspace(float(start), float(end), steps)))


def sgm_uniform(levels: ModelSampling, steps: int) -> Tensor:
    """Timesteps evenly spaced, the lowest left out (Stability AI's generative-models)."""
    start, end = _timestep_range(levels)
    timesteps = torch.linspace(float(start), float(end), steps + 1)[:-1]
    return _with_zero(levels.sigma(timesteps))


def ddim_uniform(levels: ModelSampling, steps: int) -> Tensor:
    """Every (N // steps)-th level from the second on: Song et al. 2020 (arXiv:2010.02502)."""
    stride = max(len(levels.table) // steps, 1)
    return _with_zero(levels.table[1::stride].flip(0))


def karras(levels: ModelSampling, steps: int) -> Tensor:
    """Karras et al. 2022, eq. 5, over the model's range."""
    return karras_sigmas(steps, levels.sigma_min, levels.sigma_max)


def exponential(levels: ModelSampling, steps: int) -> Tensor:
    """Evenly spaced in log sigma over the model's range."""
    return exponential_sigmas(steps, levels.sigma_min, levels.sigma_max)


def beta(levels: ModelSampling, steps: int) -> Tensor:
    """Timesteps at the quantiles of Beta(0.6, 0.6): Lee et al. 2024 (arXiv:2407.12173)."""
    return beta_sigmas(levels, steps, alpha=0.6, beta=0.6)


def linear_quadratic(levels: ModelSampling, steps: int) -> Tensor:
    """Half linear down to 97.5 % of the noise, half quadratic (Genmo's Mochi, Apache-2.0)."""
    return torch.tensor(_linear_quadratic_noise(steps)) * levels.sigma_max


def kl_optimal(levels: ModelSampling, steps: int) -> Tensor:
    """Evenly spaced in arctan sigma: Sabour et al. 2024 (arXiv:2404.14507).

    The formula divides by steps - 1; a single step starts at the top.
    """
    ramp = torch.arange(steps, dtype=torch.float32) / max(steps - 1, 1)
    low, high = math.atan(levels.sigma_min), math.atan(levels.sigma_max)
    return _with_zero(torch.tan(ramp * low + (1 - ramp) * high))


def beta_sigmas(levels: ModelSampling, steps: int, *, alpha: float, beta: float) -> Tensor:
    """Levels at the quantiles of Beta(alpha, beta), repeated ones dropped."""
    import numpy
    from scipy.stats import beta as distribution

    _require(min(alpha, beta) > 0, "alpha > 0, beta > 0", min(alpha, beta))
    quantiles = distribution.ppf(1 - numpy.linspace(0, 1, steps, endpoint=False), alpha, beta)
    indices = numpy.rint(quantiles * (len(levels.table) - 1)).astype(int).tolist()
    kept = [
        index for index, before in zip(indices, [-1, *indices], strict=False) if index != before
    ]
    return _with_zero(levels.table[kept])


def turbo_sigmas(levels: ModelSampling, steps: int, denoise: float) -> Tensor:
    """``steps`` of the ten levels that SD-Turbo was distilled at (timesteps 999, 899, …, 99)."""
    skipped = 10 - int(10 * denoise)
    timesteps = torch.arange(10, 0, -1)[skipped : skipped + steps] * 100 - 1
    return _with_zero(levels.sigma(timesteps))


def lcm_sigmas(levels: ModelSampling, steps: int, denoise: float) -> Tensor:
    """``steps`` of the 50 levels that LCM was distilled at: Luo et al. 2023 (arXiv:2310.04378).

    Timesteps 19, 39, … 999, spaced as the authors' scheduler does it. ``denoise`` below 1 leaves
    the highest ones out.
    """
    if denoise <= 0.0:
        return torch.zeros(0)
    stride = TRAINING_STEPS // LCM_LEVELS
    known = torch.arange(1, int(LCM_LEVELS * denoise) + 1).flip(0) * stride - 1
    if not 1 <= steps <= len(known):
        raise InputError("lcm_steps", steps=steps, most=len(known))
    picked = torch.linspace(0, len(known), steps + 1)[:-1].floor().long()
    return _with_zero(levels.sigma(known[picked]))


# --- schedules over a range ---


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, *, rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, eq. 5: evenly spaced in sigma^(1/rho)."""
    _require(rho > 0, "rho > 0", rho)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)


def exponential_sigmas(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Evenly spaced in log sigma."""
    _require(min(sigma_min, sigma_max) > 0, "sigma_min > 0, sigma_max > 0", sigma_min)
    return _with_zero(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps).exp())


def polyexponential_sigmas(
    steps: int, sigma_min: float, sigma_max: float, *, rho: float = 1.0
) -> Tensor:
    """A power of the ramp in log sigma (k-diffusion, MIT); rho 1 is exponential."""
    _require(min(sigma_min, sigma_max) > 0, "sigma_min > 0, sigma_max > 0", sigma_min)
    ramp = torch.linspace(1, 0, steps) ** rho
    low, high = math.log(sigma_min), math.log(sigma_max)
    return _with_zero(torch.exp(ramp * (high - low) + low))


def laplace_sigmas(
    steps: int, sigma_min: float, sigma_max: float, *, mu: float = 0.0, beta: float = 0.5
) -> Tensor:
    """Laplace-distributed log SNR: Hang et al. 2024 (arXiv:2407.03297). Ends at sigma_min."""
    ramp = torch.linspace(0, 1, steps)
    tail = torch.log(1 - 2 * torch.abs(0.5 - ramp) + 1e-5)
    return torch.exp(mu - beta * torch.sign(0.5 - ramp) * tail).clamp(sigma_min, sigma_max)


def vp_sigmas(
    steps: int, *, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3
) -> Tensor:
    """The variance-preserving process of Song et al. 2021 in sigma: Karras et al. 2022, Table 1."""
    t = torch.linspace(1, eps_s, steps)
    return _with_zero(torch.sqrt(torch.exp(beta_d * t**2 / 2 + beta_min * t) - 1))


def align_your_steps_sigmas(model_type: str, steps: int, denoise: float) -> Tensor:
    """The published optimised levels, interpolated in log sigma: Sabour et al. 2024."""
    if denoise <= 0.0:
        return torch.zeros(0)
    total = steps if denoise >= 1.0 else round(steps * denoise)
    values = list(ALIGN_YOUR_STEPS[model_type])
    if steps + 1 != len(values):
        values = _log_interpolated(values, steps + 1)
    return torch.tensor([*values[-(total + 1) : -1], 0.0])


# --- changes of a schedule ---


def split(sigmas: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """The levels up to ``step`` and those from it on; both hold the level between."""
    return sigmas[: step + 1], sigmas[step:]


def split_denoise(sigmas: Tensor, denoise: float) -> tuple[Tensor, Tensor]:
    """Split so that the second part has the last ``denoise`` (0..1) of the steps."""
    total = round(max(len(sigmas) - 1, 0) * denoise)
    return sigmas[:-total] if total else sigmas, sigmas[-(total + 1) :]


def flip(sigmas: Tensor) -> Tensor:
    """Low to high, for adding noise along the path; a first 0 becomes 0.0001."""
    flipped = sigmas.flip(0)
    if len(flipped) and float(flipped[0]) == 0.0:
        flipped[0] = 0.0001
    return flipped


def set_first(sigmas: Tensor, sigma: float) -> Tensor:
    """The same levels with another first one."""
    changed = sigmas.clone()
    changed[:1] = sigma
    return changed


def extend(sigmas: Tensor, steps: int, start: float, end: float, *, spacing: Spacing) -> Tensor:
    """``steps`` - 1 further levels between each two whose upper one is in [end, start].

    ``start`` below 0 means no limit. ``spacing``: linear, cosine (denser at the end of an
    interval), sine (denser at its beginning).
    """
    shares = torch.linspace(0, 1, steps + 1)[1:-1]
    if spacing == "cosine":
        shares = torch.sin(shares * math.pi / 2)
    elif spacing == "sine":
        shares = 1 - torch.cos(shares * math.pi / 2)
    limit = math.inf if start < 0 else start
    out: list[Tensor] = []
    for here, after in pairwise(sigmas):
        out.append(here.reshape(1))
        if end <= float(here) <= limit:
            out.append(shares * (after - here) + here)
    return torch.cat([*out, sigmas[-1:]])


def _require(fits: bool, expected: str, got: float) -> None:
    if not fits:
        raise InputError("schedule_value", expected=expected, got=got)


def _with_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.float(), torch.zeros(1)])


def _timestep_range(levels: ModelSampling) -> tuple[Tensor, Tensor]:
    ends = torch.tensor([levels.sigma_max, levels.sigma_min])
    first, last = levels.timestep(ends)
    return first, last


def _linear_quadratic_noise(steps: int, threshold: float = 0.025) -> list[float]:
    """The share of noise left at each level, from 1 to 0."""
    if steps == 1:
        return [1.0, 0.0]
    linear = steps // 2
    quadratic = steps - linear
    gap = linear - threshold * steps
    square = gap / (linear * quadratic**2)
    slope = threshold / linear - 2 * gap / quadratic**2
    removed = [i * threshold / linear for i in range(linear)]
    removed += [square * i**2 + slope * i + square * linear**2 for i in range(linear, steps)]
    return [1.0 - value for value in removed] + [0.0]


def _log_interpolated(values: list[float], count: int) -> list[float]:
    import numpy

    positions = numpy.linspace(0, 1, len(values))
    logs = numpy.interp(numpy.linspace(0, 1, count), positions, numpy.log(values[::-1]))
    return [float(value) for value in numpy.exp(logs)[::-1]]


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "simple": simple,
        "sgm_uniform": sgm_uniform,
        "karras": karras,
        "exponential": exponential,
        "ddim_uniform": ddim_uniform,
        "beta": beta,
        "normal": normal,
        "linear_quadratic": linear_quadratic,
        "kl_optimal": kl_optimal,
    }
)

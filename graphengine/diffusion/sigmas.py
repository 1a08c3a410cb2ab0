"""SIGMAS values: schedules over a model, and questions about its levels."""

from __future__ import annotations

from functools import partial

from graphengine.diffusion import schedules
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.sockets import Model, Sigmas


def named_schedule(model: Model, scheduler: str, steps: int, denoise: float) -> Sigmas:
    """The levels of a named schedule; empty at denoise 0. Raises InputError."""
    schedule = partial(schedules.schedule_sigmas, scheduler, model_sampling(model.sampling))
    return Sigmas(schedules.denoise_sigmas(schedule, steps, denoise))


def turbo_schedule(model: Model, steps: int, denoise: float) -> Sigmas:
    """SD-Turbo's levels: `schedules.turbo_sigmas`."""
    return Sigmas(schedules.turbo_sigmas(model_sampling(model.sampling), steps, denoise))


def beta_schedule(model: Model, steps: int, *, alpha: float, beta: float) -> Sigmas:
    """Levels at the quantiles of a beta distribution: `schedules.beta_sigmas`."""
    levels = model_sampling(model.sampling)
    return Sigmas(schedules.beta_sigmas(levels, steps, alpha=alpha, beta=beta))


def lcm_schedule(model: Model, steps: int, denoise: float) -> Sigmas:
    """LCM's levels: `schedules.lcm_sigmas`."""
    return Sigmas(schedules.lcm_sigmas(model_sampling(model.sampling), steps, denoise))


def sigma_at(model: Model, percent: float, *, actual: bool) -> float:
    """The level at which a part (0..1) of the denoising is done.

    At 0 and 1 these are limits beyond every level; ``actual`` gives the model's own ends instead.
    """
    levels = model_sampling(model.sampling)
    if actual and percent in (0.0, 1.0):
        return levels.sigma_max if percent == 0.0 else levels.sigma_min
    return levels.percent_to_sigma(percent)

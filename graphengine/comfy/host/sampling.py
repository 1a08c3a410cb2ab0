"""Sampling for plugins that call it themselves, on tensors as they know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from graphengine import sockets
from graphengine.comfy.host.crossing import to_ours
from graphengine.comfy.host.networks import store
from graphengine.comfy.host.noise_levels import levels_of
from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.sampler_methods import named_sampler
from graphengine.diffusion import sampling
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import initial_noise
from graphengine.diffusion.previews import preview_to
from graphengine.diffusion.samplers.steps import Callback, Step
from graphengine.diffusion.schedules import denoise_sigmas

HostedCallback = Callable[[int, Tensor, Tensor, int], Any]
"""(step, denoised, x, steps), as ComfyUI's samplers call it."""


def prepare_noise(latent: Tensor, seed: int, noise_inds: Any = None) -> Tensor:
    """Unit normal noise like ``latent``, the same on every device."""
    index = None if noise_inds is None else [int(each) for each in noise_inds]
    return initial_noise(latent, seed, index)


def sample(
    model: Any,
    noise: Tensor | None,
    *,
    steps: int,
    cfg: float,
    sampler: Any,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    denoise: float | None = 1.0,
    disable_noise: bool = False,
    start: int | None = None,
    end: int | None = None,
    full_denoise: bool = False,
    sigmas: Tensor | None = None,
    callback: HostedCallback | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The latent, sampled. ``noise``: None draws it from the seed."""
    described = to_ours("MODEL", model)
    start_latent = to_ours("LATENT", latent)
    if sigmas is None:
        whole = 1.0 if denoise is None else denoise
        sigmas = sigmas_for(model, sampler, scheduler, steps, whole)
    last = len(sigmas) - 1 if end is None else end
    sigmas = sampling.part_of(sigmas, start or 0, last, leftover_noise=not full_denoise)
    latent_of_model = sampling.checked_latent(start_latent, described)
    drawn = _noise(latent_of_model, noise, seed, none=disable_noise)
    conditions = (to_ours("CONDITIONING", positive), to_ours("CONDITIONING", negative))
    result = sampling.sample_custom(
        store(),
        sockets.Guider("cfg", described, conditions, (cfg,)),
        drawn,
        _method(sampler),
        sockets.Sigmas(sigmas),
        latent_of_model,
        sampler_seed=seed,
        watch=_watch(described, callback),
    )
    return {**latent, "samples": result.output.samples}


def sigmas_for(model: Any, sampler: str, scheduler: str, steps: int, denoise: float) -> Tensor:
    """The levels that KSampler visits, also by a plugin's schedule: [steps + 1] or empty."""
    from graphengine.comfy.modules.comfy import samplers

    levels = model_sampling(to_ours("MODEL", model).sampling)
    if scheduler not in samplers.SCHEDULER_HANDLERS:
        return sampling.ksampler_sigmas(levels, sampler, scheduler, steps=steps, denoise=denoise)

    def schedule(count: int) -> Tensor:
        found: Tensor = samplers.calculate_sigmas(levels_of(levels.sampling), scheduler, count)
        return found

    return denoise_sigmas(schedule, steps, denoise)


def sample_guided(
    guider: sockets.Guider,
    noise: Tensor,
    sampler: Any,
    sigmas: Tensor,
    latent: dict[str, Any],
    *,
    callback: HostedCallback | None = None,
    seed: int | None = None,
) -> Tensor:
    """The latent, sampled with a guider: [B, C, h, w]."""
    start = sampling.checked_latent(to_ours("LATENT", latent), guider.model)
    result = sampling.sample_custom(
        store(),
        guider,
        _noise(start, noise, seed or 0, none=False),
        _method(sampler),
        sockets.Sigmas(sigmas),
        start,
        sampler_seed=seed or 0,
        watch=_watch(guider.model, callback),
    )
    return result.output.samples


def _method(sampler: Any) -> sockets.Sampler:
    """A sampling method from its name or from a plugin's object."""
    if isinstance(sampler, str):
        return named_sampler(sampler)
    method: sockets.Sampler = to_ours("SAMPLER", sampler)
    return method


def _noise(latent: sockets.Latent, noise: Tensor | None, seed: int, *, none: bool) -> sockets.Noise:
    """The noise that a plugin gives, or the usual one from the seed."""
    if none:
        return sockets.Noise(None)
    if noise is None:
        return sockets.Noise(seed)
    usual = initial_noise(latent.samples, seed, latent.batch_index)
    if noise.shape == usual.shape and torch.equal(noise.cpu().float(), usual):
        return sockets.Noise(seed)
    return sockets.Noise(seed, lambda _: noise)


def _watch(model: sockets.Model, callback: HostedCallback | None) -> sampling.Watch:
    context = running_context()
    if context is None:
        return sampling.NOBODY
    shown: Callback = preview_to(model, context)
    if callback is None:
        return sampling.report_to(context.progress, context.check_cancelled, shown)

    def told(step: Step) -> None:
        callback(step.index, step.denoised, step.x, step.steps)

    return sampling.Watch(told, context.check_cancelled)

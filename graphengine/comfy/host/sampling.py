"""Sampling for plugins that call it themselves, on tensors as they know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from graphengine import sockets
from graphengine.comfy.host.crossing import to_ours
from graphengine.comfy.host.networks import store
from graphengine.comfy.host.running import running_context
from graphengine.diffusion import sampling
from graphengine.diffusion.latent_space import into_model, out_of_model
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import initial_noise
from graphengine.diffusion.previews import preview_to
from graphengine.diffusion.samplers.steps import Callback, Step

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
    sampler: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    denoise: float = 1.0,
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
    levels = model_sampling(described.sampling)
    if sigmas is None:
        sigmas = sampling.ksampler_sigmas(
            levels, sampler, scheduler, steps=steps, denoise=denoise or 1.0
        )
        last = len(sigmas) - 1 if end is None else end
        sigmas = sampling.part_of(sigmas, start or 0, last, leftover_noise=not full_denoise)
    own, drawn = _noise(described, start_latent, sigmas, noise, seed, none=disable_noise)
    conditions = (to_ours("CONDITIONING", positive), to_ours("CONDITIONING", negative))
    result = sampling.sample_custom(
        store(),
        sockets.Guider("cfg", described, conditions, (cfg,)),
        drawn,
        sockets.Sampler(sampler),
        sockets.Sigmas(sigmas),
        own,
        sampler_seed=seed,
        watch=_watch(described, callback),
    )
    return {**latent, "samples": result.output.samples}


def _noise(
    model: sockets.Model,
    latent: sockets.Latent,
    sigmas: Tensor,
    noise: Tensor | None,
    seed: int,
    *,
    none: bool,
) -> tuple[sockets.Latent, sockets.Noise]:
    """Where to start, and from which seed; noise of a plugin's own is added beforehand."""
    latent = sampling.checked_latent(latent, model)
    if none or (noise is not None and not noise.count_nonzero()):
        return latent, sockets.Noise(None)
    usual = initial_noise(latent.samples, seed, latent.batch_index)
    if noise is None or (noise.shape == usual.shape and torch.equal(noise.cpu().float(), usual)):
        return latent, sockets.Noise(seed)
    levels, family = model_sampling(model.sampling), model.family
    top = levels.is_max(float(sigmas[0]))
    noisy = levels.add_noise(
        into_model(latent.samples, family), noise.to(latent.samples), sigmas[0], from_the_top=top
    )
    start = sockets.Latent(out_of_model(noisy, family), latent.noise_mask, latent.batch_index)
    return start, sockets.Noise(None)


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

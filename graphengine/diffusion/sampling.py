"""Sampling a latent: the loop behind KSampler and the custom samplers, with ComfyUI's rules.

Steps that callbacks see hold latents in the model's scale (``Family.latent_scale`` times the
VAE's), on the device; what is returned has the VAE's scale and lies on the CPU.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from graphengine.diffusion.conditions import Place, prepare, resize_mask
from graphengine.diffusion.control import control_opener
from graphengine.diffusion.denoiser import Guided, Network, to_batch
from graphengine.diffusion.grounding import open_grounding
from graphengine.diffusion.guidance import Options, rule_of
from graphengine.diffusion.inpaint import Inpainting, further_channels
from graphengine.diffusion.latent_space import into_model, out_of_model
from graphengine.diffusion.model_sampling import ModelSampling, model_sampling
from graphengine.diffusion.networks import twin
from graphengine.diffusion.noise import SamplerNoise, initial_noise, noise_for
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.samplers import ALL_SAMPLERS
from graphengine.diffusion.samplers.steps import Callback, Denoise, Run, Step
from graphengine.diffusion.schedules import denoise_sigmas, schedule_sigmas
from graphengine.errors import InputError
from graphengine.sockets import (
    Conditioning,
    Guider,
    Latent,
    Model,
    Noise,
    Sampler,
    Sigmas,
)

# These look at the model at two levels a step and overshoot at the end: the schedule gets one
# step more and loses its last level but one.
DISCARD_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
# These get fresh noise outside an inpaint mask, from the seed after theirs.
FRESH_INPAINT_NOISE = frozenset({"ddim"})


@dataclass(frozen=True, eq=False)
class Sampled:
    """The end of a sampling: ``output`` may still hold noise, ``denoised`` is the last guess."""

    output: Latent
    denoised: Latent


@dataclass(frozen=True)
class Watch:
    """Who looks on: ``callback`` gets every step, ``check_cancelled`` may raise `Cancelled`."""

    callback: Callback | None = None
    check_cancelled: Callable[[], None] = lambda: None


NOBODY = Watch()


def report_to(
    progress: Callable[[float, float], None],
    check_cancelled: Callable[[], None],
    *callbacks: Callback,
) -> Watch:
    """A watch that tells ``progress`` (steps done, steps) and looks out for cancelling.

    ``callbacks`` get every step too, before ``progress`` does.
    """

    def report(step: Step) -> None:
        for callback in callbacks:
            callback(step)
        progress(step.index + 1, step.steps)

    return Watch(report, check_cancelled)


def sample(
    store: ModelStore,
    model: Model,
    latent: Latent,
    positive: Conditioning,
    negative: Conditioning,
    *,
    seed: int,
    steps: int,
    cfg: float,
    sampler: str,
    scheduler: str,
    denoise: float = 1.0,
    start: int = 0,
    end: int = 10000,
    add_noise: bool = True,
    leftover_noise: bool = False,
    watch: Watch = NOBODY,
) -> Latent:
    """``latent`` sampled by a named method and schedule, as KSampler and KSamplerAdvanced do.

    ``denoise`` below 1 starts lower with the same number of steps; 0 returns the latent as it is.
    ``start``, ``end``: only these steps of the schedule; ``leftover_noise`` keeps the noise that
    is left at ``end``. Raises InputError, Cancelled, OutOfMemory.
    """
    sigmas = ksampler_sigmas(
        model_sampling(model.sampling), sampler, scheduler, steps=steps, denoise=denoise
    )
    sigmas = part_of(sigmas, start, end, leftover_noise=leftover_noise)
    guider = Guider("cfg", model, (positive, negative), (cfg,))
    noise = Noise(seed if add_noise else None)
    result = sample_custom(
        store,
        guider,
        noise,
        Sampler(sampler),
        Sigmas(sigmas),
        latent,
        sampler_seed=seed,
        watch=watch,
    )
    return result.output


def ksampler_sigmas(
    levels: ModelSampling, sampler: str, scheduler: str, *, steps: int, denoise: float
) -> Tensor:
    """The sigmas that KSampler visits: [steps + 1] float32, or empty where denoise is 0."""

    def schedule(count: int) -> Tensor:
        if sampler not in DISCARD_PENULTIMATE:
            return schedule_sigmas(scheduler, levels, count)
        longer = schedule_sigmas(scheduler, levels, count + 1)
        return torch.cat([longer[:-2], longer[-1:]])

    if steps < 1:
        raise InputError("steps_too_few", steps=steps)
    return denoise_sigmas(schedule, steps, denoise)


def part_of(sigmas: Tensor, start: int, end: int, *, leftover_noise: bool) -> Tensor:
    """The steps from ``start`` to ``end``; empty if there are none.

    Without ``leftover_noise`` the last step goes to 0, wherever the part ends.
    """
    if end < len(sigmas) - 1:
        sigmas = sigmas[: end + 1].clone()
        if not leftover_noise:
            sigmas[-1] = 0
    return sigmas[start:] if start < len(sigmas) - 1 else sigmas[:0]


def sample_custom(
    store: ModelStore,
    guider: Guider,
    noise: Noise,
    sampler: Sampler,
    sigmas: Sigmas,
    latent: Latent,
    *,
    sampler_seed: int | None = None,
    watch: Watch = NOBODY,
) -> Sampled:
    """``latent`` sampled over ``sigmas``, and the last denoised guess.

    ``sampler_seed``: of the noise between steps, the initial noise's unless given. No sigmas
    means no sampling: both results are the latent. Raises InputError, Cancelled, OutOfMemory.
    """
    latent = checked_latent(latent, guider.model)
    values = sigmas.values.float().cpu()
    if len(values) < 2:
        return Sampled(latent, latent)
    seed = sampler_seed if sampler_seed is not None else noise.seed or 0
    start = noise_for(latent, noise)
    session = _Session(store, guider, sampler, values, latent, start, seed, watch)
    return store.with_memory(session.run)


def checked_latent(latent: Latent, model: Model) -> Latent:
    """The latent as the model can take it: an empty one gets the right number of channels.

    Raises InputError if a painted one has another number, or holds NaN.
    """
    samples, wanted = latent.samples.float(), model.family.latent_channels
    if not torch.isfinite(samples).all():
        raise InputError("latent_not_finite")
    if samples.shape[1] == wanted:
        return replace(latent, samples=samples)
    if samples.count_nonzero():
        raise InputError("latent_of_other_model", got=samples.shape[1], expected=wanted)
    shape = (samples.shape[0], wanted, *samples.shape[2:])
    return replace(latent, samples=samples.new_zeros(shape))


def add_noise(model: Model, noise: Noise, sigmas: Sigmas, latent: Latent) -> Latent:
    """``latent`` under noise: of the first level, or of what lies between first and last."""
    latent, values = checked_latent(latent, model), sigmas.values.float().cpu()
    if len(values) == 0 or (noise.seed is None and noise.own is None):
        return latent
    levels, family = model_sampling(model.sampling), model.family
    level = (values[0] - values[-1]).abs() if len(values) > 1 else values[0]
    drawn = noise_for(latent, noise)
    noisy = levels.add_noise(into_model(latent.samples, family), drawn, level)
    return replace(latent, samples=out_of_model(noisy, family))


@dataclass(frozen=True, eq=False)
class _Session:
    """One sampling with everything decided; `run` may be repeated after memory was freed."""

    store: ModelStore
    guider: Guider
    sampler: Sampler
    sigmas: Tensor
    latent: Latent
    noise: Tensor
    seed: int
    watch: Watch

    @torch.no_grad()
    def run(self) -> Sampled:
        model, device = self.guider.model, self.store.device
        levels, family = model_sampling(model.sampling), model.family
        # Options are only promised to be hashable by the sockets, which know nothing of tensors.
        options = cast("Options", model.options)
        latent = into_model(self.latent.samples, family).to(device)
        noise = self.noise.to(device)
        mask = self._mask(latent)
        last: list[Step] = []
        with ExitStack() as stack:
            guided = self._guided(levels, options, latent, mask, stack)
            denoise = self._masked(guided, mask, latent, noise)
            run = Run(denoise, levels, SamplerNoise(self.seed), partial(self._report, last))
            sigma = self.sigmas[0]
            x = levels.add_noise(latent, noise, sigma, from_the_top=levels.is_max(float(sigma)))
            x = self._stepped(run, x)
        x = levels.remove_scale(x, self.sigmas[-1])
        denoised = last[0].denoised if last else x
        output, guess = (out_of_model(found, family) for found in (x, denoised))
        return Sampled(self._finished(output), self._finished(guess))

    def _guided(
        self,
        levels: ModelSampling,
        options: Options,
        latent: Tensor,
        mask: Tensor | None,
        stack: ExitStack,
    ) -> Guided:
        model, guider = self.guider.model, self.guider
        rule = rule_of(guider)
        unet = self.store.unet(model)
        grounding = open_grounding(self.store, model, unet, guider.conditionings)
        if options or grounding.network is not None:
            # Another sampling may be using the network at this moment, without these changes.
            unet = twin(unet)
            grounding = replace(grounding, unet=unet)
        place = Place(
            model=model,
            levels=levels,
            shape=tuple(latent.shape),
            device=latent.device,
            dtype=next(unet.parameters()).dtype,
            # diffusers keeps its configuration untyped.
            vector_width=cast("Any", unet.config).projection_class_embeddings_input_dim or 0,
            context_width=cast("Any", unet.config).cross_attention_dim,
            concat_of=lambda condition: further_channels(model, condition, latent, mask),
            open_control=control_opener(self.store, model, unet, tuple(latent.shape)),
            seed=self.seed,
            objects_of=grounding.objects_of,
        )
        groups = prepare(guider.conditionings, place)
        for option in options:
            stack.enter_context(option.attach(unet, levels, place.shape))
        # Last, so that options find the network's own layers only.
        stack.enter_context(grounding.attached())
        check = self.watch.check_cancelled
        network = Network(unet, levels, place.dtype, self.sigmas, check, options)
        return Guided(network, groups, rule, guider.scales, options, guider.own, model)

    def _mask(self, latent: Tensor) -> Tensor | None:
        if self.latent.noise_mask is None:
            return None
        mask = resize_mask(self.latent.noise_mask, *latent.shape[-2:])
        return to_batch(mask, len(latent)).to(latent.device)

    def _masked(
        self, guided: Guided, mask: Tensor | None, latent: Tensor, noise: Tensor
    ) -> Denoise:
        if mask is None:
            return guided
        if self.sampler.name in FRESH_INPAINT_NOISE:
            noise = initial_noise(self.noise, (self.seed + 1) % 2**64).to(latent.device)
        return Inpainting(
            guided, mask, latent, noise, guided.network.levels, self.sigmas, guided.options
        )

    def _stepped(self, run: Run, x: Tensor) -> Tensor:
        name, options = self.sampler.name, dict(self.sampler.options)
        method = self.sampler.own or ALL_SAMPLERS.get(name)
        if method is None:
            raise InputError("unknown_sampler", name=name, known=", ".join(ALL_SAMPLERS))
        try:
            inspect.signature(method).bind(run, x, self.sigmas, **options)
        except TypeError as error:
            raise InputError("sampler_options", name=name, cause=error) from error
        return method(run, x, self.sigmas, **options)

    def _report(self, last: list[Step], step: Step) -> None:
        self.watch.check_cancelled()
        last[:] = [step]
        if self.watch.callback is not None:
            self.watch.callback(step)

    def _finished(self, samples: Tensor) -> Latent:
        return replace(self.latent, samples=samples.cpu())

"""ComfyUI's ``comfy.samplers``: names of methods and schedules, guiders, and sampling with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from graphengine.comfy.host.stand_ins import missing
from graphengine.methods import SamplerName, SchedulerName

SAMPLER_NAMES: list[str] = list(get_args(SamplerName))
KSAMPLER_NAMES = SAMPLER_NAMES
SCHEDULER_NAMES: list[str] = list(get_args(SchedulerName))


class SchedulerHandler(NamedTuple):
    """A schedule: a function of the model's levels, or of them and a number of steps."""

    handler: Callable[..., Any]
    use_ms: bool = True


SCHEDULER_HANDLERS: dict[str, SchedulerHandler] = {}
"""What plugins add to the schedules that are there."""


class KSampler:
    """A model with a method, a schedule and a number of steps."""

    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS = frozenset(
        ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2")
    )

    def __init__(
        self,
        model: Any,
        steps: int,
        device: Any,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: Any = None,
    ) -> None:
        self.model = model
        self.device = device
        self.model_options = model_options or {}
        self.steps = steps
        self.sampler = sampler or SAMPLER_NAMES[0]
        self.scheduler = scheduler or SCHEDULER_NAMES[0]
        self.denoise = 1.0 if denoise is None else denoise

    @property
    def sigmas(self) -> Any:
        """The levels that it visits: [steps + 1]."""
        from graphengine.comfy.host.sampling import sigmas_for

        return sigmas_for(self.model, self.sampler, self.scheduler, self.steps, self.denoise)

    def sample(
        self,
        noise: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Any = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Any = None,
        sigmas: Any = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Any:
        """A latent, sampled: [B, C, h, w]."""
        from graphengine.comfy.modules.comfy.sample import sample

        del disable_pbar
        return sample(
            self.model,
            noise,
            self.steps,
            cfg,
            self.sampler,
            self.scheduler,
            positive,
            negative,
            latent_image,
            denoise=self.denoise,
            start_step=start_step,
            last_step=last_step,
            force_full_denoise=force_full_denoise,
            noise_mask=denoise_mask,
            sigmas=sigmas,
            callback=callback,
            seed=seed,
        )


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Any:
    """A schedule's levels: [steps + 1] float32."""
    from graphengine.diffusion.schedules import schedule_sigmas

    added = SCHEDULER_HANDLERS.get(scheduler_name)
    if added is None:
        return schedule_sigmas(scheduler_name, model_sampling.levels, steps)
    if added.use_ms:
        return added.handler(model_sampling, steps)
    low, high = float(model_sampling.sigma_min), float(model_sampling.sigma_max)
    return added.handler(n=steps, sigma_min=low, sigma_max=high)


def simple_scheduler(model_sampling: Any, steps: int) -> Any:
    """Every so many levels of the table."""
    return calculate_sigmas(model_sampling, "simple", steps)


def ddim_scheduler(model_sampling: Any, steps: int) -> Any:
    """DDIM's uniform levels."""
    return calculate_sigmas(model_sampling, "ddim_uniform", steps)


def normal_scheduler(
    model_sampling: Any, steps: int, sgm: bool = False, floor: bool = False
) -> Any:
    """Equal steps of time."""
    del floor
    return calculate_sigmas(model_sampling, "sgm_uniform" if sgm else "normal", steps)


def beta_scheduler(model_sampling: Any, steps: int, alpha: float = 0.6, beta: float = 0.6) -> Any:
    """Steps of time by a beta distribution."""
    from graphengine.diffusion.schedules import beta_sigmas

    return beta_sigmas(model_sampling.levels, steps, alpha=alpha, beta=beta)


def linear_quadratic_schedule(
    model_sampling: Any, steps: int, threshold_noise: float = 0.025, linear_steps: Any = None
) -> Any:
    """Linear, then quadratic steps."""
    del threshold_noise, linear_steps
    return calculate_sigmas(model_sampling, "linear_quadratic", steps)


def sampler_object(name: str) -> Any:
    """A sampling method."""
    return ksampler(name)


def ksampler(
    sampler_name: str, extra_options: Mapping[str, Any] | None = None, inpaint_options: Any = None
) -> Any:
    """A sampling method with options."""
    from graphengine.comfy.host.sampler_methods import KSAMPLER
    from graphengine.comfy.modules.comfy.k_diffusion import sampling

    function = getattr(sampling, f"sample_{sampler_name}")
    return KSAMPLER(function, extra_options, inpaint_options)


def sample(
    model: Any,
    noise: Any,
    positive: Any,
    negative: Any,
    cfg: float,
    device: Any,
    sampler: Any,
    sigmas: Any,
    model_options: Any = None,
    latent_image: Any = None,
    denoise_mask: Any = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Any:
    """A latent, sampled over given levels: [B, C, h, w]."""
    from graphengine.comfy.host.guiders import CFGGuider

    del device, model_options
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider.sample(
        noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed
    )


def calc_cond_batch(
    model: Any,
    conds: Sequence[Any],
    x_in: Any,
    timestep: Any,
    model_options: Mapping[str, Any],
) -> list[Any]:
    """The denoised latents under lists of conditions, zeros for None; in the middle of sampling."""
    from graphengine.comfy.host.looking import predictions
    from graphengine.comfy.host.plugin_options import PluginOptions

    guided = _guided(model)
    others = (each for each in guided.options if not isinstance(each, PluginOptions))
    options = (*others, PluginOptions(model_options or {}, model))
    return predictions(guided, conds, x_in, timestep, options)


def calc_cond_uncond_batch(
    model: Any, cond: Any, uncond: Any, x_in: Any, timestep: Any, model_options: Mapping[str, Any]
) -> tuple[Any, Any]:
    """The two predictions."""
    cond_pred, uncond_pred = calc_cond_batch(model, [cond, uncond], x_in, timestep, model_options)
    return cond_pred, uncond_pred


def cfg_function(
    model: Any,
    cond_pred: Any,
    uncond_pred: Any,
    cond_scale: float,
    x: Any,
    timestep: Any,
    model_options: Mapping[str, Any] | None = None,
    cond: Any = None,
    uncond: Any = None,
) -> Any:
    """The guided prediction out of two."""
    from dataclasses import replace

    from graphengine.comfy.host.plugin_options import PluginOptions
    from graphengine.diffusion.guidance import Look, guide

    del cond, uncond
    guided = _guided(model)
    options = (
        *(each for each in guided.options if not isinstance(each, PluginOptions)),
        PluginOptions(model_options or {}, model),
    )
    level = timestep.detach().flatten()[0].cpu().float()
    changed = replace(guided, options=options)
    look = Look(
        x, level, guided.network.levels, cond_pred, uncond_pred, cond_scale, changed.sides, changed
    )
    return guide(look, options)


def sampling_function(
    model: Any,
    x: Any,
    timestep: Any,
    uncond: Any,
    cond: Any,
    cond_scale: float,
    model_options: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Any:
    """The guided prediction, with all that hangs onto the model; in the middle of sampling."""
    import math

    del seed
    options = model_options or {}
    if math.isclose(cond_scale, 1.0) and not options.get("disable_cfg1_optimization"):
        uncond = None
    found = calc_cond_batch(model, [cond, uncond], x, timestep, options)
    away = None if uncond is None else found[1]
    return cfg_function(model, found[0], away, cond_scale, x, timestep, options)


def _guided(model: Any) -> Any:
    guided = getattr(model, "guided", None)
    if guided is None:
        raise RuntimeError(
            "graphengine can ask a model like this only in the middle of its sampling"
        )
    return guided


def __getattr__(name: str) -> Any:
    if name == "__all__":
        own = [each for each in globals() if not each.startswith("_")]
        return [*own, "KSAMPLER", "Sampler", "CFGGuider", "k_diffusion_sampling"]
    if name in ("KSAMPLER", "Sampler"):
        from graphengine.comfy.host import sampler_methods

        return getattr(sampler_methods, name)
    if name == "CFGGuider":
        from graphengine.comfy.host.guiders import CFGGuider

        return CFGGuider
    if name == "k_diffusion_sampling":
        from graphengine.comfy.modules.comfy.k_diffusion import sampling

        return sampling
    return missing("comfy.samplers", name)

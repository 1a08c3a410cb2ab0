"""ComfyUI's ``comfy.samplers``: names of methods and schedules, and sampling with them."""

from __future__ import annotations

from typing import Any, get_args

from graphengine.comfy.host.stand_ins import missing
from graphengine.methods import SamplerName, SchedulerName
from graphengine.sockets import Sampler

SAMPLER_NAMES: list[str] = list(get_args(SamplerName))
KSAMPLER_NAMES = SAMPLER_NAMES
SCHEDULER_NAMES: list[str] = list(get_args(SchedulerName))


class KSampler:
    """A model with a method, a schedule and a number of steps."""

    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES

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
        del device, model_options
        self.model = model
        self.steps = steps
        self.sampler = sampler or SAMPLER_NAMES[0]
        self.scheduler = scheduler or SCHEDULER_NAMES[0]
        self.denoise = 1.0 if denoise is None else denoise

    @property
    def sigmas(self) -> Any:
        """The levels that it visits: [steps + 1]."""
        from graphengine.diffusion.sampling import ksampler_sigmas

        levels = self.model.model_sampling.levels
        return ksampler_sigmas(
            levels, self.sampler, self.scheduler, steps=self.steps, denoise=self.denoise
        )

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

    return schedule_sigmas(scheduler_name, model_sampling.levels, steps)


def sampler_object(name: str) -> Sampler:
    """A sampling method."""
    return Sampler(name)


def ksampler(
    sampler_name: str, extra_options: dict[str, Any] | None = None, inpaint_options: Any = None
) -> Sampler:
    """A sampling method with options."""
    del inpaint_options
    return Sampler(sampler_name, tuple((extra_options or {}).items()))


def __getattr__(name: str) -> Any:
    raise missing("comfy.samplers", name)

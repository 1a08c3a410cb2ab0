"""Noise levels for a model: which ones a sampling visits."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Float, Help, Int, Model, SchedulerName, Sigmas, node

CATEGORY = "sampling/custom_sampling/schedulers"


@node("BasicScheduler", title="BasicScheduler", category=CATEGORY)
def basic_scheduler(
    *,
    model: Annotated[Model, Help("The model whose noise levels are meant.")],
    scheduler: Annotated[
        SchedulerName, Choice(help="How the noise is shared out among the steps.")
    ] = "simple",
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    denoise: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.01, help="Below 1: start lower, with as many steps."),
    ] = 1.0,
) -> Sigmas:
    """Noise levels by a named schedule, as KSampler uses them."""
    from graphengine.diffusion.sigmas import named_schedule

    return named_schedule(model, scheduler, steps, denoise)


@node("SDTurboScheduler", title="SDTurboScheduler", category=CATEGORY)
def turbo_scheduler(
    *,
    model: Annotated[Model, Help("An SD-Turbo or SDXL-Turbo model.")],
    steps: Annotated[int, Int(ge=1, le=10, help="One step is enough; up to four help.")] = 1,
    denoise: Annotated[float, Float(ge=0.0, le=1.0, step=0.01, help="Below 1: start lower.")] = 1.0,
) -> Sigmas:
    """The ten noise levels that Turbo models were distilled at, from the top."""
    from graphengine.diffusion.sigmas import turbo_schedule

    return turbo_schedule(model, steps, denoise)


@node("BetaSamplingScheduler", title="BetaSamplingScheduler", category=CATEGORY)
def beta_scheduler(
    *,
    model: Annotated[Model, Help("The model whose noise levels are meant.")],
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    alpha: Annotated[
        float, Float(ge=0.0, le=50.0, step=0.01, help="Lower: more steps at much noise.")
    ] = 0.6,
    beta: Annotated[
        float, Float(ge=0.0, le=50.0, step=0.01, help="Lower: more steps at little noise.")
    ] = 0.6,
) -> Sigmas:
    """Noise levels spread by a beta distribution: many steps at both ends."""
    from graphengine.diffusion.sigmas import beta_schedule

    return beta_schedule(model, steps, alpha=alpha, beta=beta)


@node("LCMScheduler", title="LCM Scheduler", category=CATEGORY, search=("lcm", "few steps", "fast"))
def lcm_scheduler(
    *,
    model: Annotated[Model, Help("An LCM model, or one with an LCM LoRA.")],
    steps: Annotated[int, Int(ge=1, le=50, help="4 to 8 are usual; 1 is a sketch.")] = 6,
    denoise: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="Below 1: start lower, to change a picture.")
    ] = 1.0,
) -> Sigmas:
    """The noise levels that LCM was trained on; use them with the sampler “lcm” and CFG 1 to 2."""
    from graphengine.diffusion.sigmas import lcm_schedule

    return lcm_schedule(model, steps, denoise)


@node("AlignYourStepsScheduler", title="AlignYourStepsScheduler", category=CATEGORY)
def align_your_steps_scheduler(
    *,
    model_type: Annotated[
        Literal["SD1", "SDXL", "SVD"], Choice(help="The family that the levels were found for.")
    ] = "SD1",
    steps: Annotated[int, Int(ge=1, le=10000, help="Ten is what the levels were found for.")] = 10,
    denoise: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="Below 1: only the last part of the steps.")
    ] = 1.0,
) -> Sigmas:
    """Noise levels that NVIDIA optimised for few steps (Align Your Steps)."""
    from graphengine.diffusion.schedules import align_your_steps_sigmas

    return Sigmas(align_your_steps_sigmas(model_type, steps, denoise))

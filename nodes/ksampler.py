"""The sampler: from noise to a latent picture."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import (
    Choice,
    Conditioning,
    Context,
    Float,
    Help,
    Int,
    Latent,
    Model,
    SamplerName,
    SchedulerName,
    Seed,
    node,
)


@node("KSampler", title="KSampler", category="sampling", search=("sample", "denoise", "steps"))
def ksampler(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    seed: Annotated[
        int,
        Seed(help="Decides the noise: same seed, same picture. -1 draws a new one for each run."),
    ] = 0,
    steps: Annotated[
        int,
        Int(ge=1, le=10000, help="How often noise is removed: 15 is a sketch, 50 fine work."),
    ] = 20,
    cfg: Annotated[
        float,
        Float(
            ge=0.0,
            le=100.0,
            step=0.1,
            round=0.01,
            help="How strictly to follow the prompt: 1-5 freely, 7 balanced, 10-15 faithfully; "
            "too high breaks the picture.",
        ),
    ] = 7.0,
    sampler_name: Annotated[
        SamplerName,
        Choice(
            help="How noise is removed: euler is simple and fast, ddim exact, dpmpp_2m balanced."
        ),
    ] = "euler",
    scheduler: Annotated[
        SchedulerName, Choice(help="How the noise is shared out among the steps.")
    ] = "simple",
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    latent_image: Annotated[Latent, Help("What to start from: empty, or a picture.")],
    denoise: Annotated[
        float,
        Float(
            ge=0.0,
            le=1.0,
            step=0.01,
            help="How much of the start to paint anew: 1 = all of it, 0 = nothing.",
        ),
    ] = 1.0,
    context: Context,
) -> Latent:
    """Remove noise step by step until a picture stands, guided by the prompts."""
    from graphengine.diffusion.previews import preview_to
    from graphengine.diffusion.sampling import report_to, sample

    shown = preview_to(model, context)
    return sample(
        context.models,
        model,
        latent_image,
        positive,
        negative,
        seed=seed,
        steps=steps,
        cfg=cfg,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        watch=report_to(context.progress, context.check_cancelled, shown),
    )


@node("KSamplerAdvanced", title="KSampler (Advanced)", category="sampling")
def ksampler_advanced(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    add_noise: Annotated[
        Literal["enable", "disable"],
        Choice(help="disable: the latent already holds the noise left by another sampler."),
    ] = "enable",
    noise_seed: Annotated[
        int,
        Seed(help="Decides the noise: same seed, same picture. -1 draws a new one for each run."),
    ] = 0,
    steps: Annotated[
        int, Int(ge=1, le=10000, help="Steps of the whole run, of which this is a part.")
    ] = 20,
    cfg: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly to follow the prompt."),
    ] = 7.0,
    sampler_name: Annotated[SamplerName, Choice(help="How noise is removed.")] = "euler",
    scheduler: Annotated[
        SchedulerName, Choice(help="How the noise is shared out among the steps.")
    ] = "simple",
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    latent_image: Annotated[Latent, Help("What to start from.")],
    start_at_step: Annotated[
        int, Int(ge=0, le=10000, help="The first step to take; those before were done elsewhere.")
    ] = 0,
    end_at_step: Annotated[int, Int(ge=0, le=10000, help="Stop before this step.")] = 10000,
    return_with_leftover_noise: Annotated[
        Literal["disable", "enable"],
        Choice(help="enable: keep the noise that is left, for another sampler to go on."),
    ] = "disable",
    context: Context,
) -> Latent:
    """Take a part of the steps, so that samplers can take turns."""
    from graphengine.diffusion.previews import preview_to
    from graphengine.diffusion.sampling import report_to, sample

    shown = preview_to(model, context)
    return sample(
        context.models,
        model,
        latent_image,
        positive,
        negative,
        seed=noise_seed,
        steps=steps,
        cfg=cfg,
        sampler=sampler_name,
        scheduler=scheduler,
        start=start_at_step,
        end=end_at_step,
        add_noise=add_noise == "enable",
        leftover_noise=return_with_leftover_noise == "enable",
        watch=report_to(context.progress, context.check_cancelled, shown),
    )

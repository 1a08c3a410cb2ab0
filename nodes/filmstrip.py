"""Watch a picture come into being: all steps of one sampling side by side."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from graphengine.api import (
    Choice,
    Conditioning,
    Context,
    Float,
    Help,
    Image,
    Int,
    Latent,
    Model,
    SamplerName,
    SchedulerName,
    Seed,
    Vae,
    node,
)


class Strip(NamedTuple):
    latent: Annotated[Latent, Help("The finished latent, as KSampler gives it.")]
    image: Annotated[Image, Help("The picture after every step.")]


@node(
    "KSamplerFilmstrip",
    title="KSampler (Filmstrip)",
    category="sampling",
    search=("steps", "animation", "progress", "intermediate"),
)
def ksampler_filmstrip(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    seed: Annotated[
        int, Seed(help="Decides the noise: same seed, same picture. -1 draws a new one.")
    ] = 0,
    steps: Annotated[
        int, Int(ge=1, le=10000, help="How often noise is removed; one picture for each.")
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
    latent_image: Annotated[Latent, Help("What to start from: empty, or a picture.")],
    vae: Annotated[Vae, Help("Turns every step's latent into a picture.")],
    denoise: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.01, help="How much of the start to paint anew: 1 = all."),
    ] = 1.0,
    show: Annotated[
        Literal["guess", "noisy"],
        Choice(help="guess: what the model takes the picture to be; noisy: with its noise."),
    ] = "guess",
    layout: Annotated[
        Literal["row", "grid", "frames"],
        Choice(help="row or grid: one picture; frames: one each, for an animation."),
    ] = "row",
    context: Context,
) -> Strip:
    """Sample once and give the picture after every step (the first of a batch)."""
    from graphengine.diffusion.filmstrip import Recorder, lay_out
    from graphengine.diffusion.previews import preview_to
    from graphengine.diffusion.sampling import report_to, sample

    recorder = Recorder(show, model.family)
    sampled = sample(
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
        watch=report_to(
            context.progress,
            context.check_cancelled,
            recorder,
            preview_to(model, context),
        ),
    )
    return Strip(sampled, lay_out(recorder.frames(context.models, vae, sampled), layout))

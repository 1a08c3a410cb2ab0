"""Sampling put together from parts: noise, guider, sampler, noise levels."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import (
    Bool,
    Conditioning,
    Context,
    Float,
    Guider,
    Help,
    Latent,
    Model,
    Noise,
    Sampler,
    Seed,
    Sigmas,
    node,
)


class Sampled(NamedTuple):
    output: Annotated[Latent, Help("The latent at the last noise level.")]
    denoised_output: Annotated[Latent, Help("The last guess of the finished picture.")]


@node("SamplerCustom", title="SamplerCustom", category="sampling/custom_sampling")
def sampler_custom(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    add_noise: Annotated[
        bool, Bool(help="Off: the latent already holds the noise left by another sampler.")
    ] = True,
    noise_seed: Annotated[
        int, Seed(help="Decides the noise: same seed, same picture. -1 draws a new one.")
    ] = 0,
    cfg: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly to follow the prompt."),
    ] = 8.0,
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    sampler: Annotated[Sampler, Help("How noise is removed.")],
    sigmas: Annotated[Sigmas, Help("The noise levels to visit.")],
    latent_image: Annotated[Latent, Help("What to start from: empty, or a picture.")],
    context: Context,
) -> Sampled:
    """Sample with a chosen sampler over chosen noise levels."""
    from graphengine.diffusion.previews import preview_to
    from graphengine.diffusion.sampling import report_to, sample_custom

    result = sample_custom(
        context.models,
        Guider("cfg", model, (positive, negative), (cfg,)),
        Noise(noise_seed if add_noise else None),
        sampler,
        sigmas,
        latent_image,
        sampler_seed=noise_seed,
        watch=report_to(context.progress, context.check_cancelled, preview_to(model, context)),
    )
    return Sampled(result.output, result.denoised)


@node("SamplerCustomAdvanced", title="SamplerCustomAdvanced", category="sampling/custom_sampling")
def sampler_custom_advanced(
    *,
    noise: Annotated[Noise, Help("Where the noise comes from.")],
    guider: Annotated[Guider, Help("The model with its prompts and how they are combined.")],
    sampler: Annotated[Sampler, Help("How noise is removed.")],
    sigmas: Annotated[Sigmas, Help("The noise levels to visit.")],
    latent_image: Annotated[Latent, Help("What to start from: empty, or a picture.")],
    context: Context,
) -> Sampled:
    """Sample with chosen noise, guidance, sampler and noise levels."""
    from graphengine.diffusion.previews import preview_to
    from graphengine.diffusion.sampling import report_to, sample_custom

    shown = preview_to(guider.model, context)
    watch = report_to(context.progress, context.check_cancelled, shown)
    result = sample_custom(
        context.models, guider, noise, sampler, sigmas, latent_image, watch=watch
    )
    return Sampled(result.output, result.denoised)

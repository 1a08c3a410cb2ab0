"""Noise levels cut, turned and changed."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from graphengine.api import Bool, Choice, Float, Help, Int, Model, Sigmas, node

CATEGORY = "sampling/custom_sampling/sigmas"


class SplitLevels(NamedTuple):
    high_sigmas: Annotated[Sigmas, Help("The first part, with much noise.")]
    low_sigmas: Annotated[Sigmas, Help("The second part, down to the end.")]


@node("SplitSigmas", title="SplitSigmas", category=CATEGORY)
def split_sigmas(
    *,
    sigmas: Annotated[Sigmas, Help("The noise levels to cut.")],
    step: Annotated[int, Int(ge=0, le=10000, help="The step before which to cut.")] = 0,
) -> SplitLevels:
    """Cut noise levels at a step, for two samplers in turn."""
    from graphengine.diffusion.schedules import split

    high, low = split(sigmas.values, step)
    return SplitLevels(Sigmas(high), Sigmas(low))


@node("SplitSigmasDenoise", title="SplitSigmasDenoise", category=CATEGORY)
def split_sigmas_denoise(
    *,
    sigmas: Annotated[Sigmas, Help("The noise levels to cut.")],
    denoise: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="The share of steps in the second part.")
    ] = 1.0,
) -> SplitLevels:
    """Cut noise levels so that the second part has a share of the steps."""
    from graphengine.diffusion.schedules import split_denoise

    high, low = split_denoise(sigmas.values, denoise)
    return SplitLevels(Sigmas(high), Sigmas(low))


@node("FlipSigmas", title="FlipSigmas", category=CATEGORY)
def flip_sigmas(sigmas: Annotated[Sigmas, Help("The noise levels to turn round.")]) -> Sigmas:
    """Turn noise levels round, to walk from a picture back to its noise."""
    from graphengine.diffusion.schedules import flip

    return Sigmas(flip(sigmas.values))


@node("SetFirstSigma", title="SetFirstSigma", category=CATEGORY)
def set_first_sigma(
    *,
    sigmas: Annotated[Sigmas, Help("The noise levels to change.")],
    sigma: Annotated[
        float, Float(ge=0.0, le=20000.0, step=0.001, help="The new first noise level.")
    ] = 136.0,
) -> Sigmas:
    """Begin at another noise level."""
    from graphengine.diffusion.schedules import set_first

    return Sigmas(set_first(sigmas.values, sigma))


@node("ExtendIntermediateSigmas", title="ExtendIntermediateSigmas", category=CATEGORY)
def extend_intermediate_sigmas(
    *,
    sigmas: Annotated[Sigmas, Help("The noise levels to refine.")],
    steps: Annotated[int, Int(ge=1, le=100, help="Steps to make of each one.")] = 2,
    start_at_sigma: Annotated[
        float,
        Float(ge=-1.0, le=20000.0, step=0.01, help="From this level down; -1 = from the top."),
    ] = -1.0,
    end_at_sigma: Annotated[
        float, Float(ge=0.0, le=20000.0, step=0.01, help="Down to this level.")
    ] = 12.0,
    spacing: Annotated[
        Literal["linear", "cosine", "sine"],
        Choice(help="linear: even; cosine: denser at the end of a step; sine: at its beginning."),
    ] = "linear",
) -> Sigmas:
    """Put further noise levels between those in a range."""
    from graphengine.diffusion.schedules import extend

    values = extend(sigmas.values, steps, start_at_sigma, end_at_sigma, spacing=spacing)
    return Sigmas(values)


class SigmaValue(NamedTuple):
    sigma_value: Annotated[float, Help("The noise level.")]


@node("SamplingPercentToSigma", title="SamplingPercentToSigma", category=CATEGORY)
def sampling_percent_to_sigma(
    *,
    model: Annotated[Model, Help("The model whose noise levels are meant.")],
    sampling_percent: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.0001, help="The part of the denoising that is done.")
    ] = 0.0,
    return_actual_sigma: Annotated[
        bool, Bool(help="At 0 and 1: the model's own ends instead of limits beyond them.")
    ] = False,
) -> SigmaValue:
    """The noise level at a part of the denoising."""
    from graphengine.diffusion.sigmas import sigma_at

    return SigmaValue(sigma_at(model, sampling_percent, actual=return_actual_sigma))

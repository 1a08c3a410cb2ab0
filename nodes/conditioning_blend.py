"""Two conditionings into one."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Conditioning, Context, Float, Help, node


@node("ConditioningCombine", title="Conditioning (Combine)", category="conditioning")
def combine_conditioning(
    conditioning_1: Annotated[Conditioning, Help("One prompt.")],
    conditioning_2: Annotated[Conditioning, Help("Another prompt.")],
) -> Conditioning:
    """Let both prompts act at once: the sampler follows each and blends what they ask for."""
    from graphengine.diffusion.conditioning import combine

    return combine(conditioning_1, conditioning_2)


@node("ConditioningConcat", title="Conditioning (Concat)", category="conditioning")
def concatenate_conditioning(
    conditioning_to: Annotated[Conditioning, Help("The prompt that comes first.")],
    conditioning_from: Annotated[Conditioning, Help("The prompt whose words follow.")],
    context: Context,
) -> Conditioning:
    """Put one prompt behind the other, each with its own 77 places for words."""
    from graphengine.diffusion.conditioning import concatenate

    return concatenate(conditioning_to, conditioning_from, warn=context.warn)


@node("ConditioningAverage", title="ConditioningAverage", category="conditioning")
def average_conditioning(
    *,
    conditioning_to: Annotated[Conditioning, Help("The prompt to start from.")],
    conditioning_from: Annotated[Conditioning, Help("The prompt to mix in.")],
    conditioning_to_strength: Annotated[
        float,
        Float(
            ge=0.0,
            le=1.0,
            step=0.01,
            help="The share of conditioning_to: 1 = it alone, 0 = conditioning_from alone.",
        ),
    ] = 1.0,
    context: Context,
) -> Conditioning:
    """Blend the meaning of two prompts into one."""
    from graphengine.diffusion.conditioning import average

    return average(conditioning_to, conditioning_from, conditioning_to_strength, warn=context.warn)

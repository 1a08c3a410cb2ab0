"""Arithmetic with latents."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Latent, node

_FIRST = Help("The first latent; the result has its size, batch and noise mask.")
_SECOND = Help("The second latent; brought to the first one's size, begun anew if shorter.")


@node("LatentAdd", category="latent/advanced", search=("sum", "plus"))
def add(samples1: Annotated[Latent, _FIRST], samples2: Annotated[Latent, _SECOND]) -> Latent:
    """Add two latents value by value."""
    from graphengine.diffusion.latents import add

    return add(samples1, samples2)


@node("LatentSubtract", category="latent/advanced", search=("difference", "minus"))
def subtract(samples1: Annotated[Latent, _FIRST], samples2: Annotated[Latent, _SECOND]) -> Latent:
    """Subtract the second latent from the first, value by value."""
    from graphengine.diffusion.latents import subtract

    return subtract(samples1, samples2)


@node("LatentMultiply", category="latent/advanced", search=("scale", "times"))
def multiply(
    samples: Annotated[Latent, Help("The latent to scale.")],
    multiplier: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.01, help="What every value is multiplied by.")
    ] = 1.0,
) -> Latent:
    """Multiply a latent by a number."""
    from graphengine.diffusion.latents import multiply

    return multiply(samples, multiplier)


@node("LatentInterpolate", category="latent/advanced", search=("mix", "blend"))
def interpolate(
    samples1: Annotated[Latent, _FIRST],
    samples2: Annotated[Latent, _SECOND],
    ratio: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.01, help="Share of samples1: 1 = it alone, 0 = the other."),
    ] = 1.0,
) -> Latent:
    """Go part of the way from one latent to the other without losing contrast."""
    from graphengine.diffusion.latents import interpolate

    return interpolate(samples1, samples2, ratio)

"""When a conditioning acts."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Conditioning, Float, Help, node


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def set_conditioning_timesteps(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to time.")],
    start: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.001, help="From here on: 0 = pure noise, 1 = finished."),
    ] = 0.0,
    end: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.001, help="Up to here: 0 = pure noise, 1 = finished.")
    ] = 1.0,
) -> Conditioning:
    """Let a prompt act in a part of the denoising only: early for layout, late for details."""
    from graphengine.diffusion.conditioning import set_timestep_range

    return set_timestep_range(conditioning, start, end)

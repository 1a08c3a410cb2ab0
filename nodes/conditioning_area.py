"""Where and how strongly a conditioning acts: rectangles and strengths."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Conditioning, Float, Help, Int, node


@node("ConditioningSetArea", title="Conditioning (Set Area)", category="conditioning")
def set_conditioning_area(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to place.")],
    width: Annotated[int, Int(ge=64, le=16384, step=8, help="Width in pixels.")] = 64,
    height: Annotated[int, Int(ge=64, le=16384, step=8, help="Height in pixels.")] = 64,
    x: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels from the left edge.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels from the top edge.")] = 0,
    strength: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="How much it counts there.")
    ] = 1.0,
) -> Conditioning:
    """Let a prompt act in a rectangle of the picture only, given in pixels."""
    from graphengine.diffusion.conditioning import pixel_area, set_area

    return set_area(conditioning, pixel_area(width=width, height=height, x=x, y=y), strength)


@node(
    "ConditioningSetAreaPercentage",
    title="Conditioning (Set Area with Percentage)",
    category="conditioning",
)
def set_conditioning_area_percentage(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to place.")],
    width: Annotated[float, Float(ge=0.0, le=1.0, step=0.01, help="Part of the width.")] = 1.0,
    height: Annotated[float, Float(ge=0.0, le=1.0, step=0.01, help="Part of the height.")] = 1.0,
    x: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="Left edge as part of the width.")
    ] = 0.0,
    y: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="Top edge as part of the height.")
    ] = 0.0,
    strength: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="How much it counts there.")
    ] = 1.0,
) -> Conditioning:
    """Let a prompt act in a rectangle of the picture only, given in parts of its size."""
    from graphengine.diffusion.conditioning import fraction_area, set_area

    area = fraction_area(width=width, height=height, x=x, y=y)
    return set_area(conditioning, area, strength)


@node("ConditioningSetAreaStrength", title="ConditioningSetAreaStrength", category="conditioning")
def set_conditioning_strength(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to weigh.")],
    strength: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="How much it counts beside others.")
    ] = 1.0,
) -> Conditioning:
    """Set how much a prompt counts among those that it is combined with."""
    from graphengine.diffusion.conditioning import set_strength

    return set_strength(conditioning, strength)

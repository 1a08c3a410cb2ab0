"""Where a conditioning acts: masks."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Conditioning, Float, Help, Mask, node


@node("ConditioningSetMask", title="Conditioning (Set Mask)", category="conditioning")
def set_conditioning_mask(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to place.")],
    mask: Annotated[Mask, Help("White where the prompt acts.")],
    strength: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="How much it counts under the mask.")
    ] = 1.0,
    set_cond_area: Annotated[
        Literal["default", "mask bounds"],
        Choice(
            help="default: the model sees the whole picture. "
            "mask bounds: it sees only the rectangle around the mask."
        ),
    ] = "default",
) -> Conditioning:
    """Let a prompt act only where a mask is white."""
    from graphengine.diffusion.conditioning import set_mask

    return set_mask(conditioning, mask, strength, sets_area=set_cond_area == "mask bounds")

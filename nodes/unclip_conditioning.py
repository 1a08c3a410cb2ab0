"""Pictures beside the words of a prompt."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import ClipVisionOutput, Conditioning, Float, Help, node


@node(
    "unCLIPConditioning",
    title="unCLIP Conditioning",
    category="conditioning",
    search=("image prompt", "revision"),
)
def add_picture(
    *,
    conditioning: Annotated[Conditioning, Help("The words.")],
    clip_vision_output: Annotated[ClipVisionOutput, Help("What a CLIP sees in the picture.")],
    strength: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.01, help="How much the picture counts.")
    ] = 1.0,
    noise_augmentation: Annotated[
        float,
        Float(
            ge=0.0, le=1.0, step=0.01, help="How freely it is taken: 0 = closely, 1 = not at all."
        ),
    ] = 0.0,
) -> Conditioning:
    """Let a picture say what to paint, beside the words: for unCLIP models and SDXL."""
    from graphengine.diffusion.unclip import add_pictures

    return add_pictures(
        conditioning, clip_vision_output, strength=strength, augmentation=noise_augmentation
    )

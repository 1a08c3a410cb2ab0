"""What a CLIP sees in a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import (
    Choice,
    ClipVision,
    ClipVisionOutput,
    Context,
    Help,
    Image,
    node,
)


@node("CLIPVisionEncode", title="CLIP Vision Encode", category="conditioning")
def encode_image(
    *,
    clip_vision: Annotated[ClipVision, Help("The network that looks.")],
    image: Annotated[Image, Help("What it looks at.")],
    crop: Annotated[
        Literal["center", "none"],
        Choice(help="It sees squares: cut the ends of the long side off, or squeeze the picture."),
    ] = "center",
    context: Context,
) -> ClipVisionOutput:
    """See what is in a picture, to use the picture as a prompt."""
    from graphengine.diffusion.clip_vision import encode_image

    return encode_image(context.models, clip_vision, image, crop=crop)

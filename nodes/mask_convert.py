"""Masks from pictures, and pictures from masks."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Help, Image, Int, Mask, node


@node("MaskToImage", title="Convert Mask to Image", category="mask")
def mask_to_image(mask: Annotated[Mask, Help("The mask to show.")]) -> Image:
    """Make a grey picture of a mask: white where it masks."""
    from graphengine.diffusion.channels import mask_image

    return mask_image(mask)


@node("ImageToMask", title="Convert Image to Mask", category="mask", search=("channel",))
def image_to_mask(
    image: Annotated[Image, Help("The picture to take the mask from.")],
    channel: Annotated[
        Literal["red", "green", "blue", "alpha"],
        Choice(help="Which channel; alpha needs a picture with transparency."),
    ],
) -> Mask:
    """Use one channel of a picture as a mask."""
    from graphengine.diffusion.channels import channel_mask

    return channel_mask(image, channel)


@node("ImageColorToMask", title="ImageColorToMask", category="mask", search=("key", "pick"))
def colour_to_mask(
    image: Annotated[Image, Help("The picture to look at.")],
    color: Annotated[
        int, Int(ge=0, le=0xFFFFFF, help="The colour: red · 65536 + green · 256 + blue.")
    ] = 0,
) -> Mask:
    """Mask the pixels that have exactly one colour."""
    from graphengine.diffusion.masks import from_colour

    return from_colour(image, color)

"""The colours of pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Help, Image, Int, node


@node("EmptyImage", title="EmptyImage", category="image", search=("blank", "solid"))
def empty_image(
    *,
    width: Annotated[int, Int(ge=1, le=16384, help="Width in pixels.")] = 512,
    height: Annotated[int, Int(ge=1, le=16384, help="Height in pixels.")] = 512,
    batch_size: Annotated[int, Int(ge=1, le=4096, help="How many pictures.")] = 1,
    color: Annotated[
        int, Int(ge=0, le=0xFFFFFF, help="The colour: red · 65536 + green · 256 + blue.")
    ] = 0,
) -> Image:
    """Make pictures of one colour."""
    from graphengine.diffusion.framing import empty

    return empty(width, height, batch_size, color)


@node("ImageInvert", title="Invert Image", category="image", search=("negative",))
def invert(image: Annotated[Image, Help("The picture to invert.")]) -> Image:
    """Turn every value into its opposite: white into black, red into cyan."""
    return Image(1.0 - image.pixels)


@node("ImageQuantize", category="image/postprocessing", search=("palette", "dither", "pixel art"))
def quantize(
    image: Annotated[Image, Help("The picture to reduce.")],
    colors: Annotated[int, Int(ge=1, le=256, help="How many colours remain.")] = 256,
    *,
    dither: Annotated[
        Literal["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"],
        Choice(
            help="How colours in between are suggested: none, scattered (floyd-steinberg), or in a "
            "regular pattern of this size (bayer)."
        ),
    ],
) -> Image:
    """Reduce a picture to few colours."""
    from graphengine.diffusion.quantize import quantize

    return quantize(image, colors, dither)

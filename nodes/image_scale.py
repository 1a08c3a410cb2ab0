"""Pictures at another size."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Float, Help, Image, Int, node

_IMAGE = Help("The picture to resize.")
_METHOD = Choice(
    help="How pixels between the old ones are made: nearest-exact keeps hard pixels, area suits "
    "making smaller, lanczos is the sharpest."
)
_Method = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


@node("ImageScale", title="Upscale Image", category="image/upscaling", search=("resize",))
def scale(
    *,
    image: Annotated[Image, _IMAGE],
    upscale_method: Annotated[_Method, _METHOD],
    width: Annotated[
        int, Int(ge=0, le=16384, help="New width in pixels; 0 keeps the shape.")
    ] = 512,
    height: Annotated[
        int, Int(ge=0, le=16384, help="New height in pixels; 0 keeps the shape.")
    ] = 512,
    crop: Annotated[
        Literal["disabled", "center"],
        Choice(help="center: cut what does not fit the new shape. disabled: stretch."),
    ],
) -> Image:
    """Resize a picture to a width and a height."""
    from graphengine.diffusion.framing import scale

    return scale(image, width, height, method=upscale_method, crop=crop)


@node("ImageScaleBy", title="Upscale Image By", category="image/upscaling", search=("resize",))
def scale_by(
    image: Annotated[Image, _IMAGE],
    upscale_method: Annotated[_Method, _METHOD],
    scale_by: Annotated[
        float, Float(ge=0.01, le=8.0, step=0.01, help="What both sides are multiplied by.")
    ] = 1.0,
) -> Image:
    """Resize a picture by a factor."""
    from graphengine.diffusion.framing import scale_by as scaled_by

    return scaled_by(image, scale_by, method=upscale_method)


@node("ImageScaleToTotalPixels", category="image/upscaling", search=("resize", "megapixels"))
def scale_to_total(
    image: Annotated[Image, _IMAGE],
    upscale_method: Annotated[_Method, _METHOD],
    megapixels: Annotated[
        float,
        Float(ge=0.01, le=16.0, step=0.01, help="1 = as many pixels as 1024 × 1024 have."),
    ] = 1.0,
) -> Image:
    """Resize a picture to a number of pixels, keeping its shape."""
    from graphengine.diffusion.framing import scale_to_total

    return scale_to_total(image, megapixels, method=upscale_method)


@node(
    "ImageScaleToMaxDimension",
    title="ImageScaleToMaxDimension",
    category="image/upscaling",
    search=("resize", "longest"),
)
def scale_to_longest(
    image: Annotated[Image, _IMAGE],
    upscale_method: Annotated[
        Literal["area", "lanczos", "bilinear", "nearest-exact", "bicubic"],
        Choice(help="How new pixels are made: area suits making smaller, lanczos is the sharpest."),
    ],
    largest_size: Annotated[
        int, Int(ge=0, le=16384, help="Length of the longer side in pixels; 0 = unchanged.")
    ] = 512,
) -> Image:
    """Resize a picture so that its longer side has this length, keeping its shape."""
    from graphengine.diffusion.framing import scale_to_longest

    return scale_to_longest(image, largest_size, method=upscale_method)

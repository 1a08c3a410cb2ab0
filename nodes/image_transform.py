"""Pictures cropped, mirrored, turned, put side by side, given room around them."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from graphengine.api import Bool, Choice, Help, Image, Int, Mask, node

_ROTATIONS = ("none", "90 degrees", "180 degrees", "270 degrees")


class PaddedImage(NamedTuple):
    image: Image
    mask: Annotated[Mask, Help("White where the picture is to be painted.")]


@node("ImageCrop", title="Image Crop", category="image/transform", search=("cut",))
def crop(
    *,
    image: Annotated[Image, Help("The picture to cut from.")],
    width: Annotated[int, Int(ge=1, le=16384, help="Width of the part in pixels.")] = 512,
    height: Annotated[int, Int(ge=1, le=16384, help="Height of the part in pixels.")] = 512,
    x: Annotated[int, Int(ge=0, le=16384, help="Pixels left of the part.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, help="Pixels above the part.")] = 0,
) -> Image:
    """Cut a rectangle out of a picture; it ends where the picture does."""
    from graphengine.diffusion.framing import crop

    return crop(image, x=x, y=y, width=width, height=height)


@node("ImageFlip", title="ImageFlip", category="image/transform", search=("mirror",))
def flip(
    image: Annotated[Image, Help("The picture to mirror.")],
    flip_method: Annotated[
        Literal["x-axis: vertically", "y-axis: horizontally"],
        Choice(help="x-axis: upside down. y-axis: left to right."),
    ],
) -> Image:
    """Mirror a picture."""
    from graphengine.diffusion.framing import flip

    return flip(image, upside_down=flip_method == "x-axis: vertically")


@node("ImageRotate", title="ImageRotate", category="image/transform", search=("turn",))
def rotate(
    image: Annotated[Image, Help("The picture to turn.")],
    rotation: Annotated[
        Literal["none", "90 degrees", "180 degrees", "270 degrees"],
        Choice(help="How far it is turned, clockwise."),
    ],
) -> Image:
    """Turn a picture clockwise."""
    from graphengine.diffusion.framing import rotate

    return rotate(image, _ROTATIONS.index(rotation))


@node(
    "ImageStitch",
    title="Image Stitch",
    category="image/transform",
    search=("concatenate", "side by side", "join"),
)
def stitch(
    *,
    image1: Annotated[Image, Help("The picture to start from.")],
    direction: Annotated[
        Literal["right", "down", "left", "up"],
        Choice(help="On which side of image1 the other one comes."),
    ] = "right",
    match_image_size: Annotated[
        bool, Bool(help="Resize image2 to fit; otherwise the smaller one is centred on black.")
    ] = True,
    spacing_width: Annotated[
        int, Int(ge=0, le=1024, step=2, help="Width of the bar between them in pixels.")
    ] = 0,
    spacing_color: Annotated[
        Literal["white", "black", "red", "green", "blue"], Choice(help="Colour of the bar.")
    ] = "white",
    image2: Annotated[
        Image | None, Help("The picture to add; without one, image1 goes on as it is.")
    ] = None,
) -> Image:
    """Put two pictures side by side."""
    from graphengine.diffusion.framing import stitch

    return stitch(
        image1,
        image2,
        direction,
        match_size=match_image_size,
        spacing=spacing_width,
        colour=spacing_color,
    )


@node(
    "ImagePadForOutpaint",
    title="Pad Image for Outpainting",
    category="image",
    search=("extend", "border"),
)
def pad_for_outpaint(
    *,
    image: Annotated[Image, Help("The picture to enlarge.")],
    left: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels to add at the left.")] = 0,
    top: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels to add above.")] = 0,
    right: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels to add at the right.")] = 0,
    bottom: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels to add below.")] = 0,
    feathering: Annotated[
        int, Int(ge=0, le=16384, help="Pixels of the old picture over which the mask fades out.")
    ] = 40,
) -> PaddedImage:
    """Give a picture grey room at its sides, with a mask to paint it by."""
    from graphengine.diffusion.framing import pad_for_outpaint

    return PaddedImage(
        *pad_for_outpaint(
            image, left=left, top=top, right=right, bottom=bottom, feathering=feathering
        )
    )

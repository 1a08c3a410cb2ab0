"""Two pictures into one."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from graphengine.api import Bool, Choice, Float, Help, Image, Int, Mask, node


class ImageAndMask(NamedTuple):
    image: Image
    mask: Annotated[Mask, Help("1 where the picture is transparent.")]


@node("ImageBlend", category="image/postprocessing", search=("mix", "overlay"))
def blend(
    image1: Annotated[Image, Help("The picture below.")],
    image2: Annotated[Image, Help("The picture above; brought to the other's size.")],
    blend_factor: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="How much the upper picture acts.")
    ] = 0.5,
    *,
    blend_mode: Annotated[
        Literal["normal", "multiply", "screen", "overlay", "soft_light", "difference"],
        Choice(
            help="normal: cross-fade. multiply: darker. screen: lighter. overlay, soft_light: more "
            "contrast. difference: image1 minus image2."
        ),
    ],
) -> Image:
    """Blend two pictures."""
    from graphengine.diffusion.blending import blend

    return blend(image1, image2, blend_factor, blend_mode)


@node(
    "ImageCompositeMasked",
    title="ImageCompositeMasked",
    category="image",
    search=("paste", "mask"),
)
def composite_masked(
    *,
    destination: Annotated[Image, Help("The picture below.")],
    source: Annotated[Image, Help("The picture that is laid over it.")],
    x: Annotated[int, Int(ge=0, le=16384, help="Distance from the left edge in pixels.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, help="Distance from the upper edge in pixels.")] = 0,
    resize_source: Annotated[
        bool, Bool(help="Bring the source to the destination's size first.")
    ] = False,
    mask: Annotated[
        Mask | None, Help("White where the source shows; without one it covers all.")
    ] = None,
) -> Image:
    """Paste a picture onto another, through a mask if there is one."""
    from graphengine.diffusion.compositing import composite_images

    return composite_images(destination, source, x=x, y=y, resize_source=resize_source, mask=mask)


@node(
    "PorterDuffImageComposite",
    title="Porter-Duff Image Composite",
    category="mask/compositing",
    search=("alpha", "over"),
)
def porter_duff(
    *,
    source: Annotated[Image, Help("The picture that is laid over the other.")],
    source_alpha: Annotated[Mask, Help("1 where the source is transparent.")],
    destination: Annotated[Image, Help("The picture below; the result has its size.")],
    destination_alpha: Annotated[Mask, Help("1 where the destination is transparent.")],
    mode: Annotated[
        Literal[
            "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER",
            "LIGHTEN", "MULTIPLY", "OVERLAY", "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT",
            "SRC_OVER", "XOR",
        ],
        Choice(help="SRC_OVER lays the source over the destination; SRC and DST name the two."),
    ] = "DST",
) -> ImageAndMask:  # fmt: skip
    """Combine two pictures with transparency by the rules of Porter and Duff."""
    from graphengine.diffusion.blending import porter_duff

    return ImageAndMask(*porter_duff(source, source_alpha, destination, destination_alpha, mode))


@node(
    "JoinImageWithAlpha",
    title="Join Image with Alpha",
    category="mask/compositing",
    search=("transparent",),
)
def join_alpha(
    image: Annotated[Image, Help("The colours.")],
    alpha: Annotated[Mask, Help("1 where the picture becomes transparent; any size.")],
) -> Image:
    """Make a picture transparent where a mask is white."""
    from graphengine.diffusion.channels import join_alpha

    return join_alpha(image, alpha)


@node(
    "SplitImageWithAlpha",
    title="Split Image with Alpha",
    category="mask/compositing",
    search=("transparent",),
)
def split_alpha(
    image: Annotated[Image, Help("A picture, with transparency or not.")],
) -> ImageAndMask:
    """Take a picture and its transparency apart."""
    from graphengine.diffusion.channels import split_alpha

    return ImageAndMask(*split_alpha(image))

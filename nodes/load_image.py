"""Read a picture from the input folder."""

from typing import Annotated, Literal, NamedTuple

from graphengine.api import Choice, Context, Help, Image, ImageFile, Mask, node


class LoadedImage(NamedTuple):
    image: Image
    mask: Annotated[Mask, Help("1 where the picture is transparent.")]


@node("LoadImage", title="Load Image", category="image", search=("photo", "picture", "upload"))
def load_image(
    image: Annotated[str, ImageFile(help="A picture in the input folder.")],
    context: Context,
) -> LoadedImage:
    """Read a picture and its transparency; the frames of an animation become a batch."""
    from graphengine.diffusion.images import load_image

    return LoadedImage(*load_image(context.folders.path("input", image)))


@node("LoadImageMask", title="Load Image (as Mask)", category="mask", search=("upload",))
def load_image_mask(
    image: Annotated[str, ImageFile(help="A picture in the input folder.")],
    channel: Annotated[
        Literal["alpha", "red", "green", "blue"],
        Choice(help="alpha: masked where the picture is transparent. Else: where the colour is."),
    ],
    context: Context,
) -> Mask:
    """Read one channel of a picture as a mask."""
    from graphengine.diffusion.channels import channel_mask
    from graphengine.diffusion.images import load_image

    loaded, mask = load_image(context.folders.path("input", image))
    if channel != "alpha":
        return channel_mask(loaded, channel)
    has_alpha = mask.values.shape == loaded.pixels.shape[:3]
    return mask if has_alpha else Mask(loaded.pixels.new_zeros(loaded.pixels.shape[:3]))


@node(
    "LoadImageOutput",
    title="Load Image (from Outputs)",
    category="image",
    experimental=True,
    search=("result",),
)
def load_image_output(
    image: Annotated[
        str, ImageFile(kind="output", upload=False, help="A picture in the output folder.")
    ],
    context: Context,
) -> LoadedImage:
    """Read a picture that was saved before, and its transparency."""
    from graphengine.diffusion.images import load_image

    return LoadedImage(*load_image(context.folders.path("output", image)))

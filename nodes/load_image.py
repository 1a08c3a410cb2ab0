"""Read a picture from the input folder."""

from typing import Annotated, NamedTuple

from graphengine.api import Context, Help, Image, ImageFile, Mask, node


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

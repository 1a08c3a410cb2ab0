"""Batches of pictures, and how large they are."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Help, Image, Int, Items, node


class ImageSize(NamedTuple):
    width: Annotated[int, Help("Pixels from left to right.")]
    height: Annotated[int, Help("Pixels from top to bottom.")]
    batch_size: Annotated[int, Help("How many pictures there are.")]


@node("ImageBatch", title="Batch Images", category="image", search=("join", "append"))
def join(
    image1: Annotated[Image, Help("The pictures that come first.")],
    image2: Annotated[Image, Help("The pictures that follow, resized and cropped to fit.")],
) -> Image:
    """Put two batches of pictures into one."""
    from graphengine.diffusion.framing import join

    return join(image1, image2)


@node("ImageFromBatch", title="ImageFromBatch", category="image/batch", search=("pick", "frame"))
def from_batch(
    image: Annotated[Image, Help("The batch to take from.")],
    batch_index: Annotated[int, Int(ge=0, le=4095, help="The first one to take; 0 = first.")] = 0,
    length: Annotated[int, Int(ge=1, le=4096, help="How many to take.")] = 1,
) -> Image:
    """Take pictures out of a batch."""
    from graphengine.diffusion.batches import part_of

    return Image(image.pixels[part_of(len(image.pixels), batch_index, length)])


@node("RepeatImageBatch", title="RepeatImageBatch", category="image/batch")
def repeat(
    image: Annotated[Image, Help("The batch to repeat.")],
    amount: Annotated[int, Int(ge=1, le=4096, help="How many times.")] = 1,
) -> Image:
    """Repeat a batch of pictures."""
    return Image(image.pixels.repeat(amount, 1, 1, 1))


@node("RebatchImages", title="Rebatch Images", category="image/batch", search=("split",))
def rebatch(
    images: Annotated[Items[Image], Help("Pictures in batches of any length.")],
    batch_size: Annotated[int, Int(ge=1, le=4096, help="How many go on together.")] = 1,
) -> Items[Image]:
    """Split pictures into batches that are worked on one after the other, to save memory."""
    from graphengine.diffusion.batches import rebatch

    batches = rebatch((image.pixels for image in images), batch_size)
    return Items(Image(pixels) for pixels in batches)


@node("GetImageSize", title="Get Image Size", category="image", search=("width", "height"))
def image_size(image: Annotated[Image, Help("The picture to measure.")]) -> ImageSize:
    """Tell a picture's width and height, and how many there are in the batch."""
    count, height, width = image.pixels.shape[:3]
    return ImageSize(width, height, count)

"""Write pictures to the output folder, or show them only."""

from typing import Annotated

from graphengine.api import Artifacts, Context, Help, Image, Mask, SavedFile, Text, node


@node("SaveImage", title="Save Image", category="image", search=("output", "png"))
def save_image(
    images: Annotated[Image, Help("The pictures to save.")],
    context: Context,
    filename_prefix: Annotated[
        str,
        Text(
            help="Begin of the file names; may name a sub-folder and hold %width%, %height%, "
            "%year%, %month%, %day%, %hour%, %minute%, %second%, %batch_num%."
        ),
    ] = "ComfyUI",
) -> Artifacts:
    """Save pictures as PNG files that carry the workflow which made them."""
    from graphengine.diffusion.saving import save_pictures

    saved = save_pictures(
        images, context.folders.output, filename_prefix, metadata=context.metadata
    )
    return Artifacts(images=tuple(SavedFile(name, folder) for name, folder in saved))


@node("PreviewImage", title="Preview Image", category="image", search=("show",))
def preview_image(
    images: Annotated[Image, Help("The pictures to show.")], context: Context
) -> Artifacts:
    """Show pictures without keeping them: they are written to the temporary folder."""
    from graphengine.diffusion.saving import save_previews

    saved = save_previews(images, context.folders.temp, metadata=context.metadata)
    return Artifacts(images=tuple(SavedFile(name, folder, "temp") for name, folder in saved))


@node("MaskPreview", title="MaskPreview", category="mask", search=("show",))
def preview_mask(
    mask: Annotated[Mask, Help("The masks to show; white = masked.")], context: Context
) -> Artifacts:
    """Show masks as pictures without keeping them."""
    from graphengine.diffusion.channels import mask_image

    return preview_image(mask_image(mask), context)

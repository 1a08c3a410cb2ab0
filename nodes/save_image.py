"""Write pictures to the output folder, or show them only."""

import secrets
import string
from typing import Annotated

from graphengine.api import Artifacts, Context, Help, Image, SavedFile, Text, node

_PREVIEW_LETTERS = 5


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
        images, context.folders.output, filename_prefix, metadata=_metadata(context)
    )
    return Artifacts(images=tuple(SavedFile(name, folder) for name, folder in saved))


@node("PreviewImage", title="Preview Image", category="image", search=("show",))
def preview_image(
    images: Annotated[Image, Help("The pictures to show.")], context: Context
) -> Artifacts:
    """Show pictures without keeping them: they are written to the temporary folder."""
    from graphengine.diffusion.saving import save_pictures

    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_PREVIEW_LETTERS))
    saved = save_pictures(
        images,
        context.folders.temp,
        f"ComfyUI_temp_{letters}",
        metadata=_metadata(context),
        compress_level=1,
    )
    return Artifacts(images=tuple(SavedFile(name, folder, "temp") for name, folder in saved))


def _metadata(context: Context) -> dict[str, object]:
    return {"prompt": context.run.prompt, **context.run.pnginfo}

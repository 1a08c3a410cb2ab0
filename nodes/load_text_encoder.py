"""Load text encoders from files of their own."""

from typing import Annotated, Literal

from graphengine.api import Choice, Clip, Context, ModelFile, node

_FILE = ModelFile(kind="text_encoders", help="Which CLIP it is, is read from the file.")
_DEVICE = Choice(
    advanced=True,
    optional=True,
    help="Kept for saved workflows: text encoders run where the other networks do.",
)


@node("CLIPLoader", title="Load CLIP", category="advanced/loaders", search=("text encoder",))
def load_text_encoder(
    clip_name: Annotated[str, _FILE],
    context: Context,
    type: Annotated[
        Literal["stable_diffusion"],
        Choice(help="The family that the encoder is for: Stable Diffusion 1.x or 2.x."),
    ] = "stable_diffusion",
    device: Annotated[Literal["default", "cpu"], _DEVICE] = "default",  # noqa: ARG001
) -> Clip:
    """Load the text encoder of Stable Diffusion 1.x or 2.x from a file."""
    from graphengine.diffusion.checkpoint import load_clip_files

    return load_clip_files([context.folders.path("text_encoders", clip_name)], type)


@node("DualCLIPLoader", title="DualCLIPLoader", category="advanced/loaders", search=("sdxl",))
def load_two_text_encoders(
    clip_name1: Annotated[str, _FILE],
    clip_name2: Annotated[str, _FILE],
    context: Context,
    type: Annotated[
        Literal["sdxl"], Choice(help="The family that the encoders are for: SDXL.")
    ] = "sdxl",
    device: Annotated[Literal["default", "cpu"], _DEVICE] = "default",  # noqa: ARG001
) -> Clip:
    """Load the two text encoders of SDXL from files, in either order."""
    from graphengine.diffusion.checkpoint import load_clip_files

    files = [context.folders.path("text_encoders", name) for name in (clip_name1, clip_name2)]
    return load_clip_files(files, type)

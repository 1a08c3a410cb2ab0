"""Load the network that sees pictures as prompts."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Clip, ClipVision, Context, Model, ModelFile, Vae, node


class UnclipCheckpoint(NamedTuple):
    model: Model
    clip: Clip | None
    vae: Vae | None
    clip_vision: ClipVision | None


class ImageCheckpoint(NamedTuple):
    model: Model
    clip_vision: ClipVision | None
    vae: Vae | None


@node("CLIPVisionLoader", title="Load CLIP Vision", category="loaders")
def load_clip_vision(
    *,
    clip_name: Annotated[str, ModelFile(kind="clip_vision", help="The CLIP vision model file.")],
    context: Context,
) -> ClipVision:
    """Load a network that sees what is in a picture, to use pictures as prompts."""
    from graphengine.diffusion.clip_vision import load_clip_vision_file

    return load_clip_vision_file(context.folders.path("clip_vision", clip_name))


@node(
    "unCLIPCheckpointLoader",
    title="Load unCLIP Checkpoint",
    category="loaders",
    search=("image variations",),
)
def load_unclip_checkpoint(
    *,
    ckpt_name: Annotated[
        str, ModelFile(kind="checkpoints", help="A model that takes pictures as prompts.")
    ],
    context: Context,
) -> UnclipCheckpoint:
    """Load an unCLIP model with its text encoder, VAE and CLIP vision model from one file."""
    from graphengine.diffusion.checkpoint import load_checkpoint
    from graphengine.diffusion.clip_vision import find_clip_vision
    from graphengine.diffusion.files import open_tensors

    path = context.folders.path("checkpoints", ckpt_name)
    return UnclipCheckpoint(*load_checkpoint(path), find_clip_vision(open_tensors(path)))


@node(
    "ImageOnlyCheckpointLoader",
    title="Image Only Checkpoint Loader (img2vid model)",
    category="loaders/video_models",
    search=("image variations",),
)
def load_image_checkpoint(
    *,
    ckpt_name: Annotated[
        str, ModelFile(kind="checkpoints", help="A model that takes pictures as prompts.")
    ],
    context: Context,
) -> ImageCheckpoint:
    """Load a model that is steered by pictures alone, with its CLIP vision model and VAE."""
    from graphengine.diffusion.checkpoint import load_checkpoint
    from graphengine.diffusion.clip_vision import find_clip_vision
    from graphengine.diffusion.files import open_tensors

    path = context.folders.path("checkpoints", ckpt_name)
    model, _, vae = load_checkpoint(path)
    return ImageCheckpoint(model, find_clip_vision(open_tensors(path)), vae)

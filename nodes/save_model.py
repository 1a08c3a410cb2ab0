"""Write models, text encoders and VAEs as files."""

from pathlib import Path
from typing import Annotated

from graphengine.api import Artifacts, Clip, Context, Help, Model, Text, Vae, node

Prefix = Annotated[str, Text(help="Begin of the file's name; may name a sub-folder.")]
CATEGORY = "advanced/model_merging"


@node("CheckpointSave", title="Save Checkpoint", category=CATEGORY)
def save_checkpoint(
    model: Annotated[Model, Help("The model, with its LoRAs and merges computed in.")],
    clip: Annotated[Clip, Help("Its text encoder.")],
    vae: Annotated[Vae, Help("Its VAE.")],
    filename_prefix: Prefix = "checkpoints/ComfyUI",
    *,
    context: Context,
) -> Artifacts:
    """Save a model with its text encoder and VAE as one file, to be loaded like any other."""
    from graphengine.diffusion.checkpoint_saving import save_checkpoint

    path = _path(context, filename_prefix)
    save_checkpoint(path, model, clip, vae, context.metadata)
    return Artifacts(texts=(str(path),))


@node("CLIPSave", title="CLIPSave", category=CATEGORY)
def save_clip(
    clip: Annotated[Clip, Help("The text encoder, with its LoRAs and merges computed in.")],
    filename_prefix: Prefix = "clip/ComfyUI",
    *,
    context: Context,
) -> Artifacts:
    """Save a text encoder as a file of its own."""
    from graphengine.diffusion.checkpoint_saving import save_clip

    path = _path(context, filename_prefix)
    save_clip(path, clip, context.metadata)
    return Artifacts(texts=(str(path),))


@node("VAESave", title="VAESave", category=CATEGORY)
def save_vae(
    vae: Annotated[Vae, Help("The VAE.")],
    filename_prefix: Prefix = "vae/ComfyUI_vae",
    *,
    context: Context,
) -> Artifacts:
    """Save a VAE as a file of its own."""
    from graphengine.diffusion.checkpoint_saving import save_vae

    path = _path(context, filename_prefix)
    save_vae(path, vae, context.metadata)
    return Artifacts(texts=(str(path),))


def _path(context: Context, prefix: str) -> Path:
    from graphengine.diffusion.saving import choose_target

    target = choose_target(context.folders.output, prefix, width=0, height=0)
    return target.folder / f"{target.stem}_{target.first:05}_.safetensors"

"""Write models, text encoders and VAEs as files."""

from pathlib import Path
from typing import Annotated, Literal

from graphengine.api import (
    Artifacts,
    Bool,
    Choice,
    Clip,
    Context,
    Help,
    Int,
    Model,
    Text,
    Vae,
    node,
)

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


@node(
    "LoraSave",
    title="Extract and Save Lora",
    category="_for_testing",
    experimental=True,
    search=("lora", "extract", "difference"),
)
def save_lora(
    *,
    filename_prefix: Prefix = "loras/ComfyUI_extracted_lora",
    rank: Annotated[
        int, Int(ge=1, le=4096, help="How many directions of each weight to keep: size and detail.")
    ] = 8,
    lora_type: Annotated[
        Literal["standard", "full_diff"],
        Choice(help="standard = the strongest directions only; full_diff = all, a large file."),
    ] = "standard",
    bias_diff: Annotated[bool, Bool(help="Keep the differences of biases too.")] = True,
    model_diff: Annotated[
        Model | None, Help("A difference of two models, from ModelMergeSubtract.")
    ] = None,
    text_encoder_diff: Annotated[
        Clip | None, Help("A difference of two text encoders, from CLIPMergeSubtract.")
    ] = None,
    context: Context,
) -> Artifacts:
    """Save the difference between two models as a LoRA."""
    from graphengine.diffusion.lora_extraction import save_lora

    path = _path(context, filename_prefix)
    save_lora(
        path,
        model_diff,
        text_encoder_diff,
        rank=rank,
        lora_type=lora_type,
        bias_diff=bias_diff,
        metadata=context.metadata,
    )
    return Artifacts(texts=(str(path),))


def _path(context: Context, prefix: str) -> Path:
    from graphengine.diffusion.saving import choose_target

    target = choose_target(context.folders.output, prefix, width=0, height=0)
    return target.folder / f"{target.stem}_{target.first:05}_.safetensors"

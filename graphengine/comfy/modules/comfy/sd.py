"""ComfyUI's ``comfy.sd``: loading networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphengine.comfy.host.networks import Clip, ModelPatcher, Vae
from graphengine.comfy.host.stand_ins import missing

CLIP = Clip
VAE = Vae


def load_checkpoint_guess_config(
    ckpt_path: str,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    **kwargs: Any,
) -> tuple[ModelPatcher | None, Clip | None, Vae | None, None]:
    """Model, text encoder and VAE of a file; None for what is not wanted or not there."""
    from graphengine.diffusion.checkpoint import load_checkpoint

    del output_clipvision, embedding_directory, kwargs
    model, clip, vae = load_checkpoint(ckpt_path)
    return (
        ModelPatcher(model) if output_model else None,
        Clip(clip) if output_clip and clip is not None else None,
        Vae(vae) if output_vae and vae is not None else None,
        None,
    )


def load_diffusion_model(unet_path: str, model_options: Any = None) -> ModelPatcher:
    """The model in a file that holds one."""
    from graphengine.diffusion.checkpoint import load_unet_file

    del model_options
    return ModelPatcher(load_unet_file(unet_path))


load_unet = load_diffusion_model


def load_clip(
    ckpt_paths: Sequence[str], embedding_directory: Any = None, clip_type: Any = None, **kwargs: Any
) -> Clip:
    """The text encoder(s) in one file or two."""
    from graphengine.diffusion.checkpoint import load_clip_files

    del embedding_directory, clip_type, kwargs
    kind = "sdxl" if len(ckpt_paths) == 2 else "stable_diffusion"
    return Clip(load_clip_files(list(ckpt_paths), kind))


def load_lora_for_models(
    model: ModelPatcher | None,
    clip: Clip | None,
    lora: Any,
    strength_model: float,
    strength_clip: float,
) -> tuple[ModelPatcher | None, Clip | None]:
    """Model and text encoder with a LoRA that `comfy.utils.load_torch_file` has read."""
    from graphengine.diffusion.lora import LoraPatch
    from graphengine.folders import reference

    path = getattr(lora, "path", None)
    if path is None:
        raise TypeError("lora must be what comfy.utils.load_torch_file() returned")
    file = reference(Path(path))
    if model is not None and strength_model:
        model = model.clone()
        patches = (*model.description.patches, LoraPatch(file, strength_model))
        model.description = replace(model.description, patches=patches)
    if clip is not None and strength_clip:
        clip = clip.clone()
        patches = (*clip.description.patches, LoraPatch(file, strength_clip))
        clip.description = replace(clip.description, patches=patches)
    return model, clip


def __getattr__(name: str) -> Any:
    raise missing("comfy.sd", name)

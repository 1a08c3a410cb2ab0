"""ComfyUI's ``comfy.sd``: loading networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from graphengine.comfy.host.model_patcher import ModelPatcher
from graphengine.comfy.host.networks import Clip, Vae, file_of
from graphengine.comfy.host.stand_ins import missing

CLIP = Clip
VAE = Vae


class CLIPType(Enum):
    """For which family a text encoder is loaded."""

    STABLE_DIFFUSION = 1
    STABLE_CASCADE = 2
    SD3 = 3
    STABLE_AUDIO = 4
    HUNYUAN_DIT = 5
    FLUX = 6
    MOCHI = 7
    LTXV = 8
    HUNYUAN_VIDEO = 9
    PIXART = 10
    COSMOS = 11
    LUMINA2 = 12
    WAN = 13
    HIDREAM = 14
    CHROMA = 15
    ACE = 16
    OMNIGEN2 = 17
    QWEN_IMAGE = 18


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
    lora: Mapping[str, Any],
    strength_model: float,
    strength_clip: float,
) -> tuple[ModelPatcher | None, Clip | None]:
    """Model and text encoder with a LoRA's tensors at two strengths."""
    from graphengine.comfy.modules.comfy import lora as names

    changed_model = None if model is None else model.clone()
    changed_clip = None if clip is None else clip.clone()
    if changed_model is not None and strength_model:
        found = names.load_lora(lora, names.model_lora_keys_unet(changed_model, {}))
        changed_model.add_patches(found, strength_model)
    if changed_clip is not None and strength_clip:
        found = names.load_lora(lora, names.model_lora_keys_clip(changed_clip, {}))
        changed_clip.add_patches(found, strength_clip)
    return changed_model, changed_clip


def load_checkpoint(
    config_path: str | None = None,
    ckpt_path: str | None = None,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: Any = None,
    **more: Any,
) -> tuple[ModelPatcher | None, Clip | None, Vae | None]:
    """Model, text encoder and VAE of a file; what it is is seen from it, not from a config."""
    del config_path, embedding_directory, more
    if ckpt_path is None:
        raise TypeError("load_checkpoint needs ckpt_path")
    return load_checkpoint_guess_config(ckpt_path, output_vae, output_clip)[:3]


def load_state_dict_guess_config(
    sd: Any, output_vae: bool = True, output_clip: bool = True, **more: Any
) -> tuple[ModelPatcher | None, Clip | None, Vae | None, None]:
    """As `load_checkpoint_guess_config`, of a file that was read."""
    del more
    return load_checkpoint_guess_config(file_of(sd), output_vae, output_clip)


def load_diffusion_model_state_dict(sd: Any, model_options: Any = None) -> ModelPatcher:
    """As `load_diffusion_model`, of a file that was read."""
    del model_options
    return load_diffusion_model(file_of(sd))


load_unet_state_dict = load_diffusion_model_state_dict


def load_text_encoder_state_dicts(
    state_dicts: Sequence[Any] = (), embedding_directory: Any = None, **more: Any
) -> Clip:
    """As `load_clip`, of files that were read."""
    return load_clip([file_of(sd) for sd in state_dicts], embedding_directory, **more)


def load_style_model(ckpt_path: str) -> Any:
    """The style model in a file."""
    from graphengine.diffusion.style_model import load_style_file

    return load_style_file(ckpt_path)


def save_checkpoint(
    output_path: str,
    model: ModelPatcher,
    clip: Clip | None = None,
    vae: Vae | None = None,
    clip_vision: Any = None,
    metadata: Mapping[str, str] | None = None,
    extra_keys: Any = None,
) -> None:
    """Write model, text encoder and VAE to a file."""
    from graphengine.diffusion import checkpoint_saving

    del clip_vision, extra_keys
    checkpoint_saving.save_checkpoint(
        Path(output_path),
        model.description,
        None if clip is None else clip.description,
        None if vae is None else vae.description,
        metadata or {},
    )


def __getattr__(name: str) -> Any:
    return missing("comfy.sd", name)

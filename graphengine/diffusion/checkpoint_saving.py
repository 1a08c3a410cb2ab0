"""Models, text encoders and VAEs written as single files that every program of the field reads.

Tensors keep the dtype in which they were stored; patches (LoRA, merges) are computed into them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.architectures import PLAYGROUND_MARK
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, as_file_tensors, text_table, unet_table, vae_table
from graphengine.diffusion.layouts import read_text_layout, read_unet_layout, read_vae_layout
from graphengine.diffusion.patching import patched_state
from graphengine.errors import InputError
from graphengine.sockets import Clip, Model, TextEncoder, Vae, WeightPatch, Weights

_UNET_PREFIX = "model.diffusion_model."
_VAE_PREFIX = "first_stage_model."
_SDXL_PREFIXES = {
    "clip_l": "conditioner.embedders.0.transformer.",
    "clip_g": "conditioner.embedders.1.model.",
}
_SINGLE_PREFIXES = {
    "clip_l": "cond_stage_model.transformer.",
    "clip_h": "cond_stage_model.model.",
    "clip_g": "conditioner.embedders.0.model.",
}


def save_checkpoint(
    path: Path, model: Model, clip: Clip | None, vae: Vae | None, metadata: Mapping[str, Any]
) -> None:
    """Write all parts as one file; how the model is sampled is marked in it.

    ``metadata``: JSON values by name (``prompt``, ``workflow``). InputError if it cannot be
    written; nothing half-written is left.
    """
    tensors = _under(_UNET_PREFIX, unet_tensors(model))
    if clip is not None:
        tensors |= clip_tensors(clip)
    if vae is not None and vae.weights is not None:
        tensors |= _under(_VAE_PREFIX, vae_tensors(vae))
    if model.sampling.prediction == "v":
        tensors["v_pred"] = torch.zeros(0)
    if model.family.latent_mean:
        channels = (1, len(model.family.latent_mean), 1, 1)
        tensors[PLAYGROUND_MARK] = torch.tensor(model.family.latent_mean).reshape(channels)
        tensors["edm_std"] = torch.tensor(model.family.latent_std).reshape(channels)
    if model.sampling.zero_terminal_snr:
        tensors["ztsnr"] = torch.zeros(0)
    prediction = {"v": "v", "eps": "epsilon"}.get(model.sampling.prediction)
    marks = {} if prediction is None else {"modelspec.prediction_type": prediction}
    write_tensors(path, tensors, metadata, marks)


def save_clip(path: Path, clip: Clip, metadata: Mapping[str, Any]) -> None:
    """Write the text encoder(s) as one file, under the names of a checkpoint."""
    write_tensors(path, clip_tensors(clip), metadata)


def save_vae(path: Path, vae: Vae, metadata: Mapping[str, Any]) -> None:
    """Write a VAE as a file of its own."""
    write_tensors(path, vae_tensors(vae), metadata)


def write_tensors(
    path: Path,
    tensors: dict[str, Tensor],
    metadata: Mapping[str, Any],
    marks: Mapping[str, str] | None = None,
) -> None:
    """Write ``tensors`` as a file; InputError if it cannot be written, and nothing is left then.

    ``metadata``: JSON values by name; ``marks``: texts.
    """
    # Beside the target first, which is there as a whole or not at all.
    part = path.with_name(f".{path.name}.part")
    texts = {**{name: json.dumps(value) for name, value in metadata.items()}, **(marks or {})}
    try:
        save_file(tensors, str(part), metadata=texts)
        part.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise InputError("checkpoint_not_written", path=str(path), cause=error) from error


def unet_tensors(model: Model) -> dict[str, Tensor]:
    """The UNet's tensors under their names in a single file."""
    layout = replace(read_unet_layout(_open(model.weights)), style="ldm", added_vector=False)
    return _as_file(unet_table(layout), model.weights, "unet", model.patches)


def vae_tensors(vae: Vae) -> dict[str, Tensor]:
    """The VAE's tensors under their names in a single file."""
    if vae.weights is None:
        raise InputError("vae_has_no_network")
    layout = replace(read_vae_layout(_open(vae.weights)), style="ldm", legacy_attention_names=False)
    return _as_file(vae_table(layout), vae.weights, "vae", ())


def clip_tensors(clip: Clip) -> dict[str, Tensor]:
    """The text encoders' tensors under their names in a single file."""
    prefixes = _SDXL_PREFIXES if len(clip.encoders) > 1 else _SINGLE_PREFIXES
    tensors: dict[str, Tensor] = {}
    for encoder in clip.encoders:
        tensors |= _under(prefixes[encoder.kind], _text_tensors(encoder, clip.patches))
    return tensors


def _text_tensors(encoder: TextEncoder, patches: tuple[WeightPatch, ...]) -> dict[str, Tensor]:
    layout = read_text_layout(_open(encoder.weights), encoder.kind)
    if encoder.kind == "clip_l":
        layout = replace(layout, style="diffusers", nested=True)
    else:
        layout = replace(layout, style="openclip", nested=False)
    return _as_file(text_table(layout), encoder.weights, encoder.kind, patches)


def _as_file(
    table: KeyTable, weights: Weights, network: str, patches: tuple[WeightPatch, ...]
) -> dict[str, Tensor]:
    state = patched_state(weights, network, patches)
    return as_file_tensors(table, {key: tensor.as_stored() for key, tensor in state.items()})


def _open(weights: Weights) -> TensorFile:
    return open_tensors(weights.file).under(weights.prefix)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in tensors.items()}

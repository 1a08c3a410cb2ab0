"""Model files as socket values: what a loader node puts on its links.

Only names and shapes are looked at here; no tensor is read. A ``ModelStore`` makes networks of
the values later, when a node needs one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphengine.diffusion.architectures import (
    PLAYGROUND_MARK,
    TEXT_MARKS,
    TEXT_PLACES,
    UNET_MARKS,
    UNET_PREFIXES,
    VAE_MARKS,
    VAE_PREFIXES,
    family_of,
    playground,
    prefix_of,
    refuse,
    sampling_of,
)
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.layouts import (
    TextKind,
    read_text_layout,
    read_unet_layout,
    read_vae_layout,
)
from graphengine.errors import ModelFileError
from graphengine.sockets import Clip, Family, Model, Sampling, TextEncoder, Vae, Weights

_FOLDER_WEIGHTS = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
)
_FOLDER_PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}


def load_checkpoint(path: str | Path) -> tuple[Model, Clip | None, Vae | None]:
    """The model, text encoder(s) and VAE of a single-file checkpoint; None for what it lacks.

    Raises ModelFileError for a file that is damaged, unsafe or of another family.
    """
    tensors = open_tensors(path)
    if prefix_of(tensors, UNET_PREFIXES[:1], UNET_MARKS) is None:
        raise refuse(tensors, wanted="checkpoint")
    model = _model(tensors, UNET_PREFIXES[0])
    return model, _checkpoint_clip(tensors), _checkpoint_vae(tensors, model.family)


def load_unet_file(path: str | Path) -> Model:
    """The model in a file that holds a UNet, alone or among others, in either layout."""
    tensors = open_tensors(path)
    prefix = prefix_of(tensors, UNET_PREFIXES, UNET_MARKS)
    if prefix is None or _is_controlnet(tensors):
        raise refuse(tensors, wanted="UNet")
    return _model(tensors, prefix)


def load_vae_file(path: str | Path) -> Vae:
    """The VAE in a file that holds one, alone or among others, in either layout."""
    tensors = open_tensors(path)
    prefix = prefix_of(tensors, VAE_PREFIXES, VAE_MARKS)
    if prefix is None:
        raise refuse(tensors, wanted="VAE")
    return _vae(tensors, prefix, Family("vae"))


def pixel_space_vae() -> Vae:
    """The VAE of models that work on pixels: it only maps 0..1 to -1..1 and back."""
    return Vae(None, Family("pixel_space", latent_channels=3, latent_scale=1.0))


def load_clip_files(paths: Sequence[str | Path], kind: str = "stable_diffusion") -> Clip:
    """The text encoder(s) in one file (SD 1.x, 2.x) or two (``kind`` "sdxl").

    Which CLIP a file holds is told by its width and depth; two files come in either order.
    """
    encoders = [_text_encoder(open_tensors(path)) for path in paths]
    if len(encoders) == 2 and kind == "sdxl":
        encoders.sort(key=lambda encoder: encoder.kind != "clip_l")
    return Clip(tuple(encoders))


def load_diffusers_folder(path: str | Path) -> tuple[Model, Clip | None, Vae | None]:
    """The model, text encoder(s) and VAE of a folder as diffusers saves it.

    Raises ModelFileError if there is no ``unet`` folder with weights in it.
    """
    folder = Path(path)
    unet = _folder_weights(folder / "unet")
    if unet is None:
        raise ModelFileError("model_not_diffusers_folder", path=str(folder))
    model = load_unet_file(unet)
    model = replace(model, sampling=_folder_sampling(folder, model.sampling))
    vae = _folder_weights(folder / "vae")
    loaded = None if vae is None else replace(load_vae_file(vae), family=model.family)
    return model, _folder_clip(folder), loaded


def _model(tensors: TensorFile, prefix: str) -> Model:
    layout = read_unet_layout(tensors.under(prefix))
    family = family_of(layout, path=tensors.ref.path)
    if PLAYGROUND_MARK in tensors:
        family = playground(family)
    return Model(
        weights=Weights(tensors.ref, "unet", prefix),
        family=family,
        sampling=sampling_of(tensors, family, layout),
        in_channels=layout.in_channels,
    )


def _checkpoint_clip(tensors: TensorFile) -> Clip | None:
    encoders = tuple(
        TextEncoder(Weights(tensors.ref, "clip", prefix), kind)
        for prefix, kind in TEXT_PLACES
        if prefix_of(tensors, (prefix,), TEXT_MARKS) is not None
    )
    return Clip(encoders) if encoders else None


def _checkpoint_vae(tensors: TensorFile, family: Family) -> Vae | None:
    prefix = prefix_of(tensors, VAE_PREFIXES[:2], VAE_MARKS)
    return None if prefix is None else _vae(tensors, prefix, family)


def _vae(tensors: TensorFile, prefix: str, family: Family) -> Vae:
    layout = read_vae_layout(tensors.under(prefix))
    return Vae(
        Weights(tensors.ref, "vae", prefix),
        replace(family, latent_channels=layout.latent_channels),
    )


def _text_encoder(tensors: TensorFile) -> TextEncoder:
    for prefix in ("", *(place for place, _ in TEXT_PLACES)):
        if prefix_of(tensors, (prefix,), TEXT_MARKS) is not None:
            kind = _kind_by_size(tensors.under(prefix))
            return TextEncoder(Weights(tensors.ref, "clip", prefix), kind)
    raise refuse(tensors, wanted="CLIP")


def _kind_by_size(tensors: TensorFile) -> TextKind:
    """Which CLIP: 12 layers (OpenAI's L), 23 or 24 (OpenCLIP's H), 32 (OpenCLIP's bigG)."""
    layers = read_text_layout(tensors, "clip_l").layers
    if layers >= 32:
        return "clip_g"
    return "clip_h" if layers > 12 or "token_embedding.weight" in tensors else "clip_l"


def _is_controlnet(tensors: TensorFile) -> bool:
    return any("controlnet_cond_embedding" in key or "input_hint_block" in key for key in tensors)


def _folder_weights(folder: Path) -> Path | None:
    return next((folder / name for name in _FOLDER_WEIGHTS if (folder / name).is_file()), None)


def _folder_clip(folder: Path) -> Clip | None:
    encoders = []
    for name in ("text_encoder", "text_encoder_2"):
        weights = _folder_weights(folder / name)
        if weights is not None:
            kind = _folder_kind(folder / name, second=name.endswith("_2"))
            encoders.append(replace(_text_encoder(open_tensors(weights)), kind=kind))
    return Clip(tuple(encoders)) if encoders else None


def _folder_kind(folder: Path, *, second: bool) -> TextKind:
    if second:
        return "clip_g"
    return "clip_h" if _folder_config(folder).get("hidden_act") == "gelu" else "clip_l"


def _folder_sampling(folder: Path, sampling: Sampling) -> Sampling:
    config = _folder_config(folder / "scheduler", "scheduler_config.json")
    prediction: Any = _FOLDER_PREDICTIONS.get(config.get("prediction_type", ""))
    return replace(sampling, prediction=prediction) if prediction else sampling


def _folder_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

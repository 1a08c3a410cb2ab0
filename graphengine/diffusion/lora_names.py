"""What trainers call a network's weights.

kohya's scripts join the names with underscores (``lora_unet_…``, ``lora_te_…``), from diffusers'
names or from those of a single file; PEFT and diffusers keep the dots (``unet.…``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from graphengine.diffusion.files import TensorFile, TensorInfo
from graphengine.diffusion.keys import KeyTable, unet_table
from graphengine.diffusion.layouts import read_unet_layout
from graphengine.errors import ModelFileError
from graphengine.sockets import FileRef

# Prefixes per text encoder: kohya's for a single encoder, and for SDXL's first and second.
_TEXT_KOHYA = {
    "clip_l": ("lora_te", "lora_te1"),
    "clip_h": ("lora_te",),
    "clip_g": ("lora_te2", "lora_te"),
}
_TEXT_DOTTED = {
    "clip_l": ("text_encoder", "clip_l.transformer"),
    "clip_h": ("text_encoder", "clip_h.transformer"),
    "clip_g": ("text_encoder_2", "clip_g.transformer"),
}
# Old diffusers files name the attention processor: "….attn1.processor.to_q_lora.up.weight".
_PROCESSOR = {"to_q": "to_q", "to_k": "to_k", "to_v": "to_v", "to_out.0": "to_out"}


def names_of(network: str, shapes: Mapping[str, torch.Size]) -> dict[str, tuple[str, ...]]:
    """A network's weights → the names under which a file may hold a change of them.

    ``network``: "unet", "clip_l", "clip_g" or "clip_h"; ``shapes``: its keys (diffusers' and
    transformers' names) and shapes.
    """
    weights = [key for key in shapes if key.endswith(".weight")]
    if network == "unet":
        table = ldm_table(shapes)
        return {key: tuple(_unet_names(key.removesuffix(".weight"), table)) for key in weights}
    return {key: tuple(_text_names(key.removesuffix(".weight"), network)) for key in weights}


def _unet_names(name: str, table: KeyTable | None) -> Iterator[str]:
    yield f"lora_unet_{_joined(name)}"
    yield f"unet.{name}"
    yield name
    if table is not None:
        ldm = table.source(name).key
        yield f"lora_unet_{_joined(ldm)}"
        yield f"diffusion_model.{ldm}"
        yield f"model.diffusion_model.{ldm}"
        yield f"lycoris_{_joined(ldm)}"
    yield f"lycoris_{_joined(name)}"
    module, _, layer = name.rpartition(".attn")
    if module and layer[2:] in _PROCESSOR:
        yield f"unet.{module}.attn{layer[0]}.processor.{_PROCESSOR[layer[2:]]}"
        yield f"{module}.attn{layer[0]}.processor.{_PROCESSOR[layer[2:]]}"


def _text_names(name: str, network: str) -> Iterator[str]:
    inner = name if name == "text_projection" else f"text_model.{name}"
    for prefix in _TEXT_KOHYA.get(network, ()):
        yield f"{prefix}_{_joined(inner)}"
    for prefix in _TEXT_DOTTED.get(network, ()):
        yield f"{prefix}.{inner}"
        yield f"text_encoders.{prefix}.{inner}"


def ldm_table(shapes: Mapping[str, torch.Size]) -> KeyTable | None:
    """How a single file would call the weights of a UNet of these shapes."""
    infos = {key: TensorInfo(tuple(shape), torch.float32) for key, shape in shapes.items()}
    try:
        layout = read_unet_layout(TensorFile(FileRef("", 0, 0), infos, _unread))
    except ModelFileError:
        return None
    return unet_table(replace(layout, style="ldm", added_vector=False))


def _unread(key: str) -> torch.Tensor:
    raise AssertionError(f"{key}: only the shapes are looked at")


def _joined(name: str) -> str:
    return name.replace(".", "_")

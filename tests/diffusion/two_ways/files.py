"""The files that both ways read: checkpoints, LoRAs, ControlNets with random weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.controlnet import ControlNetLayout, build_controlnet, controlnet_table
from graphengine.diffusion.layouts import TextLayout
from tests.diffusion import tiny_models as tiny
from tests.diffusion.two_ways.models import TwoWays


def write_checkpoint(model: TwoWays, folder: Path) -> Path:
    """The model's single file in half precision, with what else published files carry along."""
    tensors = tiny.parts_tensors(model.parts)
    for prefix, layout in model.parts.texts.items():
        if layout.style == "openclip":
            tensors[f"{prefix}logit_scale"] = torch.tensor(4.6)
            tensors[f"{prefix}attn_mask"] = torch.zeros(77, 77)
        else:
            tensors[f"{prefix}text_model.embeddings.position_ids"] = torch.arange(77)[None]
    tensors |= {"betas": torch.zeros(1000), "alphas_cumprod": torch.zeros(1000)}
    path = folder / model.file
    halves: dict[str, Tensor] = {}
    while tensors:  # one by one: SDXL's fill 14 GB
        key, tensor = tensors.popitem()
        halves[key] = tensor.half() if tensor.is_floating_point() else tensor
    save_file(halves, path)
    return path


@dataclass(frozen=True)
class Place:
    """A weight of a checkpoint, or the third of it that holds queries, keys or values."""

    key: str
    third: int | None = None

    def rows(self, weight: Tensor) -> Tensor:
        return weight if self.third is None else weight.chunk(3)[self.third]


def lora_places(model: TwoWays) -> dict[str, Place]:
    """What kohya's scripts call some weights of a model → where they lie in its checkpoint.

    They know SDXL's network by the names of its authors, the others' by diffusers' names.
    """
    blocks = model.unet.blocks[0]
    into, out = f"input_blocks.{blocks + 2}.1", f"output_blocks.{blocks + 2}.1"
    middle = "middle_block.0.in_layers.2"
    names = {
        into: "down_blocks_1_attentions_0",
        out: "up_blocks_1_attentions_1",
        middle: "mid_block_resnets_0_conv1",
    }
    if model.sizes:
        names = {name: name.replace(".", "_") for name in names}
    block = "transformer_blocks.0."
    parts = [
        (into, f"{block}attn1.to_q"),
        (into, f"{block}attn2.to_k"),
        (into, f"{block}ff.net.0.proj"),
        (out, "proj_in"),
        (middle, ""),
    ]
    found = {}
    for place, part in parts:
        name = "_".join(filter(None, (names[place], part.replace(".", "_"))))
        key = ".".join(filter(None, (place, part)))
        found[f"lora_unet_{name}"] = Place(f"model.diffusion_model.{key}.weight")
    several = len(model.parts.texts) > 1
    for number, (prefix, layout) in enumerate(model.parts.texts.items(), start=1):
        name = f"lora_te{number if several else ''}_text_model_encoder_layers_1"
        found |= {f"{name}_{part}": place for part, place in _text_places(prefix, layout)}
    return found


def _text_places(prefix: str, layout: TextLayout) -> Iterator[tuple[str, Place]]:
    if layout.style == "openclip":
        layer = f"{prefix}transformer.resblocks.1"
        yield "self_attn_v_proj", Place(f"{layer}.attn.in_proj_weight", third=2)
        yield "mlp_fc1", Place(f"{layer}.mlp.c_fc.weight")
    else:
        layer = f"{prefix}text_model.encoder.layers.1"
        yield "self_attn_v_proj", Place(f"{layer}.self_attn.v_proj.weight")
        yield "mlp_fc1", Place(f"{layer}.mlp.fc1.weight")


def write_lora(
    path: Path, places: Mapping[str, Place], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A LoRA of rank 4 with alpha 2 as kohya's scripts save it."""
    generator = torch.Generator().manual_seed(20)
    lora: dict[str, Tensor] = {}
    for name, place in places.items():
        out, into, *kernel = place.rows(tensors[place.key]).shape
        down = torch.randn(4, into, *kernel, generator=generator) / math.sqrt(into)
        lora[f"{name}.lora_down.weight"] = down
        lora[f"{name}.lora_up.weight"] = torch.randn(
            out, 4, *[1] * len(kernel), generator=generator
        )
        lora[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(lora, path)
    return lora


def with_lora(
    tensors: Mapping[str, Tensor],
    places: Mapping[str, Place],
    lora: Mapping[str, Tensor],
    strength: float,
) -> dict[str, Tensor]:
    """A checkpoint's tensors with W + strength · alpha / rank · up · down, in float32."""
    changed = dict(tensors)
    for name, place in places.items():
        up, down = lora[f"{name}.lora_up.weight"], lora[f"{name}.lora_down.weight"]
        weight = changed[place.key].float().clone()
        rows = place.rows(weight)
        rows += strength * (2.0 / 4) * (up.flatten(1) @ down.flatten(1)).reshape(rows.shape)
        changed[place.key] = weight
    return changed


def write_controlnet(path: Path, model: TwoWays) -> dict[str, Tensor]:
    """A ControlNet, its zero convolutions trained: SDXL's as diffusers saves it, else its authors'.

    Returned under the file's names, without the prefix that the authors' files have.
    """
    encoder = model.unet
    if model.sizes:
        encoder = replace(encoder, style="diffusers", added_vector=True)
    layout = ControlNetLayout(encoder, 3, (16, 32, 96, 256))
    tensors = tiny.random_tensors(build_controlnet(layout), controlnet_table(layout), 30)
    trained = ("zero_convs", "middle_block_out", "controlnet_down", "controlnet_mid")
    tensors = {key: t * (0.1 if key.startswith(trained) else 1) for key, t in tensors.items()}
    save_file(
        {f"{'' if model.sizes else 'control_model.'}{k}": t for k, t in tensors.items()}, path
    )
    return tensors

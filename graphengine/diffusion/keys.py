"""Which tensor of a file is which tensor of a network.

A network's own names are those of diffusers (UNet, VAE) and transformers (CLIP); a file may use
them too, or the names of CompVis/Stability checkpoints and of OpenCLIP. A ``KeyTable`` is made
from a layout and goes both ways: loading asks for the source of a network's tensor, saving turns
a network's tensors into a file's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.layouts import TextLayout, UNetLayout, VaeLayout

Form = Literal["same", "query", "key", "value", "transposed", "pointwise"]

_THIRDS: dict[str, int] = {"query": 0, "key": 1, "value": 2}
_JOINT_PROJECTIONS: tuple[tuple[str, Form], ...] = (
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
)

_LDM_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_LDM_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_LDM_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
_OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
_OPENCLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_OPENCLIP_ENDS = {
    "embeddings.token_embedding": "token_embedding",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
}


@dataclass(frozen=True)
class Source:
    """Where a network's tensor (or all under a prefix) lies in a file, and in which form.

    ``query``, ``key``, ``value``: a third of a joint projection. ``transposed``: OpenCLIP's text
    projection. ``pointwise``: a linear layer that older files keep as a 1×1 convolution.
    """

    key: str
    form: Form = "same"


@dataclass(frozen=True)
class KeyTable:
    """Prefixes of a network's keys → their sources; the longest that fits counts."""

    sources: Mapping[str, Source]

    def source(self, network_key: str) -> Source:
        """The file's key of a network's tensor and the form in which it lies there."""
        for prefix in _prefixes(network_key):
            source = self.sources.get(prefix)
            if source is not None:
                rest = network_key[len(prefix) :] if prefix else f".{network_key}"
                return Source(source.key + rest, source.form)
        return Source(network_key)

    def by_file_key(self, network_keys: Iterable[str]) -> dict[str, list[str]]:
        """A file's keys → the network's keys that are read from each."""
        found: dict[str, list[str]] = {}
        for key in network_keys:
            found.setdefault(self.source(key).key, []).append(key)
        return found


def unet_table(layout: UNetLayout) -> KeyTable:
    """The keys of diffusers' UNet2DConditionModel in a file of this layout.

    The vector condition of SDXL and its refiner goes through ``class_embedding`` here, so that
    the network takes the finished vector; diffusers' own SDXL files call it ``add_embedding``.
    """
    if layout.style == "diffusers":
        return KeyTable({"class_embedding": Source("add_embedding")} if layout.added_vector else {})
    pairs = {**_LDM_UNET_ENDS, **dict(_ldm_unet_blocks(layout))}
    return KeyTable({network: Source(file) for network, file in pairs.items()})


def vae_table(layout: VaeLayout) -> KeyTable:
    """The keys of diffusers' AutoencoderKL in a file of this layout."""
    if layout.style == "diffusers":
        names = _OLD_ATTENTION if layout.legacy_attention_names else {}
        return KeyTable(dict(_attention_sources("mid_block.attentions.0", names)))
    pairs = dict(_ldm_vae_blocks(layout))
    sources = {network: Source(file) for network, file in pairs.items()}
    return KeyTable({**sources, **dict(_attention_sources("mid.attn_1", _LDM_ATTENTION))})


def text_table(layout: TextLayout) -> KeyTable:
    """The keys of transformers' CLIPTextModel (with ``text_projection``) in such a file."""
    if layout.style == "openclip":
        return KeyTable(dict(_openclip_sources(layout)))
    if layout.nested:
        return KeyTable({"": Source("text_model"), "text_projection": Source("text_projection")})
    return KeyTable({})


def from_file(form: Form, stored: Tensor) -> Tensor:
    """A network's tensor out of the stored one: a view, never a copy."""
    if form in _THIRDS:
        rows = stored.shape[0] // 3
        return stored[_THIRDS[form] * rows :][:rows]
    if form == "transposed":
        return stored.T
    if form == "pointwise" and stored.ndim == 4:
        return stored[:, :, 0, 0]
    return stored


def as_file_tensors(table: KeyTable, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's tensors as a file of the table's layout keeps them (contiguous)."""
    return {
        key: _to_file([(table.source(name).form, tensors[name]) for name in names]).contiguous()
        for key, names in table.by_file_key(tensors).items()
    }


def _to_file(parts: list[tuple[Form, Tensor]]) -> Tensor:
    form, tensor = parts[0]
    if form in _THIRDS:
        ordered = sorted(parts, key=lambda part: _THIRDS[part[0]])
        return torch.cat([part for _, part in ordered])
    if form == "transposed":
        return tensor.T
    if form == "pointwise" and tensor.ndim == 2:
        return tensor[:, :, None, None]
    return tensor


def _prefixes(key: str) -> Iterator[str]:
    """The key and all its prefixes that end before a dot, longest first; last the empty one."""
    while key:
        yield key
        key = key.rpartition(".")[0]
    yield ""


def _ldm_unet_blocks(layout: UNetLayout) -> Iterator[tuple[str, str]]:
    yield from _ldm_down_blocks(layout)
    yield from _residual("mid_block.resnets.0", "middle_block.0")
    yield "mid_block.attentions.0", "middle_block.1"
    yield from _residual("mid_block.resnets.1", "middle_block.2")
    yield from _ldm_up_blocks(layout)


def _ldm_down_blocks(layout: UNetLayout) -> Iterator[tuple[str, str]]:
    index = 1
    for level, blocks in enumerate(layout.blocks):
        for i in range(blocks):
            yield from _residual(f"down_blocks.{level}.resnets.{i}", f"input_blocks.{index}.0")
            yield f"down_blocks.{level}.attentions.{i}", f"input_blocks.{index}.1"
            index += 1
        yield f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{index}.0.op"
        index += 1


def _ldm_up_blocks(layout: UNetLayout) -> Iterator[tuple[str, str]]:
    index = 0
    for level, blocks in enumerate(reversed(layout.blocks)):
        for i in range(blocks + 1):
            yield from _residual(f"up_blocks.{level}.resnets.{i}", f"output_blocks.{index}.0")
            yield f"up_blocks.{level}.attentions.{i}", f"output_blocks.{index}.1"
            index += 1
        place = 2 if layout.up_depths[level] else 1
        yield f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{index - 1}.{place}.conv"


def _residual(network: str, file: str) -> Iterator[tuple[str, str]]:
    for ours, theirs in _LDM_RESIDUAL.items():
        yield f"{network}.{ours}", f"{file}.{theirs}"


def _ldm_vae_blocks(layout: VaeLayout) -> Iterator[tuple[str, str]]:
    levels = len(layout.channels)
    for half, side, blocks in (
        ("encoder", "down", layout.blocks),
        ("decoder", "up", layout.blocks + 1),
    ):
        yield f"{half}.conv_norm_out", f"{half}.norm_out"
        for i in range(2):
            yield f"{half}.mid_block.resnets.{i}", f"{half}.mid.block_{i + 1}"
        for level in range(levels):
            # LDM counts the decoder's levels from the finest, diffusers in order of computation.
            file_level = level if side == "down" else levels - 1 - level
            file = f"{half}.{side}.{file_level}"
            yield from _ldm_vae_level(f"{half}.{side}_blocks.{level}", file, side, blocks)


def _ldm_vae_level(network: str, file: str, side: str, blocks: int) -> Iterator[tuple[str, str]]:
    yield f"{network}.{side}samplers.0", f"{file}.{side}sample"
    for i in range(blocks):
        yield f"{network}.resnets.{i}", f"{file}.block.{i}"
        yield f"{network}.resnets.{i}.conv_shortcut", f"{file}.block.{i}.nin_shortcut"


def _attention_sources(file: str, names: Mapping[str, str]) -> Iterator[tuple[str, Source]]:
    """The middle attention of encoder and decoder, whose linear layers may be convolutions."""
    for half in ("encoder", "decoder"):
        for ours in _LDM_ATTENTION:
            theirs = names.get(ours, ours)
            form: Form = "same" if ours == "group_norm" else "pointwise"
            network = f"{half}.mid_block.attentions.0.{ours}"
            yield network, Source(f"{half}.{file}.{theirs}", form)


def _openclip_sources(layout: TextLayout) -> Iterator[tuple[str, Source]]:
    for ours, theirs in _OPENCLIP_ENDS.items():
        yield ours, Source(theirs)
    yield "text_projection.weight", Source("text_projection", "transposed")
    yield from openclip_layers(layout.layers)


def openclip_layers(layers: int, network: str = "") -> Iterator[tuple[str, Source]]:
    """The transformer layers of transformers' CLIP, under a prefix, in a file of OpenCLIP's."""
    for i in range(layers):
        layer, file = f"{network}encoder.layers.{i}", f"transformer.resblocks.{i}"
        for ours, theirs in _OPENCLIP_LAYER.items():
            yield f"{layer}.{ours}", Source(f"{file}.{theirs}")
        for name, form in _JOINT_PROJECTIONS:
            for part in ("weight", "bias"):
                source = Source(f"{file}.attn.in_proj_{part}", form)
                yield f"{layer}.self_attn.{name}.{part}", source

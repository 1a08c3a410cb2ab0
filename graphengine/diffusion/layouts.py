"""The shape of a network, read off the shapes of its tensors.

One frozen value per kind of network (UNet, VAE, text encoder). It holds everything needed to
build the network and to name its tensors, in either of the two layouts in use: CompVis/Stability
single files ("ldm", for text encoders "openclip") and diffusers/transformers ("diffusers").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

from graphengine.diffusion.files import TensorFile
from graphengine.errors import ModelFileError

TextKind = Literal["clip_l", "clip_g", "clip_h"]

_RES_OUT = {"ldm": "in_layers.2.weight", "diffusers": "conv1.weight"}


@dataclass(frozen=True)
class UNetLayout:
    """A Stable-Diffusion UNet (Rombach et al. 2022, arXiv:2112.10752, and its descendants).

    ``channels``, ``blocks``: width and number of residual blocks per level, finest level first.
    ``down_depths``, ``up_depths``: transformer layers per level in the order of computation;
    0 = no attention on that level. ``vector_width``: width of the vector condition, or None;
    ``added_vector``: whether the file has diffusers' SDXL name for it.
    """

    style: Literal["ldm", "diffusers"]
    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    down_depths: tuple[int, ...]
    middle_depth: int
    up_depths: tuple[int, ...]
    context_width: int
    linear_projection: bool
    vector_width: int | None = None
    added_vector: bool = False

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads per level: 8 (SD 1.x, convolutions as projection), else width / 64."""
        if not self.linear_projection:
            return (8,) * len(self.channels)
        return tuple(max(1, width // 64) for width in self.channels)


@dataclass(frozen=True)
class VaeLayout:
    """A KL autoencoder (AutoencoderKL). ``channels``: per level, finest first."""

    style: Literal["ldm", "diffusers"]
    in_channels: int
    out_channels: int
    latent_channels: int
    channels: tuple[int, ...]
    blocks: int
    quant_conv: bool
    post_quant_conv: bool
    attention: bool
    legacy_attention_names: bool = False

    @property
    def factor(self) -> int:
        """Picture pixels per latent pixel and side."""
        return 1 << (len(self.channels) - 1)


@dataclass(frozen=True)
class TextLayout:
    """A CLIP text encoder. ``projection``: width of the projected pooled output, or None."""

    style: Literal["openclip", "diffusers"]
    kind: TextKind
    width: int
    layers: int
    intermediate: int
    vocabulary: int
    positions: int
    projection: int | None
    nested: bool = False

    @property
    def heads(self) -> int:
        """Attention heads, of width 64 in every CLIP."""
        return max(1, self.width // 64)

    @property
    def activation(self) -> str:
        """OpenAI's CLIP uses the sigmoid approximation, OpenCLIP's models the exact GELU."""
        return "quick_gelu" if self.kind == "clip_l" else "gelu"


# --- UNet -----------------------------------------------------------------------------------------


def read_unet_layout(tensors: TensorFile) -> UNetLayout:
    """The layout of the UNet in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if a tensor that decides the shape is missing.
    """
    if "input_blocks.0.0.weight" in tensors:
        return _read_ldm_unet(tensors)
    return _read_diffusers_unet(tensors)


def read_encoder_layout(tensors: TensorFile) -> UNetLayout:
    """The layout of the UNet whose encoder half lies in ``tensors``, as in every ControlNet.

    The other half is taken for its mirror image. Raises as `read_unet_layout` does.
    """
    if "input_blocks.0.0.weight" in tensors:
        return _read_ldm_unet(tensors, encoder_only=True)
    return _read_diffusers_unet(tensors, encoder_only=True)


def _read_ldm_unet(tensors: TensorFile, *, encoder_only: bool = False) -> UNetLayout:
    levels: list[list[str]] = [[]]
    for i in count(1):
        if f"input_blocks.{i}.0.op.weight" in tensors:
            levels.append([])
        elif f"input_blocks.{i}.0.in_layers.2.weight" in tensors:
            levels[-1].append(f"input_blocks.{i}.")
        else:
            break
    blocks = [len(level) for level in levels]
    firsts = [sum(n + 1 for n in reversed(blocks[i + 1 :])) for i in range(len(blocks))]
    return _unet_layout(
        tensors,
        style="ldm",
        residual=[[f"{name}0." for name in level] for level in levels],
        down=[[f"{name}1." for name in level] for level in levels],
        middle="middle_block.1.",
        up=None
        if encoder_only
        else [
            [f"output_blocks.{first + i}.1." for i in range(n + 1)]
            for first, n in zip(reversed(firsts), reversed(blocks), strict=True)
        ],
        ends=("input_blocks.0.0.weight", "out.2.weight", "label_emb.0.0.weight"),
    )


def _read_diffusers_unet(tensors: TensorFile, *, encoder_only: bool = False) -> UNetLayout:
    blocks = []
    for level in count():
        found = count_while(tensors, f"down_blocks.{level}.resnets.{{}}.conv1.weight")
        if not found:
            break
        blocks.append(found)
    vector = "add_embedding" if "add_embedding.linear_1.weight" in tensors else "class_embedding"
    return _unet_layout(
        tensors,
        style="diffusers",
        residual=[
            [f"down_blocks.{x}.resnets.{i}." for i in range(n)] for x, n in enumerate(blocks)
        ],
        down=[[f"down_blocks.{x}.attentions.{i}." for i in range(n)] for x, n in enumerate(blocks)],
        middle="mid_block.attentions.0.",
        up=None
        if encoder_only
        else [
            [f"up_blocks.{x}.attentions.{i}." for i in range(n + 1)]
            for x, n in enumerate(reversed(blocks))
        ],
        ends=("conv_in.weight", "conv_out.weight", f"{vector}.linear_1.weight"),
    )


def _unet_layout(
    tensors: TensorFile,
    *,
    style: Literal["ldm", "diffusers"],
    residual: list[list[str]],
    down: list[list[str]],
    middle: str,
    up: list[list[str]] | None,
    ends: tuple[str, str, str],
) -> UNetLayout:
    """The layout from the prefixes of its residual blocks and transformers, level by level.

    ``up`` None: there is no decoder half.
    """
    if not all(residual):
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="UNet")
    first, last, vector = ends
    in_channels = tensors.shape(first)[1]
    down_depths = tuple(_depth(tensors, level) for level in down)
    return UNetLayout(
        style=style,
        in_channels=in_channels,
        out_channels=in_channels if up is None else tensors.shape(last)[0],
        channels=tuple(tensors.shape(level[0] + _RES_OUT[style])[0] for level in residual),
        blocks=tuple(len(level) for level in residual),
        down_depths=down_depths,
        middle_depth=_depth(tensors, [middle]),
        up_depths=down_depths[::-1]
        if up is None
        else tuple(_depth(tensors, level) for level in up),
        context_width=tensors.shape(f"{middle}transformer_blocks.0.attn2.to_k.weight")[1],
        linear_projection=len(tensors.shape(f"{middle}proj_in.weight")) == 2,
        vector_width=tensors.shape(vector)[1] if vector in tensors else None,
        added_vector=vector.startswith("add_embedding"),
    )


def _depth(tensors: TensorFile, transformers: list[str]) -> int:
    """Transformer layers, the same in every block of a level."""
    depths = {
        count_while(tensors, f"{prefix}transformer_blocks.{{}}.attn2.to_k.weight")
        for prefix in transformers
    }
    if len(depths) > 1:
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="UNet")
    return depths.pop()


# --- VAE ------------------------------------------------------------------------------------------


def read_vae_layout(tensors: TensorFile) -> VaeLayout:
    """The layout of the autoencoder in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if a tensor that decides the shape is missing.
    """
    style: Literal["ldm", "diffusers"] = "diffusers"
    level, middle = "encoder.down_blocks.{}.resnets.", "encoder.mid_block.attentions.0.{}.weight"
    norm, query = "group_norm", "query"
    if "encoder.down.0.block.0.conv1.weight" in tensors:
        style, norm = "ldm", "norm"
        level, middle = "encoder.down.{}.block.", "encoder.mid.attn_1.{}.weight"
    levels = count_while(tensors, level + "0.conv1.weight")
    if not levels:
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="VAE")
    return VaeLayout(
        style=style,
        in_channels=tensors.shape("encoder.conv_in.weight")[1],
        out_channels=tensors.shape("decoder.conv_out.weight")[0],
        latent_channels=tensors.shape("decoder.conv_in.weight")[1],
        channels=tuple(tensors.shape(f"{level.format(i)}0.conv1.weight")[0] for i in range(levels)),
        blocks=count_while(tensors, level.format(0) + "{}.conv1.weight"),
        quant_conv="quant_conv.weight" in tensors,
        post_quant_conv="post_quant_conv.weight" in tensors,
        attention=middle.format(norm) in tensors,
        legacy_attention_names=middle.format(query) in tensors,
    )


# --- text encoder ----------------------------------------------------------------


def read_text_layout(tensors: TensorFile, kind: TextKind) -> TextLayout:
    """The layout of the text encoder in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if a tensor that decides the shape is missing.
    """
    if "token_embedding.weight" in tensors:
        return _read_openclip_text(tensors, kind)
    nested = "text_model.embeddings.token_embedding.weight" in tensors
    body = "text_model." if nested else ""
    vocabulary, width = tensors.shape(f"{body}embeddings.token_embedding.weight")
    projection = "text_projection.weight"
    return TextLayout(
        style="diffusers",
        kind=kind,
        width=width,
        layers=count_while(tensors, body + "encoder.layers.{}.layer_norm1.weight"),
        intermediate=tensors.shape(f"{body}encoder.layers.0.mlp.fc1.weight")[0],
        vocabulary=vocabulary,
        positions=tensors.shape(f"{body}embeddings.position_embedding.weight")[0],
        projection=tensors.shape(projection)[0] if projection in tensors else None,
        nested=nested,
    )


def _read_openclip_text(tensors: TensorFile, kind: TextKind) -> TextLayout:
    vocabulary, width = tensors.shape("token_embedding.weight")
    has_projection = "text_projection" in tensors
    return TextLayout(
        style="openclip",
        kind=kind,
        width=width,
        layers=count_while(tensors, "transformer.resblocks.{}.ln_1.weight"),
        intermediate=tensors.shape("transformer.resblocks.0.mlp.c_fc.weight")[0],
        vocabulary=vocabulary,
        positions=tensors.shape("positional_embedding")[0],
        projection=tensors.shape("text_projection")[1] if has_projection else None,
    )


def count_while(keys: Mapping[str, object], pattern: str) -> int:
    """How many of ``pattern.format(0)``, ``(1)``, … are there without a gap."""
    return next(i for i in count() if pattern.format(i) not in keys)

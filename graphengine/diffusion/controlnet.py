"""ControlNets: a copy of the UNet's encoder half that looks at a picture.

Zhang et al. 2023 (arXiv:2302.05543). The network is diffusers' ControlNetModel (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from graphengine.diffusion.controlnet_union import (
    UnionLayout,
    add_union_parts,
    around_parts,
    read_union_layout,
)
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source, unet_table
from graphengine.diffusion.layouts import UNetLayout, count_while, read_encoder_layout
from graphengine.diffusion.networks import build_unet, fill, without_tensors
from graphengine.sockets import Weights

# Where a file keeps a ControlNet, and the tensors by which it is known.
PREFIXES = ("control_model.", "")
MARKS = ("zero_convs.0.0.weight", "controlnet_cond_embedding.conv_in.weight")

_LDM_PICTURE = "input_hint_block"


@dataclass(frozen=True)
class ControlNetLayout:
    """A ControlNet.

    ``encoder``: the UNet that it was made for. ``picture_channels``: of the picture. ``widths``:
    of the small network that brings the picture down to the latent's size, finest first.
    ``union``: what it has beside that, if it is one for many kinds of pictures.
    """

    encoder: UNetLayout
    picture_channels: int
    widths: tuple[int, ...]
    union: UnionLayout | None = None

    @property
    def skips(self) -> tuple[int, ...]:
        """The width of each skip connection of the encoder, in order of computation."""
        return tuple(_skips(self.encoder))


def _skips(encoder: UNetLayout) -> Iterator[int]:
    yield encoder.channels[0]
    last = len(encoder.channels) - 1
    for level, (width, blocks) in enumerate(zip(encoder.channels, encoder.blocks, strict=True)):
        yield from [width] * (blocks if level == last else blocks + 1)


def read_controlnet_layout(tensors: TensorFile) -> ControlNetLayout:
    """The layout of the ControlNet in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if a tensor that decides the shape is missing.
    """
    encoder = read_encoder_layout(tensors)
    first, steps = _picture_convolutions(tensors, encoder)
    widths = [tensors.shape(first)[0], *(tensors.shape(key)[0] for key in steps)]
    union = read_union_layout(tensors)
    return ControlNetLayout(encoder, tensors.shape(first)[1], tuple(widths), union)


def _picture_convolutions(tensors: TensorFile, encoder: UNetLayout) -> tuple[str, list[str]]:
    """The first convolution over the picture, and those that halve its size."""
    if encoder.style == "diffusers":
        name = "controlnet_cond_embedding.blocks.{}.weight"
        found = count_while(tensors, name)
        return "controlnet_cond_embedding.conv_in.weight", [
            name.format(i) for i in range(1, found, 2)
        ]
    # Convolutions and activations take turns; the last one only brings the width to the UNet's.
    names = [f"{_LDM_PICTURE}.{i}.weight" for i in range(0, 64, 2)]
    names = [name for name in names if name in tensors]
    return f"{_LDM_PICTURE}.0.weight", names[2:-1:2]


def controlnet_table(layout: ControlNetLayout) -> KeyTable:
    """The keys of diffusers' ControlNetModel in a file of this layout."""
    sources = dict(unet_table(layout.encoder).sources)
    if layout.encoder.style == "ldm":
        sources |= dict(_ldm_sources(layout))
    return KeyTable(sources if layout.union is None else around_parts(sources, layout.union))


def _ldm_sources(layout: ControlNetLayout) -> Iterator[tuple[str, Source]]:
    steps = 2 * (len(layout.widths) - 1)
    yield "controlnet_cond_embedding.conv_in", Source(f"{_LDM_PICTURE}.0")
    for i in range(steps):
        yield f"controlnet_cond_embedding.blocks.{i}", Source(f"{_LDM_PICTURE}.{2 * (i + 1)}")
    yield "controlnet_cond_embedding.conv_out", Source(f"{_LDM_PICTURE}.{2 * (steps + 1)}")
    for i in range(len(layout.skips)):
        yield f"controlnet_down_blocks.{i}", Source(f"zero_convs.{i}.0")
    yield "controlnet_mid_block", Source("middle_block_out.0")


def open_controlnet(weights: Weights) -> nn.Module:
    """A ControlNetModel holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_controlnet_layout(tensors)
    return fill(build_controlnet(layout), tensors, controlnet_table(layout))


def build_controlnet(layout: ControlNetLayout) -> nn.Module:
    """diffusers' ControlNetModel of this layout, without tensors (``meta`` device).

    Its blocks are those of the UNet, because it can build less by itself than ours can be.
    """
    from diffusers.models.controlnets.controlnet import ControlNetModel

    unet = build_unet(layout.encoder)
    vector = layout.encoder.vector_width
    with without_tensors():
        network: nn.Module = ControlNetModel(
            in_channels=layout.encoder.in_channels,
            conditioning_channels=layout.picture_channels,
            down_block_types=("DownBlock2D",),
            block_out_channels=layout.encoder.channels[:1],
            cross_attention_dim=layout.encoder.context_width,
            class_embed_type=None if vector is None else "projection",
            projection_class_embeddings_input_dim=vector,
            conditioning_embedding_out_channels=layout.widths,
        )
        skips = [nn.Conv2d(width, width, kernel_size=1) for width in layout.skips]
        width = layout.encoder.channels[-1]
        network.controlnet_mid_block = nn.Conv2d(width, width, kernel_size=1)
    network.down_blocks, network.mid_block = unet.down_blocks, unet.mid_block
    network.controlnet_down_blocks = nn.ModuleList(skips)
    if layout.union is not None:
        with without_tensors():
            add_union_parts(network, layout.union)
    return network.eval().requires_grad_(False)

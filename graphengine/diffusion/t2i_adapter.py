"""T2I adapters: small networks that look at a picture once and add to the UNet's encoder.

Mou et al. 2023 (arXiv:2302.08453). The network is diffusers' T2IAdapter (Apache-2.0); files of
the authors count its residual blocks through, diffusers counts them level by level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source
from graphengine.diffusion.layouts import count_while
from graphengine.diffusion.networks import fill, without_tensors
from graphengine.errors import ModelFileError
from graphengine.sockets import Weights

# Where a file keeps an adapter, and the tensors by which it is known.
PREFIXES = ("adapter.", "")
MARKS = (
    "body.0.block1.weight",
    "body.0.resnets.0.block1.weight",
    "body.0.body.0.block1.weight",
)

# Picture channels and pixels a side of a block that becomes one place, by their product: what the
# first convolution sees. 16 pixels are those for SDXL.
_FIRST = {64: (1, 8), 192: (3, 8), 256: (1, 16), 768: (3, 16)}
# Residual blocks a level, in all full adapters. (Those of the light ones lie level by level.)
_FULL_BLOCKS = 2

Kind = Literal["full_adapter", "full_adapter_xl", "light_adapter"]


@dataclass(frozen=True)
class AdapterLayout:
    """A T2I adapter. ``channels``: width of what each level adds, finest first."""

    style: Literal["original", "diffusers"]
    kind: Kind
    picture_channels: int
    block: int
    channels: tuple[int, ...]
    residual_blocks: int


def read_adapter_layout(tensors: TensorFile) -> AdapterLayout:
    """The layout of the adapter in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if it is of no known shape.
    """
    light = "body.0.out_conv.weight" in tensors
    first = "body.0.in_conv.weight" if light else "conv_in.weight"
    seen = tensors.shape(first)[1]
    if seen not in _FIRST:
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="T2I adapter")
    picture_channels, block = _FIRST[seen]
    style: Literal["original", "diffusers"] = (
        "diffusers" if "body.0.resnets.0.block1.weight" in tensors else "original"
    )
    inner = "resnets" if style == "diffusers" else "body"
    last, blocks = _levels(tensors, inner, light=light, flat=style == "original")
    kind: Kind = "light_adapter" if light else "full_adapter_xl" if block == 16 else "full_adapter"
    channels = tuple(tensors.shape(name)[0] for name in last)
    return AdapterLayout(style, kind, picture_channels, block, channels, blocks)


def _levels(tensors: TensorFile, inner: str, *, light: bool, flat: bool) -> tuple[list[str], int]:
    """For each level a tensor that tells its width; and how many residual blocks a level has."""
    if light:
        levels = count_while(tensors, "body.{}.out_conv.weight")
        blocks = count_while(tensors, f"body.0.{inner}.{{}}.block1.weight")
        return [f"body.{i}.out_conv.weight" for i in range(levels)], blocks
    if flat:
        found = count_while(tensors, "body.{}.block1.weight")
        return [f"body.{i}.block1.weight" for i in range(0, found, _FULL_BLOCKS)], _FULL_BLOCKS
    levels = count_while(tensors, "body.{}.resnets.0.block1.weight")
    blocks = count_while(tensors, "body.0.resnets.{}.block1.weight")
    return [f"body.{i}.resnets.0.block1.weight" for i in range(levels)], blocks


def adapter_table(layout: AdapterLayout) -> KeyTable:
    """The keys of diffusers' T2IAdapter in a file of this layout."""
    return KeyTable(dict(_sources(layout)))


def _sources(layout: AdapterLayout) -> Iterator[tuple[str, Source]]:
    yield "adapter.conv_in", Source("conv_in")
    inner = "resnets" if layout.style == "diffusers" else "body"
    for level in range(len(layout.channels)):
        network = f"adapter.body.{level}"
        flat = layout.style == "original" and layout.kind != "light_adapter"
        first = level * layout.residual_blocks if flat else level
        yield f"{network}.in_conv", Source(f"body.{first}.in_conv")
        yield f"{network}.out_conv", Source(f"body.{level}.out_conv")
        for i in range(layout.residual_blocks):
            file = f"body.{first + i}" if flat else f"body.{level}.{inner}.{i}"
            yield f"{network}.resnets.{i}", Source(file)


def open_adapter(weights: Weights) -> nn.Module:
    """A T2IAdapter holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_adapter_layout(tensors)
    return fill(build_adapter(layout), tensors, adapter_table(layout))


def build_adapter(layout: AdapterLayout) -> nn.Module:
    """diffusers' T2IAdapter of this layout, without tensors (``meta`` device)."""
    from diffusers.models.adapter import T2IAdapter

    # A light adapter's last two levels have the same width, and diffusers is told it once.
    light = layout.kind == "light_adapter"
    with without_tensors():
        network: nn.Module = T2IAdapter(
            in_channels=layout.picture_channels,
            channels=list(layout.channels[:-1] if light else layout.channels),
            num_res_blocks=layout.residual_blocks,
            downscale_factor=layout.block,
            adapter_type=layout.kind,
        )
    return network.eval().requires_grad_(False)

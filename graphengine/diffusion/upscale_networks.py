"""The networks of upscale models, and ESRGAN's RRDBNet and Real-ESRGAN's compact one among them.

Wang et al. 2018 (arXiv:1809.00219); Wang et al. 2021 (arXiv:2107.10833), whose code is BSD-3
(xinntao/Real-ESRGAN). Every size is read from a file's shapes. swinir.py and light_upscalers.py
hold the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_shuffle, pixel_unshuffle

from graphengine.diffusion.architectures import prefix_of
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source
from graphengine.diffusion.layouts import count_while
from graphengine.diffusion.light_upscalers import (
    PLK_MARKS,
    SPAN_MARKS,
    PlkLayout,
    RealPlk,
    Span,
    SpanLayout,
    read_plk_layout,
    read_span_layout,
)
from graphengine.diffusion.networks import fill, without_tensors
from graphengine.diffusion.swinir import MARKS as SWIN_MARKS
from graphengine.diffusion.swinir import SwinIr, SwinLayout, read_swin_layout
from graphengine.errors import ModelFileError
from graphengine.sockets import Weights

PREFIXES = ("", "params_ema.", "params.", "module.")
_SLOPE = 0.2  # of all leaky ReLUs of RRDBNet
_RESIDUAL = 0.2  # how much of a block's result is added to its input
_CONVOLUTIONS = range(1, 6)
_NUMBERED = re.compile(r"model\.(\d+)\.weight$")


@dataclass(frozen=True)
class _Names:
    """What one generation of files calls the parts of an RRDBNet."""

    first: str
    block: str
    dense: str
    convolution: str
    trunk: str
    enlarging: str
    late: str
    last: str


# Real-ESRGAN and BasicSR; the ESRGAN code's second form, which BSRGAN kept; its first one, where
# numbers go on behind the trunk: an enlarging convolution every three, the two last at the end.
_NAMES = (
    _Names(
        "conv_first", "body.{}", "rdb{}", "conv{}", "conv_body", "conv_up{}", "conv_hr", "conv_last"
    ),
    _Names(
        "conv_first", "RRDB_trunk.{}", "RDB{}", "conv{}", "trunk_conv", "upconv{}", "HRconv",
        "conv_last",
    ),
    _Names("model.0", "model.1.sub.{}", "RDB{}", "conv{}.0", "model.1.sub.{}", "", "", ""),
)  # fmt: skip
RRDB_MARKS = tuple(
    f"{names.block.format(0)}.{names.dense.format(1)}.{names.convolution.format(1)}.weight"
    for names in _NAMES
)
COMPACT_MARKS = ("body.1.weight",)
# Other architectures of the field, by a tensor that no other one has (chaiNNer's spandrel, MIT).
_OTHERS = {
    "layers.0.residual_group.overlap_attn.qkv.weight": "HAT",
    "layers.0.blocks.0.ffn.sg.conv.weight": "DAT",
    "layers.0.blocks.0.gamma": "RGT",
    "layers.0.residual_group.td": "ATD",
    "layers.0.swin1.attn.qkv.weight": "DRCT",
    "layers.0.residual_group.blocks.0.attn.logit_scale": "Swin2SR",
    "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale": "GRL",
    "residual_layer.0.residual_layer.0.layer.0.fn.0.weight": "OmniSR",
    "feats.0.safm.aggr.weight": "SAFMN",
    "gblocks.1.fc1.weight": "MoSR",
    "to_img.init_pos": "RealPLKSR with DySample",
}
# What files keep beside weights: tables that follow from the sizes, and a convolution that is
# computed from others.
_DERIVED = re.compile(
    r"(relative_position_index|attn_mask|num_batches_tracked|^no_norm|^mean|\.eval_conv\.\w+)$"
)


@dataclass(frozen=True)
class RrdbLayout:
    """An RRDBNet: ``shuffle`` times smaller before, ``doublings`` times doubled behind.

    ``width``: channels; ``growth``: what each convolution of a dense block adds.
    """

    width: int
    growth: int
    blocks: int
    shuffle: int
    doublings: int
    sources: Mapping[str, str]

    @property
    def scale(self) -> int:
        """How much larger the result's sides are; 0 if they would be smaller."""
        return (1 << self.doublings) // self.shuffle


@dataclass(frozen=True)
class CompactLayout:
    """A compact network of ``layers`` convolutions of ``width`` before the last one."""

    width: int
    layers: int
    scale: int


class RrdbNet(nn.Module):
    """Residual-in-residual dense blocks: [B, 3, H, W] → [B, 3, scale · H, scale · W], 0..1."""

    def __init__(self, layout: RrdbLayout) -> None:
        super().__init__()
        width = layout.width
        self.shuffle, self.scale = layout.shuffle, layout.scale
        self.first = _convolution(3 * layout.shuffle**2, width)
        self.blocks = nn.Sequential(*(_Block(width, layout.growth) for _ in range(layout.blocks)))
        self.trunk = _convolution(width, width)
        self.enlarging = nn.ModuleList(_convolution(width, width) for _ in range(layout.doublings))
        self.late = _convolution(width, width)
        self.last = _convolution(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged pictures."""
        height, width = (side * self.scale for side in x.shape[-2:])
        x = self.first(pixel_unshuffle(_padded(x, self.shuffle), self.shuffle))
        x = x + self.trunk(self.blocks(x))
        for convolution in self.enlarging:
            x = leaky_relu(convolution(interpolate(x, scale_factor=2.0)), _SLOPE)
        y: Tensor = self.last(leaky_relu(self.late(x), _SLOPE))
        return y[..., :height, :width]


class _Block(nn.Module):
    """Three dense blocks, their result added in part to what went in."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(_Dense(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.dense(x)
        return x + _RESIDUAL * added


class _Dense(nn.Module):
    """Five convolutions, each of which sees the results of all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        grown = [_convolution(width + i * growth, growth) for i in range(4)]
        self.convolutions = nn.ModuleList([*grown, _convolution(width + 4 * growth, width)])

    def forward(self, x: Tensor) -> Tensor:
        *growing, last = self.convolutions
        seen = x
        for convolution in growing:
            seen = torch.cat([seen, leaky_relu(convolution(seen), _SLOPE)], dim=1)
        added: Tensor = last(seen)
        return x + _RESIDUAL * added


class CompactNet(nn.Module):
    """Plain convolutions at the small size: [B, 3, H, W] → [B, 3, scale · H, scale · W], 0..1."""

    def __init__(self, layout: CompactLayout) -> None:
        super().__init__()
        self.scale = layout.scale
        body: list[nn.Module] = []
        for i in range(layout.layers):
            body += [_convolution(layout.width if i else 3, layout.width), nn.PReLU(layout.width)]
        self.body = nn.Sequential(*body, _convolution(layout.width, 3 * layout.scale**2))

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged pictures: what the network adds to the nearest pixels."""
        added = pixel_shuffle(self.body(x), self.scale)
        return added + interpolate(x, scale_factor=float(self.scale))


def _convolution(before: int, behind: int) -> nn.Conv2d:
    return nn.Conv2d(before, behind, kernel_size=3, padding=1)


def _padded(x: Tensor, factor: int) -> Tensor:
    """``x`` with sides that ``factor`` divides, grown at the right and the bottom."""
    down, right = (-side % factor for side in x.shape[-2:])
    # A picture narrower than the border has not enough to mirror.
    mode = "reflect" if min(x.shape[-2:]) >= factor else "replicate"
    return pad(x, (0, right, 0, down), mode=mode) if down or right else x


UpscalerLayout = RrdbLayout | CompactLayout | SwinLayout | SpanLayout | PlkLayout


def read_layout(tensors: TensorFile) -> UpscalerLayout:
    """The layout of the upscale model in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError for another architecture, or one of these with other than 3 channels.
    """
    if not _OTHERS.keys().isdisjoint(tensors):
        raise _unsupported(tensors)
    for names, mark in zip(_NAMES, RRDB_MARKS, strict=True):
        if mark in tensors:
            return _read_rrdb(tensors, names)
    if COMPACT_MARKS[0] in tensors and len(tensors.shape(COMPACT_MARKS[0])) == 1:
        return _read_compact(tensors)
    for read in (read_swin_layout, read_span_layout, read_plk_layout):
        layout = read(tensors)
        if layout is not None:
            return layout
    raise _unsupported(tensors)


def _read_rrdb(tensors: TensorFile, names: _Names) -> RrdbLayout:
    dense = f"{names.block}.{names.dense.format(1)}.{names.convolution.format(1)}.weight"
    blocks = count_while(tensors, dense)
    enlarging, late, last = _tail(tensors, names)
    channels = tensors.shape(f"{names.first}.weight")[1]
    shuffle = isqrt(channels // 3)
    layout = RrdbLayout(
        width=tensors.shape(f"{names.first}.weight")[0],
        growth=tensors.shape(dense.format(0))[0],
        blocks=blocks,
        shuffle=shuffle,
        doublings=len(enlarging),
        sources=dict(_sources(names, blocks))
        | {f"enlarging.{i}": name for i, name in enumerate(enlarging)}
        | {"late": late, "last": last},
    )
    outputs = tensors.shape(f"{last}.weight")[0]
    if (channels, outputs) != (3 * shuffle**2, 3) or layout.scale == 0:
        raise _unsupported(tensors)
    return layout


def _tail(tensors: TensorFile, names: _Names) -> tuple[list[str], str, str]:
    """The convolutions behind the trunk: those that enlarge, the late one, the last one."""
    if names.last:
        all_names = (names.enlarging.format(i) for i in count(1))
        enlarging = list(takewhile(lambda name: f"{name}.weight" in tensors, all_names))
        return enlarging, names.late, names.last
    numbers = sorted(int(found[1]) for key in tensors if (found := _NUMBERED.match(key)))
    if len(numbers) < 3:
        raise _unsupported(tensors)
    *enlarging, late, last = (f"model.{number}" for number in numbers[1:])
    return enlarging, late, last


def _sources(names: _Names, blocks: int) -> Iterator[tuple[str, str]]:
    """Prefixes of an RrdbNet's keys up to the trunk → those of a file."""
    yield "first", names.first
    # In the oldest files the trunk's convolution counts as one more block.
    yield "trunk", names.trunk.format(blocks)
    for i in range(blocks):
        for j in range(3):
            for k in _CONVOLUTIONS:
                parts = names.block.format(i), names.dense.format(j + 1), names.convolution
                yield f"blocks.{i}.dense.{j}.convolutions.{k - 1}", ".".join(parts).format(k)


def _read_compact(tensors: TensorFile) -> CompactLayout:
    layers = count_while(tensors, "body.{}.weight") // 2
    last = f"body.{2 * layers}.weight"
    scale = isqrt(tensors.shape(last)[0] // 3)
    width, channels = tensors.shape("body.0.weight")[:2]
    if (channels, tensors.shape(last)[0]) != (3, 3 * scale**2):
        raise _unsupported(tensors)
    return CompactLayout(width, layers, scale)


def _unsupported(tensors: TensorFile) -> ModelFileError:
    name = next((_OTHERS[key] for key in tensors if key in _OTHERS), None)
    if name is not None:
        return ModelFileError("upscaler_of_other_kind", path=tensors.ref.path, name=name)
    return ModelFileError("upscaler_unsupported", path=tensors.ref.path, key=min(tensors))


def upscaler_table(layout: UpscalerLayout) -> KeyTable:
    """The keys of the network of a layout in a file."""
    sources = layout.sources if isinstance(layout, RrdbLayout) else {}
    return KeyTable({network: Source(file) for network, file in sources.items()})


def build_upscaler(layout: UpscalerLayout) -> nn.Module:
    """The network of a layout, without tensors (``meta`` device)."""
    with without_tensors():
        network = _network(layout)
    return network.eval().requires_grad_(False)


def _network(layout: UpscalerLayout) -> nn.Module:
    match layout:
        case RrdbLayout():
            return RrdbNet(layout)
        case CompactLayout():
            return CompactNet(layout)
        case SwinLayout():
            return SwinIr(layout)
        case SpanLayout():
            return Span(layout)
        case PlkLayout():
            return RealPlk(layout)


def open_upscaler(weights: Weights) -> nn.Module:
    """The network of an upscale model holding the file's tensors (memory-mapped, stored dtype).

    Raises ModelFileError if a tensor is missing, of another shape, or belongs to no part.
    """
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_layout(tensors)
    network, table = build_upscaler(layout), upscaler_table(layout)
    known = {table.source(key).key for key in network.state_dict()}
    unknown = {key for key in tensors.keys() - known if not _DERIVED.search(key)}
    if unknown:
        details = {"key": min(unknown), "count": len(unknown)}
        raise ModelFileError("model_unexpected_key", path=tensors.ref.path, **details)
    return fill(network, tensors, table)


def upscaler_prefix(tensors: TensorFile) -> str | None:
    """Under which prefix an upscale model lies in a file; None if there is none."""
    marks = (*RRDB_MARKS, *COMPACT_MARKS, *SWIN_MARKS, *SPAN_MARKS, *PLK_MARKS, *_OTHERS)
    return prefix_of(tensors, PREFIXES, marks)

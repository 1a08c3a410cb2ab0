"""ControlNets for many kinds of pictures in one network (union).

xinsir's ControlNet++ (Apache-2.0, xinsir6/ControlNetPlus), as diffusers' ControlNetUnionModel has
it: the kind is told to the network beside the time, and as a task embedding that, together with
what is seen in the picture, decides a value that is added to every place of the picture's features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphengine.diffusion.files import TensorFile
from graphengine.diffusion.keys import Form, Source
from graphengine.diffusion.layouts import count_while
from graphengine.diffusion.sinusoids import sinusoidal_embedding

MARK = "task_embedding"
_PICTURE, _TIME = "controlnet_cond_embedding", "time_embedding"
_KIND_EMBEDDING = "control_add_embedding"
_BLOCK = "transformer_layes"  # spelled so in the files
# Which part of a ControlNetModel becomes which part of ours.
_AROUND = {_PICTURE: "picture", _TIME: "time"}
_BLOCK_PARTS = {
    "norm1": "ln_1",
    "norm2": "ln_2",
    "out": "attn.out_proj",
    "wide": "mlp.c_fc",
    "narrow": "mlp.c_proj",
}


@dataclass(frozen=True)
class UnionLayout:
    """``kinds`` of pictures; ``width`` of their features; ``blocks`` of the little transformer.

    ``kind_width``: of the embedding of one kind. ``time_width``: of the time's embedding.
    """

    kinds: int
    width: int
    blocks: int
    kind_width: int
    time_width: int


def read_union_layout(tensors: TensorFile) -> UnionLayout | None:
    """The union part of a ControlNet; None if there is none. Raises ModelFileError."""
    if MARK not in tensors:
        return None
    kinds, width = tensors.shape(MARK)
    time_width, told = tensors.shape(f"{_KIND_EMBEDDING}.linear_1.weight")
    blocks = count_while(tensors, _BLOCK + ".{}.ln_1.weight")
    return UnionLayout(kinds, width, blocks, told // kinds, time_width)


def add_union_parts(network: nn.Module, layout: UnionLayout) -> None:
    """Put the union parts around those of a ControlNetModel that they add to."""
    picture, time = network.get_submodule(_PICTURE), network.get_submodule(_TIME)
    network.controlnet_cond_embedding = UnionPicture(picture, layout)
    network.time_embedding = UnionTime(time, layout)


def choose_kind(network: nn.Module, kind: int | None) -> None:
    """Tell the union parts of a network which kind the picture is; None = not told."""
    for part in network.modules():
        if isinstance(part, UnionPicture | UnionTime):
            part.kind = kind


class UnionPicture(nn.Module):
    """A picture's features, [B, 3, H, W] → [B, C, H/8, W/8], with what its kind adds."""

    def __init__(self, picture: nn.Module, layout: UnionLayout) -> None:
        super().__init__()
        self.kind: int | None = None
        self.picture = picture
        self.tasks = nn.Parameter(torch.empty(layout.kinds, layout.width))
        self.blocks = nn.Sequential(*(_Block(layout.width) for _ in range(layout.blocks)))
        self.projection = nn.Linear(layout.width, layout.width)

    def forward(self, conditioning: Tensor) -> Tensor:
        """The features."""
        features: Tensor = self.picture(conditioning)
        if self.kind is None:
            return features
        token = features.mean(dim=(2, 3)) + self.tasks[self.kind]
        added: Tensor = self.projection(self.blocks(token))
        return features + added[:, :, None, None]


class UnionTime(nn.Module):
    """The time's embedding plus that of the kind: one number a kind, 1 for the one that it is."""

    def __init__(self, time: nn.Module, layout: UnionLayout) -> None:
        super().__init__()
        self.kind: int | None = None
        self.kinds, self.kind_width = layout.kinds, layout.kind_width
        self.time = time
        self.first = nn.Linear(layout.kinds * layout.kind_width, layout.time_width)
        self.second = nn.Linear(layout.time_width, layout.time_width)

    def forward(self, sample: Tensor, condition: Tensor | None = None) -> Tensor:
        """[B, T]."""
        chosen = [float(kind == self.kind) for kind in range(self.kinds)]
        told = sinusoidal_embedding(chosen, self.kind_width).reshape(1, -1).to(sample)
        added: Tensor = self.second(nn.functional.silu(self.first(told)))
        embedded: Tensor = self.time(sample, condition)
        return embedded + added


class _Block(nn.Module):
    """A transformer layer over a single token, whose attention to itself is its value."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.out(self.value(self.norm1(x)))
        wide = self.wide(self.norm2(x))
        narrow: Tensor = self.narrow(wide * torch.sigmoid(1.702 * wide))
        return x + narrow


def around_parts(sources: Mapping[str, Source], layout: UnionLayout) -> dict[str, Source]:
    """The sources of a ControlNet's keys, after `add_union_parts`."""
    moved = {}
    for key, source in sources.items():
        for outer, inner in _AROUND.items():
            if key.startswith(f"{outer}."):
                key = f"{outer}.{inner}{key[len(outer) :]}"
        moved[key] = source
    for outer, inner in _AROUND.items():
        moved.setdefault(f"{outer}.{inner}", Source(outer))
    return {**moved, **dict(_own_sources(layout))}


def _own_sources(layout: UnionLayout) -> Iterator[tuple[str, Source]]:
    yield f"{_PICTURE}.tasks", Source(MARK)
    yield f"{_PICTURE}.projection", Source("spatial_ch_projs")
    yield f"{_TIME}.first", Source(f"{_KIND_EMBEDDING}.linear_1")
    yield f"{_TIME}.second", Source(f"{_KIND_EMBEDDING}.linear_2")
    value: Form = "value"
    for i in range(layout.blocks):
        network, file = f"{_PICTURE}.blocks.{i}", f"{_BLOCK}.{i}"
        for ours, theirs in _BLOCK_PARTS.items():
            yield f"{network}.{ours}", Source(f"{file}.{theirs}")
        for part in ("weight", "bias"):
            yield f"{network}.value.{part}", Source(f"{file}.attn.in_proj_{part}", value)

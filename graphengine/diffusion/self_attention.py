"""Doing something around a denoising network's self-attentions, for one sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

Attend = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Grid:
    """How a self-attention's tokens lie: rows, columns, and how often the latent was halved."""

    height: int
    width: int
    depth: int


Around = Callable[[Tensor, Attend, Grid], Tensor]
"""(tokens [B, N, C], the attention, how they lie) → what the attention should have answered."""


@contextmanager
def around_self_attention(
    unet: nn.Module, shape: tuple[int, ...], around: Around, *, max_depth: int
) -> Iterator[None]:
    """Let ``around`` stand for the self-attentions down to ``max_depth``, until left.

    ``shape``: of the latent, [..., h, w]. Calls with another one (of areas) are left alone.
    """
    layers = [
        (layer, layer.processor, depth)
        for layer, depth in _self_attentions(unet)
        if depth <= max_depth
    ]
    for layer, processor, depth in layers:
        layer.processor = _Surrounded(processor, around, _grid(shape, depth))
    try:
        yield
    finally:
        for layer, processor, _ in layers:
            layer.processor = processor


@dataclass(frozen=True, eq=False)
class _Surrounded:
    """An attention processor of diffusers that asks ``around`` instead of ``inner``."""

    inner: Callable[..., Tensor]
    around: Around
    grid: Grid

    def __call__(self, layer: nn.Module, hidden_states: Tensor, **options: Any) -> Tensor:
        if hidden_states.shape[1] != self.grid.height * self.grid.width:
            return self.inner(layer, hidden_states, **options)
        return self.around(hidden_states, lambda x: self.inner(layer, x, **options), self.grid)


def _self_attentions(unet: nn.Module) -> Iterator[tuple[Any, int]]:
    """Each self-attention and its depth."""
    last = len(cast("Any", unet).down_blocks) - 1
    for name, layer in unet.named_modules():
        if name.endswith(".attn1"):
            yield layer, _depth(name, last)


def _depth(name: str, last: int) -> int:
    """How often the picture is halved where a layer of this name stands."""
    part, number = name.split(".")[:2]
    if part == "down_blocks":
        return int(number)
    return last - int(number) if part == "up_blocks" else last


def _grid(shape: tuple[int, ...], depth: int) -> Grid:
    height, width = (-(-side // 2**depth) for side in shape[-2:])
    return Grid(height, width, depth)

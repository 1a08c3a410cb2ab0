"""Work done tile by tile, so that the memory it takes does not grow with the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tiling:
    """Square tiles of ``size`` picture pixels that share ``overlap`` pixels with each neighbour."""

    size: int = 512
    overlap: int = 64

    def in_units(self, pixels: int) -> Tiling:
        """The same tiles measured in units of so many pixels; at most half a tile overlaps."""
        size = max(1, self.size // pixels)
        return Tiling(size, min(self.overlap // pixels, size // 2))

    def count(self, sides: torch.Size) -> int:
        """How many tiles cover a height and a width."""
        return sum(1 for _ in _corners(sides, self))


def tiled(work: Callable[[Tensor], Tensor], x: Tensor, tiles: Tiling, *, scale: float) -> Tensor:
    """``work`` of all tiles of ``x``, blended; the result's sides are ``scale`` times those of x.

    Neighbouring tiles fade into each other linearly over their overlap. ``x``: [B, C, H, W]; the
    result lies where ``work`` puts its results.
    """
    height, width = (round(side * scale) for side in x.shape[-2:])
    total = weight = None
    for top, left in _corners(x.shape[-2:], tiles):
        result = work(x[..., top : top + tiles.size, left : left + tiles.size])
        if total is None or weight is None:
            total = result.new_zeros((*result.shape[:2], height, width))
            weight = result.new_zeros((1, 1, height, width))
        fade = _fade(result, round(tiles.overlap * scale))
        rows = slice(round(top * scale), round(top * scale) + result.shape[-2])
        columns = slice(round(left * scale), round(left * scale) + result.shape[-1])
        total[..., rows, columns] += result * fade
        weight[..., rows, columns] += fade
    if total is None or weight is None:
        raise ValueError("nothing to cut into tiles")
    return total.div_(weight)


def _corners(sides: torch.Size, tiles: Tiling) -> Iterator[tuple[int, int]]:
    height, width = sides
    for top in _starts(height, tiles):
        for left in _starts(width, tiles):
            yield top, left


def _starts(side: int, tiles: Tiling) -> list[int]:
    """Where tiles begin; the last one is moved back to end at the edge."""
    last = max(0, side - tiles.size)
    return [*range(0, last, tiles.size - tiles.overlap), last]


def _fade(tile: Tensor, overlap: int) -> Tensor:
    """Weights of a tile, [1, 1, h, w]: rising from near 0 at each edge to 1 within ``overlap``.

    The picture's own edges fade too, which the division by the sum of weights undoes.
    """
    rows, columns = (_ramp(side, overlap, tile) for side in tile.shape[-2:])
    return rows[None, None, :, None] * columns[None, None, None, :]


def _ramp(side: int, overlap: int, like: Tensor) -> Tensor:
    steps = torch.arange(1, side + 1, device=like.device, dtype=like.dtype)
    return (torch.minimum(steps, steps.flip(0)) / (overlap + 1)).clamp(max=1.0)

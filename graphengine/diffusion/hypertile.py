"""HyperTile: self-attention within tiles, which costs far less in large pictures.

After tfernd/HyperTile (MIT). Tiles change their size at random, so that no seams stay.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.self_attention import Attend, Grid, around_self_attention
from graphengine.sockets import Model

_PIXELS = 8  # of the picture's side to one of the latent's
_LEAST = 32


@dataclass(frozen=True)
class HyperTile(SamplingOption):
    """The rule as a model's option.

    ``tile_size``: least side of a tile in pixels of the picture. ``swap_size``: among how many
    sizes chance decides. ``max_depth``: 0 = only where the latent has its full size.
    ``scale_depth``: twice as large a tile per depth, in tokens.
    """

    tile_size: int
    swap_size: int
    max_depth: int
    scale_depth: bool

    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> AbstractContextManager[object]:
        """Tile the self-attentions, with the same chances in every sampling, until left."""
        del levels
        within = partial(self.attend_within, torch.Generator().manual_seed(0))
        return around_self_attention(unet, shape, within, max_depth=self.max_depth)

    def attend_within(
        self, generator: torch.Generator, x: Tensor, attend: Attend, grid: Grid
    ) -> Tensor:
        """What ``attend`` answers for each tile of ``x``, [B, N, C]."""
        least = max(_LEAST, self.tile_size) // _PIXELS
        if self.scale_depth:
            least <<= grid.depth
        height, width = (
            _divisor(side, least, self.swap_size, generator) for side in (grid.height, grid.width)
        )
        rows, columns = grid.height // height, grid.width // width
        channels = x.shape[-1]
        tiles = x.reshape(-1, rows, height, columns, width, channels).transpose(2, 3)
        answer = attend(tiles.flatten(0, 2).flatten(1, 2))
        whole = answer.reshape(-1, rows, columns, height, width, channels)
        return whole.transpose(2, 3).flatten(1, 4)


def _divisor(side: int, least: int, choices: int, generator: torch.Generator) -> int:
    """One of the smallest ``choices`` divisors of ``side`` that are at least ``least``."""
    fitting = [i for i in range(min(least, side), side + 1) if side % i == 0][:choices]
    return fitting[int(torch.randint(len(fitting), (), generator=generator))]


def add_hypertile(
    model: Model, *, tile_size: int, swap_size: int, max_depth: int, scale_depth: bool
) -> Model:
    """``model`` whose self-attention looks no further than its tile."""
    option = HyperTile(tile_size, swap_size, max_depth, scale_depth)
    return replace(model, options=(*model.options, option))

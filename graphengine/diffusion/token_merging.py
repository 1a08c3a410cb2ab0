"""Token merging: tokens that are alike pass through self-attention as one.

Bolya & Hoffman 2023 (arXiv:2303.17604), after their code (dbolya/tomesd, MIT): in each square of
2 × 2 tokens one, drawn at random, is a target; of all others the most similar are merged.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.self_attention import Attend, Grid, around_self_attention
from graphengine.sockets import Model


@dataclass(frozen=True)
class TokenMerging(SamplingOption):
    """The rule as a model's option. ``ratio``: the part of the tokens to merge, 3/4 at most."""

    ratio: float

    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> AbstractContextManager[object]:
        """Merge where the latent has its full size, with the same chances, until left."""
        del levels
        merged = partial(self.attend_merged, torch.Generator().manual_seed(0))
        return around_self_attention(unet, shape, merged, max_depth=0)

    def attend_merged(
        self, generator: torch.Generator, x: Tensor, attend: Attend, grid: Grid
    ) -> Tensor:
        """What ``attend`` answers for the tokens of ``x``, [B, N, C], while some are one."""
        count = int(grid.height * grid.width * self.ratio)
        if count == 0 or grid.height < 2 or grid.width < 2:
            return attend(x)
        matching = match(x, targets(grid, generator).to(x.device), count)
        return matching.unmerge(attend(matching.merge(x)))


def targets(grid: Grid, generator: torch.Generator) -> Tensor:
    """Which tokens are targets, one of each whole square of 2 × 2: [N] bool."""
    rows, columns = grid.height // 2, grid.width // 2
    chosen = torch.randint(4, (rows, columns, 1), generator=generator)
    squares = (torch.arange(4) == chosen).reshape(rows, columns, 2, 2).transpose(1, 2)
    found = torch.zeros(grid.height, grid.width, dtype=torch.bool)
    found[: 2 * rows, : 2 * columns] = squares.flatten(0, 1).flatten(1, 2)
    return found.flatten()


@dataclass(frozen=True, eq=False)
class Matching:
    """Who becomes one with whom, as token numbers.

    ``target``: [T]. ``alone``: [B, A], the others that stay. ``merged``: [B, M], those that do
    not. ``into``: [B, M], which of the targets each becomes one with.
    """

    target: Tensor
    alone: Tensor
    merged: Tensor
    into: Tensor

    def merge(self, x: Tensor) -> Tensor:
        """[B, A + T, C]: targets are the mean of themselves and all that become one with them."""
        into = self.into[..., None].expand(-1, -1, x.shape[-1])
        means = x[:, self.target].scatter_reduce(1, into, _pick(x, self.merged), "mean")
        return torch.cat([_pick(x, self.alone), means], dim=1)

    def unmerge(self, y: Tensor) -> Tensor:
        """[B, N, C]: what became one gets the same answer."""
        kept = self.alone.shape[1]
        alone, means = y[:, :kept], y[:, kept:]
        target = self.target.expand(len(y), -1)
        order = torch.cat([self.alone, target, self.merged], dim=1)
        answers = torch.cat([alone, means, _pick(means, self.into)], dim=1)
        return torch.empty_like(answers).scatter_(
            1, order[..., None].expand(-1, -1, y.shape[-1]), answers
        )


def match(x: Tensor, is_target: Tensor, count: int) -> Matching:
    """The ``count`` tokens of ``x``, [B, N, C], that are most like a target, and which."""
    directions = normalize(x, dim=-1)
    target, others = is_target.nonzero()[:, 0], (~is_target).nonzero()[:, 0]
    likeness = directions[:, others] @ directions[:, target].transpose(1, 2)
    best, which = likeness.max(dim=-1)
    order = best.argsort(dim=-1, descending=True)
    merged, alone = order[:, :count], order[:, count:]
    return Matching(target, others[alone], others[merged], which.gather(1, merged))


def _pick(x: Tensor, numbers: Tensor) -> Tensor:
    """The tokens of these numbers: x [B, N, C], numbers [B, M] → [B, M, C]."""
    return x.gather(1, numbers[..., None].expand(-1, -1, x.shape[-1]))


def add_token_merging(model: Model, ratio: float) -> Model:
    """``model`` whose self-attention merges this part of the tokens."""
    return replace(model, options=(*model.options, TokenMerging(ratio)))

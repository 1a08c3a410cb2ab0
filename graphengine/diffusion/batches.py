"""Batches of tensors: of another length, a part, split anew. The batch is dimension 0."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import torch
from torch import Tensor


def fit_batch(x: Tensor, count: int) -> Tensor:
    """``x`` with ``count`` items: cut, or begun again from its first item."""
    if len(x) >= count:
        return x[:count]
    return x[torch.arange(count, device=x.device) % len(x)]


def extend_batch(x: Tensor, count: int) -> Tensor:
    """``x`` with at least ``count`` items, the last one repeated."""
    return torch.cat([x, x[-1:].expand(max(0, count - len(x)), *x.shape[1:])])


def part_of(count: int, first: int, length: int) -> slice:
    """Up to ``length`` of ``count`` items from ``first`` on; at least the last one."""
    first = min(first, count - 1)
    return slice(first, min(first + length, count))


def rebatch(batches: Iterable[Tensor], size: int) -> list[Tensor]:
    """The items of all batches in order, in new batches of ``size``.

    A batch ends early where items of another shape follow, and at the end.
    """
    items = (item for batch in batches for item in batch)
    joined = (torch.stack(list(group)) for _, group in groupby(items, lambda item: item.shape))
    return [part for batch in joined for part in torch.split(batch, size)]

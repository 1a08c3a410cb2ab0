"""Grey-scale morphology with flat structuring elements (Serra 1982).

Values beyond the edge do not count. ``x``: [..., H, W] with one or two dimensions before.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

Operation = Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"]


def transform(x: Tensor, operation: Operation, side: int) -> Tensor:
    """``x`` after an operation with a square of ``side`` pixels.

    open = erode, then dilate; close = dilate, then erode; gradient = dilated - eroded;
    bottom_hat = closed - x; top_hat = x - opened.
    """
    match operation:
        case "erode":
            return erode(x, side)
        case "dilate":
            return dilate(x, side)
        case "open":
            return dilate(erode(x, side), side)
        case "close":
            return erode(dilate(x, side), side)
        case "gradient":
            return dilate(x, side) - erode(x, side)
        case "bottom_hat":
            return transform(x, "close", side) - x
        case "top_hat":
            return x - transform(x, "open", side)


def dilate(x: Tensor, side: int) -> Tensor:
    """The greatest value of the ``side`` × ``side`` square around each.

    An even square reaches one pixel further up and left than down and right.
    """
    before, after = side // 2, side - 1 - side // 2
    around = pad(x, (before, after, before, after), value=-math.inf)
    # One direction after the other gives the same as the square, in 2n instead of n² steps.
    return max_pool2d(max_pool2d(around, (1, side), stride=1), (side, 1), stride=1)


def erode(x: Tensor, side: int) -> Tensor:
    """The least value of the same square."""
    return -dilate(-x, side)


def dilate_diamond(x: Tensor, steps: int) -> Tensor:
    """The greatest value within ``steps`` moves up, down, left or right."""
    for _ in range(steps):
        around = pad(x, (1, 1, 1, 1), value=-math.inf)
        rows = torch.maximum(around[..., :-2, 1:-1], around[..., 2:, 1:-1])
        columns = torch.maximum(around[..., 1:-1, :-2], around[..., 1:-1, 2:])
        grown = torch.maximum(x, torch.maximum(rows, columns))
        if torch.equal(grown, x):
            break
        x = grown
    return x

"""Numbers as waves: how networks are told a time, a size or a level.

Vaswani et al. 2017 (arXiv:1706.03762), section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LONGEST = 10000


def sinusoidal_embedding(values: Sequence[float], width: int) -> Tensor:
    """One row a number, [len(values), width] float32: the cosines first, then the sines."""
    half = width // 2
    frequencies = torch.exp(-math.log(_LONGEST) * torch.arange(half, dtype=torch.float32) / half)
    angles = torch.tensor(values, dtype=torch.float32)[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)

"""Weights rounded to a coarser number format than they are stored in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from graphengine.sockets import Model

FORMATS: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "fp8_e4m3fn": torch.float8_e4m3fn,
        "fp8_e4m3fn_fast": torch.float8_e4m3fn,
        "fp8_e5m2": torch.float8_e5m2,
    }
)


@dataclass(frozen=True)
class RoundWeights:
    """Every tensor of a network at the nearest value of one of `FORMATS`, as a patch."""

    format: str

    def changes(
        self, network: str, shapes: Mapping[str, torch.Size]
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """The rounding, for each tensor."""
        del network
        rounding = partial(rounded, dtype=FORMATS[self.format])
        return dict.fromkeys(shapes, rounding)


def rounded(tensor: Tensor, *, dtype: torch.dtype) -> Tensor:
    """``tensor`` in its own dtype, at values that ``dtype`` has."""
    return tensor.to(dtype).to(tensor.dtype)


def round_weights(model: Model, weight_dtype: str) -> Model:
    """``model`` with weights in a format of `FORMATS`; "default" leaves them as they are."""
    if weight_dtype == "default":
        return model
    return replace(model, patches=(*model.patches, RoundWeights(weight_dtype)))

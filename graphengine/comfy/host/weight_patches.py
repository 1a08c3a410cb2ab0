"""Tensors that plugins add to a model's weights, named as in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.keys import from_file, unet_table
from graphengine.diffusion.layouts import read_unet_layout
from graphengine.diffusion.residency import Change
from graphengine.errors import InputError
from graphengine.sockets import Weights

_PREFIX = "diffusion_model."


@dataclass(frozen=True, eq=False)
class DiffPatch:
    """weight · ``keep`` + diff · ``strength``, for the tensors named in ``diffs``."""

    weights: Weights
    diffs: Mapping[str, Tensor]
    strength: float
    keep: float

    @classmethod
    def of(
        cls, weights: Weights, patches: Mapping[str, Any], strength: float, keep: float
    ) -> DiffPatch:
        """A patch of differences; raises InputError for another kind of patch."""
        diffs = {
            name.removeprefix(_PREFIX): _difference(name, value) for name, value in patches.items()
        }
        return cls(weights, diffs, strength, keep)

    def changes(self, network: str, shapes: Mapping[str, torch.Size]) -> dict[str, Change]:
        """What becomes of the touched tensors."""
        if network != "unet":
            return {}
        layout = read_unet_layout(open_tensors(self.weights.file).under(self.weights.prefix))
        table = unet_table(layout)
        found: dict[str, Change] = {}
        for name in shapes:
            source = table.source(name)
            diff = self.diffs.get(source.key)
            if diff is not None:
                own = from_file(source.form, diff)
                found[name] = partial(_added, diff=own, strength=self.strength, keep=self.keep)
        return found


def _difference(name: str, value: Any) -> Tensor:
    """The tensor in ``("diff", (tensor,))``, ``(tensor,)`` or the tensor itself."""
    if isinstance(value, tuple | list) and len(value) == 2 and value[0] == "diff":
        value = value[1]
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Tensor):
        raise InputError(
            "hosted_value", input=name, expected='("diff", (tensor,))', got=type(value).__name__
        )
    return value


def _added(weight: Tensor, *, diff: Tensor, strength: float, keep: float) -> Tensor:
    return weight * keep + diff.to(weight) * strength

"""A network's tensors with its patches applied, one at a time, outside of a `ModelStore`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.networks import open_text_encoder, open_unet, open_vae
from graphengine.diffusion.residency import TensorPatch
from graphengine.sockets import WeightPatch, Weights

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class PatchedTensor:
    """A stored tensor (memory-mapped) and what its patches make of it."""

    stored: Tensor
    steps: tuple[Change, ...] = ()

    @property
    def shape(self) -> torch.Size:
        """The shape, which patches do not change."""
        return self.stored.shape

    def compute(self, device: torch.device | str = "cpu") -> Tensor:
        """The patched tensor in float32."""
        tensor = self.stored.to(device, torch.float32)
        for change in self.steps:
            tensor = change(tensor)
        return tensor

    def as_stored(self) -> Tensor:
        """The patched tensor in the dtype of the stored one."""
        return self.compute().to(self.stored.dtype) if self.steps else self.stored


def open_network(weights: Weights, network: str) -> nn.Module:
    """The network of a file: ``network`` is "unet", "vae", "clip_l", "clip_g" or "clip_h"."""
    if network == "unet":
        return open_unet(weights)
    if network == "vae":
        return open_vae(weights)
    return open_text_encoder(weights, network)  # type: ignore[arg-type]


def shapes_of(weights: Weights, network: str) -> dict[str, torch.Size]:
    """The network's own names of its tensors, and their shapes; reads no tensor."""
    return {key: value.shape for key, value in open_network(weights, network).state_dict().items()}


def patched_state(
    weights: Weights, network: str, patches: Iterable[WeightPatch]
) -> dict[str, PatchedTensor]:
    """All tensors of a network under its own names, with what the patches make of them."""
    state: Mapping[str, Tensor] = open_network(weights, network).state_dict()
    shapes = {key: tensor.shape for key, tensor in state.items()}
    steps: dict[str, list[Change]] = {}
    for patch in patches:
        # sockets only promise hashability, because they know nothing of tensors.
        for key, change in cast("TensorPatch", patch).changes(network, shapes).items():
            steps.setdefault(key, []).append(change)
    return {key: PatchedTensor(tensor, tuple(steps.get(key, ()))) for key, tensor in state.items()}

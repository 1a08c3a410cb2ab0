"""Control-LoRAs: ControlNets that are kept as small changes of the model that they steer.

Stability AI's files (stabilityai/control-lora). Where a ControlNet has the model's own layers, a
file keeps low-rank factors of their difference to the model's (``….up``, ``….down``); what it
keeps as a whole (``….weight``, ``….bias``) stands for itself, and what it lacks is the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from graphengine.diffusion.controlnet import (
    build_controlnet,
    controlnet_table,
    read_controlnet_layout,
)
from graphengine.diffusion.files import TensorFile, TensorInfo, open_tensors
from graphengine.diffusion.networks import assign
from graphengine.diffusion.patching import PatchedTensor, patched_state
from graphengine.sockets import WeightPatch, Weights

MARK = "lora_controlnet"


def with_products(tensors: TensorFile) -> TensorFile:
    """A Control-LoRA's tensors, its factors multiplied to ``….weight``."""
    names = [key.removesuffix(".up") for key in tensors if key.endswith(".up")]
    products = {
        f"{name}.weight": TensorInfo(_product_shape(tensors, name), tensors[f"{name}.up"].dtype)
        for name in names
    }
    whole = {key: info for key, info in tensors.infos.items() if not key.endswith((".up", ".down"))}

    def read(key: str) -> Tensor:
        if key not in products:
            return tensors.read(key)
        name = key.removesuffix(".weight")
        up, down = (tensors.read(f"{name}.{part}").float() for part in ("up", "down"))
        return (up.flatten(1) @ down.flatten(1)).reshape(products[key].shape)

    return replace(tensors, infos={**whole, **products}, read=read)


def _product_shape(tensors: TensorFile, name: str) -> tuple[int, ...]:
    return tensors.shape(f"{name}.up")[0], *tensors.shape(f"{name}.down")[1:]


def open_control_lora(weights: Weights) -> nn.Module:
    """A ControlNetModel of the changes alone: float32, zero where the model's weights stay."""
    tensors = with_products(open_tensors(weights.file).under(weights.prefix))
    layout = read_controlnet_layout(tensors)
    network, table = build_controlnet(layout), controlnet_table(layout)
    state = {}
    for key, empty in network.state_dict().items():
        source = table.source(key).key
        stored = tensors.tensor(source).float() if source in tensors else torch.zeros(empty.shape)
        state[key] = stored.reshape(empty.shape)
    return assign(network, state)


@dataclass(frozen=True)
class AddModelBelow:
    """A model's weights, with its patches, under the changes of a Control-LoRA."""

    lora: Weights
    weights: Weights
    patches: tuple[WeightPatch, ...] = ()

    def changes(
        self, network: str, shapes: Mapping[str, torch.Size]
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """The sum, for each tensor of the model's that the file does not keep as a whole."""
        del network
        stored = open_tensors(self.lora.file).under(self.lora.prefix)
        table = controlnet_table(read_controlnet_layout(with_products(stored)))
        lacking = {
            key: shape for key, shape in shapes.items() if table.source(key).key not in stored
        }
        return sums(self.weights, self.patches, lacking)


def sums(
    weights: Weights, patches: tuple[WeightPatch, ...], shapes: Mapping[str, torch.Size]
) -> dict[str, Callable[[Tensor], Tensor]]:
    """For each of these tensors that a model's UNet has too: it, plus the patched model's."""
    state = patched_state(weights, "unet", patches)
    return {
        key: partial(_sum, state[key])
        for key, shape in shapes.items()
        if key in state and state[key].shape == shape
    }


def _sum(tensor: PatchedTensor, change: Tensor) -> Tensor:
    return change + tensor.compute(change.device)

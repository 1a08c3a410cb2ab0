"""Hypernetworks: small networks before the keys and values of every attention.

The kind that AUTOMATIC1111's web UI trains: a file holds, for each width of attention input, two
perceptrons whose outputs are added to what becomes keys and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType

import torch
from torch import Tensor, nn

from graphengine.diffusion.files import read_stored
from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.patching import shapes_of
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import FileRef, Model

_ACTIVATIONS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "linear": nn.Identity,
        "relu": nn.ReLU,
        "leakyrelu": nn.LeakyReLU,
        "elu": nn.ELU,
        "gelu": nn.GELU,
        "mish": nn.Mish,
        "sigmoid": nn.Sigmoid,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
        "softsign": nn.Softsign,
        # Under this name the web UI trained with the piecewise approximation.
        "swish": nn.Hardswish,
        "tanh": nn.Tanh,
    }
)
# The first files had exactly two layers, with names of their own.
_OLD_NAMES = {"linear1": "linear.0", "linear2": "linear.1"}


@dataclass(frozen=True)
class Hypernetwork(SamplingOption):
    """A hypernetwork file at a strength, as a model's option."""

    file: FileRef
    strength: float

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Let it act before every key and value projection of its widths, until left."""
        del levels, shape
        parameter = next(unet.parameters())
        networks = {
            width: tuple(network.to(parameter) for network in pair)
            for width, pair in read_hypernetwork(self.file).items()
        }
        hooks = [
            projection.register_forward_pre_hook(_Addition(networks[width][side], self.strength))
            for side, width, projection in _projections(unet)
            if width in networks
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True, eq=False)
class _Addition:
    """A hook: the input of a layer with a network's output added to it, strength times."""

    network: nn.Module
    strength: float

    def __call__(self, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = inputs
        return x + self.strength * self.network(x), *rest


def _projections(unet: nn.Module) -> Iterator[tuple[int, int, nn.Linear]]:
    """All attentions' projections: 0 for keys and 1 for values, input width, layer."""
    for name, layer in unet.named_modules():
        side = {"to_k": 0, "to_v": 1}.get(name.rpartition(".")[2])
        if side is not None and isinstance(layer, nn.Linear):
            yield side, layer.in_features, layer


def add_hypernetwork(model: Model, file: FileRef, strength: float) -> Model:
    """The model with a hypernetwork; several act one after another. At strength 0 as it is.

    Raises ModelFileError if the file holds none, InputError if it fits no width of the model's.
    """
    if strength == 0:
        return model
    shapes = shapes_of(model.weights, "unet")
    got = {shape[1] for key, shape in shapes.items() if key.endswith("to_k.weight")}
    widths = read_hypernetwork(file).keys()
    if not widths & got:
        raise InputError(
            "hypernetwork_other_family", path=file.path, got=sorted(widths), expected=sorted(got)
        )
    return replace(model, options=(*model.options, Hypernetwork(file, strength)))


def read_hypernetwork(file: FileRef) -> dict[int, tuple[nn.Module, nn.Module]]:
    """For each width of input the networks for keys and for values, float32 on the CPU.

    Raises ModelFileError if the file holds no hypernetwork, or one with an unknown activation.
    """
    stored = read_stored(file)
    pairs = {
        width: pair
        for width, pair in (stored.items() if isinstance(stored, Mapping) else ())
        if isinstance(width, int) and isinstance(pair, list | tuple) and len(pair) == 2
    }
    if not pairs:
        raise ModelFileError("hypernetwork_is_none", path=file.path)
    activation = str(stored.get("activation_func") or "linear").lower()
    if activation not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ModelFileError(
            "hypernetwork_activation", path=file.path, name=activation, known=known
        )
    shape = _Shape(_ACTIVATIONS[activation], bool(stored.get("activate_output", False)))
    return {
        width: (_network(first, shape), _network(second, shape))
        for width, (first, second) in pairs.items()
    }


@dataclass(frozen=True)
class _Shape:
    """What the tensors do not tell: the activation, and whether the last layer has one too."""

    activation: type[nn.Module]
    activate_output: bool


def _network(stored: Mapping[str, Tensor], shape: _Shape) -> nn.Module:
    """The perceptron: linear layers, each with its activation and layer norm, if it has them."""
    layers = [_layer(parts) for parts in _by_layer(stored)]
    linear = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    network: list[nn.Module] = []
    for i, layer in enumerate(layers):
        network.append(layer)
        if isinstance(layer, nn.Linear) and (i != linear[-1] or shape.activate_output):
            network.append(shape.activation())
    return nn.Sequential(*network).eval().requires_grad_(False)


def _by_layer(stored: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Weight and bias of each layer, in order; the numbers skip activations and dropouts."""
    entries = []
    for key, tensor in stored.items():
        name, _, part = key.rpartition(".")
        number = int(_OLD_NAMES.get(name, name).rpartition(".")[2])
        entries.append((number, part, tensor))
    entries.sort(key=lambda entry: entry[:2])
    for _, group in groupby(entries, key=lambda entry: entry[0]):
        yield {part: tensor for _, part, tensor in group}


def _layer(parts: Mapping[str, Tensor]) -> nn.Module:
    weight = parts["weight"]
    with torch.device("meta"):
        layer: nn.Module = (
            nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in parts)
            if weight.ndim == 2
            else nn.LayerNorm(weight.shape[0])
        )
    layer.load_state_dict({key: tensor.float() for key, tensor in parts.items()}, assign=True)
    return layer

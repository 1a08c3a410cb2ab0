"""ComfyUI's ``comfy.ops``: layers of torch for plugins' own networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from graphengine.comfy.host.stand_ins import missing


def cast_to_input(weight: Any, input: Tensor, non_blocking: bool = False, copy: bool = True) -> Any:
    """A weight as an input is."""
    del non_blocking, copy
    return None if weight is None else weight.to(input)


def cast_bias_weight(s: Any, input: Tensor, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """A layer's weight and bias as its input is."""
    del args, kwargs
    return cast_to_input(s.weight, input), cast_to_input(s.bias, input)


class _Uninitialised:
    """A layer whose weights are not drawn, as they come from a file."""

    comfy_cast_weights = False

    def reset_parameters(self) -> None:
        return None


class _Casting(_Uninitialised):
    """A layer that computes as its input is."""

    comfy_cast_weights = True

    def forward(self, x: Tensor, *rest: Any) -> Any:
        own = dict(self.named_parameters())  # type: ignore[attr-defined]  # of the layer
        like = (x.device, x.dtype)
        if not x.is_floating_point() or all((t.device, t.dtype) == like for t in own.values()):
            return super().forward(x, *rest)  # type: ignore[misc]  # of the layer
        cast = {name: tensor.to(x) for name, tensor in own.items()}
        layer: Any = self
        return torch.func.functional_call(layer, cast, (x, *rest))


_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.Embedding,
)


class disable_weight_init:
    """Layers whose weights are not drawn."""

    @classmethod
    def conv_nd(cls, dims: int, *args: Any, **kwargs: Any) -> Any:
        """A convolution of so many dimensions."""
        return getattr(cls, f"Conv{dims}d")(*args, **kwargs)


class manual_cast(disable_weight_init):
    """Layers that compute as their input is."""


for _layer in _LAYERS:
    for _home, _how in ((disable_weight_init, _Uninitialised), (manual_cast, _Casting)):
        setattr(_home, _layer.__name__, type(_layer.__name__, (_how, _layer), {}))


def __getattr__(name: str) -> Any:
    return missing("comfy.ops", name)

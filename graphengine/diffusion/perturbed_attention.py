"""Perturbed-attention guidance: away from what the network paints without looking around.

Ahn et al. 2024 (arXiv:2403.17377).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import Tensor, nn

from graphengine.diffusion.guidance import Look, SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.sockets import Model

# Whether this thread's present call of a network is the perturbed one: networks are shared.
_PERTURBED: ContextVar[bool] = ContextVar("perturbed", default=False)


@dataclass(frozen=True)
class PerturbedAttention(SamplingOption):
    """The guidance at a scale, as a model's option."""

    scale: float

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Make the middle block's self-attention perturbable, until left."""
        del levels, shape
        hooks = [layer.register_forward_hook(_values_only) for layer in _self_attentions(unet)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        """The guided prediction plus scale · (conditional - perturbed)."""
        if self.scale == 0:
            return denoised
        with _perturbed():
            without_looking, _ = look.predict(look.x, look.sigma)
        return denoised + self.scale * (look.cond - without_looking)


@contextmanager
def _perturbed() -> Iterator[None]:
    token = _PERTURBED.set(True)
    try:
        yield
    finally:
        _PERTURBED.reset(token)


def _self_attentions(unet: nn.Module) -> Iterator[nn.Module]:
    for name, layer in cast("Any", unet).mid_block.named_modules():
        if name.rpartition(".")[2] == "attn1":
            yield layer


def _values_only(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """A hook: every token attends to itself alone, so that its value is the answer."""
    if not _PERTURBED.get():
        return output
    values: Tensor = layer.to_out[0](layer.to_v(inputs[0]))
    return values


def add_perturbed_attention(model: Model, scale: float) -> Model:
    """``model`` guided by perturbed attention too."""
    return replace(model, options=(*model.options, PerturbedAttention(scale)))

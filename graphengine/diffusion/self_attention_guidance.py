"""Self-attention guidance: away from what the network paints where it looks most, seen blurred.

Hong et al. 2023 (arXiv:2210.00939), section 5, after diffusers' pipeline (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from graphengine.diffusion.filters import gaussian_blur
from graphengine.diffusion.guidance import PRESENT_CALL, Look, SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.sockets import Model

# The paper's: tokens that get more than their even share of attention are blurred.
_THRESHOLD = 1.0
_BLUR_RADIUS = 4
_NEGATIVE = 1

_MAPS: ContextVar[dict[int, Tensor]] = ContextVar("attention_maps")
"""This sampling's last attention maps: side → [B, 1, rows, columns]."""


@dataclass(frozen=True)
class SelfAttentionGuidance(SamplingOption):
    """The guidance at a scale, as a model's option. ``blur_sigma``: in latent pixels."""

    scale: float
    blur_sigma: float

    @property
    def needs_uncond(self) -> bool:
        """Whether the negative side is wanted: its attention is what is looked at."""
        return True

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Keep how much attention each place of the middle block gets, until left."""
        del levels
        network = cast("Any", unet)
        halvings = sum(block.downsamplers is not None for block in network.down_blocks)
        grid = tuple(-(-side // 2**halvings) for side in shape[-2:])
        layer = network.mid_block.attentions[0].transformer_blocks[0].attn1
        hook = layer.register_forward_hook(partial(_keep_map, grid))
        token = _MAPS.set({})
        try:
            yield
        finally:
            _MAPS.reset(token)
            hook.remove()

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        """The guided prediction plus scale · (blurred guess - what is painted from it)."""
        seen = _MAPS.get().get(_NEGATIVE)
        if look.uncond is None or seen is None or self.scale == 0 or self.blur_sigma == 0:
            return denoised
        looked_at = interpolate((seen > _THRESHOLD).float(), size=look.x.shape[-2:])
        blurred = gaussian_blur(look.uncond, _BLUR_RADIUS, self.blur_sigma)
        degraded = blurred * looked_at + look.uncond * (1 - looked_at)
        # The same noise on the degraded guess.
        _, painted = look.predict(degraded + look.x - look.uncond, look.sigma)
        if painted is None:
            return denoised
        return denoised + self.scale * (degraded - painted)


def _keep_map(
    grid: tuple[int, int], layer: Any, inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    """A hook that notes the attention that each token of the negative side gets from all."""
    del output
    x, call = inputs[0], PRESENT_CALL.get()
    # Of several negative conditions the first.
    rows = call.rows(_NEGATIVE)[: len(call.x) // len(call.sides)]
    if rows and x.shape[1] == grid[0] * grid[1]:
        _MAPS.get()[_NEGATIVE] = attention_received(layer, x[rows]).reshape(-1, 1, *grid)


def attention_received(layer: Any, x: Tensor) -> Tensor:
    """The attention that each token gets from all tokens, the mean over the heads: [B, N].

    ``layer``: diffusers' Attention. ``x``: [B, N, C].
    """
    query, key = (_heads(project(x), layer.heads) for project in (layer.to_q, layer.to_k))
    weights = torch.softmax(query @ key.transpose(-1, -2) * layer.scale, dim=-1)
    return weights.float().mean(dim=1).sum(dim=1)


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)


def add_self_attention_guidance(model: Model, scale: float, blur_sigma: float) -> Model:
    """``model`` guided by its own attention too."""
    return replace(model, options=(*model.options, SelfAttentionGuidance(scale, blur_sigma)))

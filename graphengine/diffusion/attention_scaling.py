"""Attention whose projections count more or less, as patches of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from graphengine.sockets import Clip, Model


@dataclass(frozen=True)
class AttentionScales:
    """Factors on what asks, what is asked, what is answered, and what comes of it."""

    query: float
    key: float
    value: float
    out: float


@dataclass(frozen=True)
class ScaleAttention:
    """The weights and biases of some attention layers, times their factors.

    ``layer``: what the layers are called, "attn1" (self), "attn2" (cross) or "self_attn" (CLIP).
    """

    layer: str
    scales: AttentionScales

    def changes(
        self, network: str, shapes: Mapping[str, torch.Size]
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """The product, for each projection of those layers."""
        del network
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        if self.layer != "self_attn":
            names = ("to_q", "to_k", "to_v", "to_out.0")
        scales = self.scales.query, self.scales.key, self.scales.value, self.scales.out
        factors = {f"{self.layer}.{name}": scale for name, scale in zip(names, scales, strict=True)}
        found: dict[str, Callable[[Tensor], Tensor]] = {}
        for key in shapes:
            module, _, _ = key.rpartition(".")
            factor = next((f for name, f in factors.items() if module.endswith(f".{name}")), 1.0)
            if factor != 1.0:
                found[key] = partial(torch.mul, other=factor)
        return found


def scale_attention(model: Model, layer: str, scales: AttentionScales) -> Model:
    """``model`` with its self-attention ("attn1") or cross-attention ("attn2") scaled."""
    return replace(model, patches=(*model.patches, ScaleAttention(layer, scales)))


def scale_clip_attention(clip: Clip, scales: AttentionScales) -> Clip:
    """``clip`` with the attention of its text encoders scaled."""
    return replace(clip, patches=(*clip.patches, ScaleAttention("self_attn", scales)))

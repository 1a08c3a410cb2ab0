"""Merges of models: weights computed from those of two networks of one shape.

A merge is a patch like a LoRA: it changes copies of the first network's tensors with the second's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from graphengine.diffusion.patching import PatchedTensor, patched_state
from graphengine.sockets import Clip, Model, WeightPatch, Weights

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Blocks:
    """How much of the first network each part keeps: encoder half, middle, decoder half.

    The time embedding goes with the encoder half, the last convolution with the decoder half.
    """

    input: float
    middle: float
    out: float

    def of(self, key: str) -> float:
        """The share for a tensor of the network."""
        if key.startswith("mid_block."):
            return self.middle
        return (
            self.out
            if key.startswith(("up_blocks.", "conv_norm_out.", "conv_out."))
            else self.input
        )


@dataclass(frozen=True)
class MergePatch:
    """first · ``keep`` + second · ``take``, per tensor.

    ``second`` and ``patches``: the other network's weights and its own patches. Tensors of
    another shape (the wider first convolution of an inpainting model) stay as they are.
    ``kind``: which text encoder the second is; None for a UNet.
    """

    second: Weights
    patches: tuple[WeightPatch, ...]
    keep: Blocks
    take: Blocks
    kind: str | None = None

    def changes(self, network: str, shapes: Mapping[str, torch.Size]) -> dict[str, Change]:
        """What becomes of each tensor that both networks have in the same shape."""
        if (self.kind or "unet") != network:
            return {}
        other = patched_state(self.second, network, self.patches)
        return {
            key: partial(_merged, other=other[key], keep=self.keep.of(key), take=self.take.of(key))
            for key, shape in shapes.items()
            if key in other and other[key].shape == shape
        }


def merge_models(first: Model, second: Model, keep: Blocks, take: Blocks) -> Model:
    """The model whose weights are first · keep + second · take."""
    patch = MergePatch(second.weights, second.patches, keep, take)
    return replace(first, patches=(*first.patches, patch))


def merge_clips(first: Clip, second: Clip, *, keep: float, take: float) -> Clip:
    """The text encoders whose weights are first · keep + second · take, each with its like."""
    patches = [
        MergePatch(other.weights, second.patches, even(keep), even(take), other.kind)
        for encoder in first.encoders
        for other in second.encoders
        if encoder.kind == other.kind
    ]
    return replace(first, patches=(*first.patches, *patches))


def even(share: float) -> Blocks:
    """The same share everywhere."""
    return Blocks(share, share, share)


def _merged(weight: Tensor, *, other: PatchedTensor, keep: float, take: float) -> Tensor:
    return weight * keep + other.compute(weight.device) * take

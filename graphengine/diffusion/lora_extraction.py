"""A LoRA made of the difference between two models.

Hu et al. 2021 (arXiv:2106.09685); the best low-rank part of a matrix is that of its singular value
decomposition (Eckart & Young 1936). That outliers are cut off at a quantile comes from kohya's
extract_lora_from_models.py (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from graphengine.diffusion.checkpoint_saving import unet_tensors, write_tensors
from graphengine.diffusion.patching import patched_state
from graphengine.errors import InputError
from graphengine.sockets import Clip, Model

LoraType = Literal["standard", "full_diff"]
CLAMP_QUANTILE = 0.99
_STORED = torch.float16


def save_lora(
    path: Path,
    model: Model | None,
    clip: Clip | None,
    *,
    rank: int,
    lora_type: LoraType,
    bias_diff: bool,
    metadata: Mapping[str, Any],
) -> None:
    """Write the weights of ``model`` and ``clip``, which are differences, as one LoRA file.

    ``lora_type``: "standard" keeps the ``rank`` strongest directions of each weight, "full_diff"
    all of it. ``bias_diff``: biases too. InputError if there is neither model nor text encoder.
    """
    if model is None and clip is None:
        raise InputError("lora_of_nothing")
    tensors: dict[str, Tensor] = {}
    for key, difference in _differences(model, clip):
        name, _, last = key.rpartition(".")
        if last == "weight" and difference.ndim >= 2 and lora_type == "standard":
            up, down = low_rank(difference, rank)
            tensors |= {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
        elif last == "weight":
            tensors[f"{name}.diff"] = difference
        elif last == "bias" and bias_diff:
            tensors[f"{name}.diff_b"] = difference
    write_tensors(
        path, {key: tensor.to(_STORED).contiguous() for key, tensor in tensors.items()}, metadata
    )


def _differences(model: Model | None, clip: Clip | None) -> Iterator[tuple[str, Tensor]]:
    """All tensors, float32, under the names that programs of the field give to what they train."""
    if model is not None:
        for key, tensor in unet_tensors(model).items():
            yield f"diffusion_model.{key}", tensor.float()
    for encoder in () if clip is None else clip.encoders:
        state = patched_state(encoder.weights, encoder.kind, clip.patches if clip else ())
        for key, patched in state.items():
            inner = key if key.startswith("text_projection.") else f"text_model.{key}"
            yield f"text_encoders.{encoder.kind}.transformer.{inner}", patched.compute()


def low_rank(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(up, down) whose product is the best of rank ``rank``: [O, r, 1, 1] and [r, I, h, w].

    ``weight``: [O, I] or [O, I, h, w] float32; of a matrix, [O, r] and [r, I].
    """
    matrix = weight.flatten(1)
    rank = min(rank, *matrix.shape)
    left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
    up, down = left[:, :rank] * strengths[:rank], right[:rank]
    most = _quantile(torch.cat([up.flatten(), down.flatten()]), CLAMP_QUANTILE)
    up, down = up.clamp(-most, most), down.clamp(-most, most)
    ones = [1] * (weight.ndim - 2)
    return up.reshape(len(weight), rank, *ones), down.reshape(rank, *weight.shape[1:])


def _quantile(values: Tensor, share: float) -> float:
    """As torch.quantile, which refuses more than 16 million values."""
    ordered = values.sort().values
    low, rest = divmod(share * (len(ordered) - 1), 1)
    high = min(int(low) + 1, len(ordered) - 1)
    return float(torch.lerp(ordered[int(low)], ordered[high], rest))

"""ComfyUI's ``comfy.k_diffusion.utils``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def append_dims(x: Any, target_dims: int) -> Any:
    """``x`` with dimensions of 1 behind its own, ``target_dims`` in all."""
    return x.reshape(x.shape + (1,) * (target_dims - x.ndim))


def append_zero(x: Any) -> Any:
    """A row of numbers and a 0."""
    import torch

    return torch.cat([x, x.new_zeros([1])])


def __getattr__(name: str) -> Any:
    return missing("comfy.k_diffusion.utils", name)

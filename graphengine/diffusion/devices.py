"""Where networks run: the device, its memory, its number formats."""

from __future__ import annotations

import os

import torch

from graphengine.errors import InputError
from graphengine.sockets import Weights

GIB = 1 << 30


def choose_device(wanted: torch.device | str | None = None) -> torch.device:
    """The device of that name; "auto" and None mean the best one.

    Raises InputError if this machine or this PyTorch has no such device.
    """
    if wanted is None or wanted == "auto":
        return best_device()
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).partition("\n")[0]
        raise InputError("device_missing", device=str(wanted), cause=cause) from error
    return device


def best_device() -> torch.device:
    """The first of CUDA (also ROCm), Apple's MPS and CPU that this machine has."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def compute_dtype(
    device: torch.device, part: str, stored: torch.dtype = torch.float32
) -> torch.dtype:
    """The dtype in which a network of this part (``Weights.part``) computes on ``device``.

    CPU: float32 throughout. Elsewhere denoising networks compute in half precision (bfloat16 if
    so stored and the device can), everything that runs once per picture in float32.
    """
    if device.type == "cpu" or part not in _HALF_PRECISION_PARTS:
        return torch.float32
    if stored is torch.bfloat16 and device.type == "cuda":
        return torch.bfloat16
    return torch.float16


_HALF_PRECISION_PARTS = frozenset({"unet", "controlnet"})


def storage_dtype(weights: Weights) -> torch.dtype | None:
    """The dtype to which weights are rounded before they are computed with; None = as stored.

    ComfyUI keeps CLIP in float16 on every device and computes in float32; rounding alike is what
    makes equal seeds give equal pictures.
    """
    return torch.float16 if weights.part in ("clip", "clip_vision") else None


def memory_budget(device: torch.device) -> int:
    """Bytes that networks may fill on ``device``; the rest is for activations and others."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(free - 2 * GIB, free // 2)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() * 0.6)
    return _physical_memory() // 2


def release_cached(device: torch.device) -> None:
    """Give memory that PyTorch holds in reserve back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch says that the device (or the machine) has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _MEMORY_SIGNS)


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 16 * GIB

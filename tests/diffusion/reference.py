"""Reference numbers for sampling, computed with ComfyUI 0.3.64 and torchsde 0.2.6."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


@cache
def sampling_reference() -> dict[str, Any]:
    """Tables, schedules, noise and the end states of all samplers (read-only)."""
    path = Path(__file__).parents[1] / "data" / "sampling.json"
    reference: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return reference


class ReferenceDenoiser:
    """The analytic denoiser behind the reference numbers."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return 0.9 * x / (1 + sigma**2) + 0.05 * torch.sin(sigma)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, 0.8 * denoised

"""ComfyUI's ``comfy.ldm.modules.diffusionmodules.util``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def timestep_embedding(
    timesteps: Any, dim: int, max_period: int = 10000, repeat_only: bool = False
) -> Any:
    """Timesteps as cosines and sines: [N, dim]."""
    import math

    import torch

    if repeat_only:
        return timesteps[:, None].expand(-1, dim)
    steps = torch.arange(dim // 2, dtype=torch.float32, device=timesteps.device)
    angles = timesteps[:, None].float() * torch.exp(-math.log(max_period) * steps / (dim // 2))
    found = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.nn.functional.pad(found, (0, dim % 2))


def __getattr__(name: str) -> Any:
    return missing("comfy.ldm.modules.diffusionmodules.util", name)

"""ComfyUI's ``comfy.latent_formats``: how families scale their latents."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.base_model import LatentFormat
from graphengine.comfy.host.stand_ins import missing

__all__ = ["SD15", "SDXL", "SD_X4", "LatentFormat"]


class SD15(LatentFormat):
    """Stable Diffusion 1.x and 2.x."""

    scale_factor = 0.18215
    taesd_decoder_name = "taesd_decoder"


class SDXL(LatentFormat):
    """SDXL and its refiner."""

    scale_factor = 0.13025
    taesd_decoder_name = "taesdxl_decoder"


class SD_X4(LatentFormat):
    """Stability's upscaler."""

    scale_factor = 0.08333


def __getattr__(name: str) -> Any:
    return missing("comfy.latent_formats", name)

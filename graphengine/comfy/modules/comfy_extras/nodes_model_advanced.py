"""ComfyUI's ``comfy_extras.nodes_model_advanced``: our nodes as classes, and noise levels."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.core_classes import extra_name
from graphengine.comfy.host.noise_levels import LCM, X0
from graphengine.comfy.modules.comfy.model_sampling import rescale_zero_terminal_snr_sigmas

__all__ = ["LCM", "X0", "rescale_zero_terminal_snr_sigmas"]


def __getattr__(name: str) -> Any:
    return extra_name("comfy_extras.nodes_model_advanced", name)

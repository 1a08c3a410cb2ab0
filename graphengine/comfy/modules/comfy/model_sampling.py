"""ComfyUI's ``comfy.model_sampling``: noise levels and parametrisations to derive from."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.noise_levels import (
    CONST,
    EDM,
    EPS,
    IMG_TO_IMG,
    V_PREDICTION,
    X0,
    ModelSamplingContinuousEDM,
    ModelSamplingContinuousV,
    ModelSamplingDiscrete,
    ModelSamplingDiscreteFlow,
)
from graphengine.comfy.host.stand_ins import missing

__all__ = [
    "CONST",
    "EDM",
    "EPS",
    "IMG_TO_IMG",
    "V_PREDICTION",
    "X0",
    "ModelSamplingContinuousEDM",
    "ModelSamplingContinuousV",
    "ModelSamplingDiscrete",
    "ModelSamplingDiscreteFlow",
]


def rescale_zero_terminal_snr_sigmas(sigmas: Any) -> Any:
    """Levels rescaled to end in (nearly) pure noise: Lin et al. 2023, Alg. 1."""
    from graphengine.diffusion.model_sampling import zero_terminal_snr

    alphas = zero_terminal_snr(1 / (sigmas.double() ** 2 + 1))
    return ((1 - alphas) / alphas).sqrt().float()


def __getattr__(name: str) -> Any:
    return missing("comfy.model_sampling", name)

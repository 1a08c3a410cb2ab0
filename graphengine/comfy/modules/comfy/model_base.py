"""ComfyUI's ``comfy.model_base``: what a MODEL's ``model`` is an instance of."""

from __future__ import annotations

from enum import Enum
from typing import Any

from graphengine.comfy.host.base_model import SD21UNCLIP, SDXL, BaseModel, SDXLRefiner
from graphengine.comfy.host.stand_ins import missing

__all__ = ["SD21UNCLIP", "SDXL", "BaseModel", "SDXLRefiner"]


class ModelType(Enum):
    """How a network's output is read."""

    EPS = 1
    V_PREDICTION = 2
    V_PREDICTION_EDM = 3
    STABLE_CASCADE = 4
    EDM = 5
    FLOW = 6
    V_PREDICTION_CONTINUOUS = 7
    FLUX = 8
    IMG_TO_IMG = 9


def __getattr__(name: str) -> Any:
    if name == "model_sampling":
        from graphengine.comfy.modules.comfy import model_sampling

        return model_sampling
    return missing("comfy.model_base", name)

"""ComfyUI's ``comfy.comfy_types.node_typing``: names of types, and bases that only document."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypedDict

from graphengine.comfy.host.stand_ins import missing


class IO(StrEnum):
    """Types of links; ``ANY`` differs from none."""

    STRING = "STRING"
    IMAGE = "IMAGE"
    MASK = "MASK"
    LATENT = "LATENT"
    BOOLEAN = "BOOLEAN"
    INT = "INT"
    FLOAT = "FLOAT"
    COMBO = "COMBO"
    CONDITIONING = "CONDITIONING"
    SAMPLER = "SAMPLER"
    SIGMAS = "SIGMAS"
    GUIDER = "GUIDER"
    NOISE = "NOISE"
    CLIP = "CLIP"
    CONTROL_NET = "CONTROL_NET"
    VAE = "VAE"
    MODEL = "MODEL"
    LORA_MODEL = "LORA_MODEL"
    LOSS_MAP = "LOSS_MAP"
    CLIP_VISION = "CLIP_VISION"
    CLIP_VISION_OUTPUT = "CLIP_VISION_OUTPUT"
    STYLE_MODEL = "STYLE_MODEL"
    GLIGEN = "GLIGEN"
    UPSCALE_MODEL = "UPSCALE_MODEL"
    AUDIO = "AUDIO"
    WEBCAM = "WEBCAM"
    POINT = "POINT"
    FACE_ANALYSIS = "FACE_ANALYSIS"
    BBOX = "BBOX"
    SEGS = "SEGS"
    VIDEO = "VIDEO"
    ANY = "*"
    NUMBER = "FLOAT,INT"
    PRIMITIVE = "STRING,FLOAT,INT,BOOLEAN"

    def __ne__(self, other: object) -> bool:
        if self.value == "*" or other == "*":
            return False
        if not isinstance(other, str):
            return True
        return set(self.value.split(",")).isdisjoint(other.split(","))

    __hash__ = str.__hash__


class InputTypeDict(TypedDict, total=False):
    """What INPUT_TYPES returns."""

    required: dict[str, Any]
    optional: dict[str, Any]
    hidden: dict[str, Any]


class ComfyNodeABC:
    """A base that documents what a node class has; it adds nothing."""

    DESCRIPTION: str
    CATEGORY: str
    EXPERIMENTAL: bool
    DEPRECATED: bool

    @classmethod
    def INPUT_TYPES(cls) -> Any:
        """The inputs: none."""
        return {"required": {}}

    OUTPUT_NODE: bool = False
    FUNCTION: str
    RETURN_TYPES: tuple[Any, ...] = ()


class CheckLazyMixin:
    """Asks for every lazy input that is not there yet."""

    def check_lazy_status(self, **kwargs: Any) -> list[str]:
        """The names of what is missing."""
        return [name for name, value in kwargs.items() if value is None or value == (None,)]


class FileLocator(TypedDict, total=False):
    """Where a file lies."""

    filename: str
    subfolder: str
    type: str


def __getattr__(name: str) -> Any:
    if name.endswith(("Options", "Dict")):
        return dict
    return missing("comfy.comfy_types.node_typing", name)

"""ComfyUI's ``comfy.clip_vision``: what sees pictures."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.other_networks import ClipVisionModel
from graphengine.comfy.host.other_networks import ClipVisionOutput as Output
from graphengine.comfy.host.stand_ins import missing

__all__ = ["ClipVisionModel", "Output"]


def load(ckpt_path: str) -> ClipVisionModel:
    """The CLIP vision model in a file."""
    from graphengine.diffusion.clip_vision import load_clip_vision_file

    return ClipVisionModel(load_clip_vision_file(ckpt_path))


def clip_preprocess(
    image: Any, size: int = 224, mean: Any = None, std: Any = None, crop: Any = True
) -> Any:
    """Pictures [B, H, W, C] as CLIP was shown them: [B, 3, size, size]."""
    from graphengine.diffusion.clip_vision import preprocessed

    del mean, std
    return preprocessed(image, size, "center" if crop in (True, "center") else "none")


def __getattr__(name: str) -> Any:
    return missing("comfy.clip_vision", name)

"""Node types of the field for models that this engine does not know, by what their names say."""

from __future__ import annotations

import re

# Node types are named in camel case, so that a word ends where no small letter follows.
_MODELS = {
    "Stable Video Diffusion": r"^SVD_|^Video(Linear|Triangle)CFGGuidance",
    "Stable Zero123 or SV3D": r"^StableZero123_|^SV3D_",
    "PhotoMaker": r"^PhotoMaker",
    "Stable Diffusion's x4 upscaler": r"^SD_4XUpscale_",
    "Stable Cascade": r"StableCascade",
    "Stable Diffusion 3": r"SD3(?![a-z])|^TripleCLIPLoader$|^ControlNetInpaintingAliMama",
    "Flux": r"Flux(?![a-z])",
    "Wan": r"^Wan(?![a-z])",
    "Hunyuan": r"Hunyuan",
    "LTX-Video": r"LTXV(?![a-z])",
    "Cosmos": r"Cosmos(?![a-z])",
    "Mochi": r"Mochi(?![a-z])",
    "Qwen-Image": r"QwenImage",
    "HiDream": r"HiDream|^QuadrupleCLIPLoader$",
    "AuraFlow": r"AuraFlow",
    "Lumina": r"Lumina2?(?![a-z])",
}


def models_of(node_type: str) -> str | None:
    """The models that a node type is for by its name; None if the name tells nothing."""
    return next((name for name, found in _MODELS.items() if re.search(found, node_type)), None)

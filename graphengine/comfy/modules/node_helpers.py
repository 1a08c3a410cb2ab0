"""ComfyUI's ``node_helpers``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from graphengine.comfy.host.stand_ins import missing


def conditioning_set_values(
    conditioning: Any, values: dict[str, Any] | None = None, append: bool = False
) -> list[list[Any]]:
    """A conditioning whose every condition has these options; ``append`` adds to lists."""
    changed = []
    for embedding, options in conditioning:
        new = dict(options)
        for name, value in (values or {}).items():
            there = new.get(name)
            new[name] = there + value if append and there is not None else value
        changed.append([embedding, new])
    return changed


def pillow(function: Callable[..., Any], arg: Any) -> Any:
    """A Pillow function's result; a picture that is cut off is read as far as it goes."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        return function(arg)
    except (OSError, SyntaxError, ValueError):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return function(arg)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def hasher() -> Callable[..., Any]:
    """The hash function of files."""
    return hashlib.sha256


def string_to_torch_dtype(string: str) -> Any:
    """A type of numbers by its short name; None for another name."""
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}.get(string)


def image_alpha_fix(destination: Any, source: Any) -> tuple[Any, Any]:
    """Two pictures [B, H, W, C] with the same number of channels."""
    import torch

    if destination.shape[-1] < source.shape[-1]:
        source = source[..., : destination.shape[-1]]
    elif destination.shape[-1] > source.shape[-1]:
        destination = torch.nn.functional.pad(destination, (0, 1))
        destination[..., -1] = 1.0
    return destination, source


def __getattr__(name: str) -> Any:
    return missing("node_helpers", name)

"""ComfyUI's ``comfy_api.v0_0_1``: the same as the latest."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy_api.latest import (
    ComfyAPI,
    ComfyAPISync,
    ComfyExtension,
    Input,
    InputImpl,
    Types,
    io,
    ui,
)

ComfyAPIAdapter_v0_0_1 = ComfyAPI
__all__ = ["ComfyAPI", "ComfyAPISync", "ComfyExtension", "Input", "InputImpl", "Types", "io", "ui"]


def __getattr__(name: str) -> Any:
    return missing("comfy_api.v0_0_1", name)

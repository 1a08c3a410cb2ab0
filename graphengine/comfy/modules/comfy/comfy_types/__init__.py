"""ComfyUI's ``comfy.comfy_types``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy.comfy_types.node_typing import (
    IO,
    CheckLazyMixin,
    ComfyNodeABC,
    FileLocator,
    InputTypeDict,
)

__all__ = ["IO", "CheckLazyMixin", "ComfyNodeABC", "FileLocator", "InputTypeDict"]
UnetApplyFunction = Callable[..., Any]
UnetWrapperFunction = Callable[..., Any]
UnetParams = UnetApplyConds = dict


def __getattr__(name: str) -> Any:
    return missing("comfy.comfy_types", name)

"""ComfyUI's ``comfy.ldm``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def __getattr__(name: str) -> Any:
    return missing("comfy.ldm", name)

"""ComfyUI's ``comfy.lora_convert``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def convert_lora(sd: dict[str, Any]) -> dict[str, Any]:
    """The same: all ways of naming are known where they are read."""
    return sd


def __getattr__(name: str) -> Any:
    return missing("comfy.lora_convert", name)

"""ComfyUI's ``comfy.supported_models``: families are recognised here by the shapes in a file."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing

models: list[Any] = []
"""Empty; what plugins add is never asked."""


def __getattr__(name: str) -> Any:
    return missing("comfy.supported_models", name)

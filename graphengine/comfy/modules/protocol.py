"""ComfyUI's ``protocol``."""

from graphengine.comfy.modules.server import BinaryEventTypes

__all__ = ["BinaryEventTypes"]

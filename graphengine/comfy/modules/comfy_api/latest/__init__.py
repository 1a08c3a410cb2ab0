"""ComfyUI's ``comfy_api.latest``: its third API for nodes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from graphengine.comfy.host.running import of_node, running_context, show
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy_api.latest import _io as io
from graphengine.comfy.modules.comfy_api.latest import _ui as ui

__all__ = [
    "IO",
    "UI",
    "ComfyAPI",
    "ComfyAPISync",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "io",
    "ui",
]
IO = io
UI = ui


class _Names(SimpleNamespace):
    """Names of values; those that mean nothing here can be named all the same."""

    def __getattr__(self, name: str) -> Any:
        return missing(f"comfy_api.latest.{self.of}", name)


Input = _Names(of="Input", Image=Any, Mask=Any, Latent=dict, Audio=dict)
InputImpl = _Names(of="InputImpl")
Types = _Names(of="Types")


class ComfyExtension:
    """What a plugin's ``comfy_entrypoint`` returns."""

    async def on_load(self) -> None:
        """Called once by other servers when the plugin is loaded; not here."""

    async def get_node_list(self) -> list[Any]:
        """The node classes."""
        raise NotImplementedError(f"{type(self).__name__} has no get_node_list()")


class _Execution:
    """What a node may ask of its run."""

    async def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """Say how far a node is, by default the one whose call this is."""
        _set_progress(value, max_value, node_id, preview_image)
        del ignore_size_limit
        await asyncio.sleep(0)


class ComfyAPI:
    """A node's surroundings, asynchronously."""

    VERSION = "latest"
    STABLE = False
    Execution = _Execution

    def __init__(self) -> None:
        self.execution = _Execution()

    async def set_progress(self, *args: Any, **kwargs: Any) -> None:
        """As ``execution.set_progress``."""
        await self.execution.set_progress(*args, **kwargs)


class _ExecutionSync:
    """What a node may ask of its run."""

    def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """Say how far a node is, by default the one whose call this is."""
        del ignore_size_limit
        _set_progress(value, max_value, node_id, preview_image)


class ComfyAPISync:
    """A node's surroundings."""

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = _ExecutionSync()

    def set_progress(self, *args: Any, **kwargs: Any) -> None:
        """As ``execution.set_progress``."""
        self.execution.set_progress(*args, **kwargs)


def __getattr__(name: str) -> Any:
    return missing("comfy_api.latest", name)


def _set_progress(value: float, max_value: float, node_id: str | None, image: Any) -> None:
    context = running_context()
    if context is None:
        raise RuntimeError("set_progress needs a node's call that is under way, in its own thread")
    told = of_node(context, node_id)
    if image is not None:
        show(told, lambda: _picture(image))
    told.progress(value, max_value)


def _picture(image: Any) -> Any:
    """A PIL image of [B, H, W, C] or [H, W, C] with values 0..1."""
    if not hasattr(image, "ndim"):
        return image
    import PIL.Image

    first = image[0] if image.ndim == 4 else image
    pixels = (first.detach().cpu().float() * 255).clamp(0, 255).byte().numpy()
    return PIL.Image.fromarray(pixels.squeeze())

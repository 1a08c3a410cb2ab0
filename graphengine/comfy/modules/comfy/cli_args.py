"""ComfyUI's ``comfy.cli_args``: its flags, answered from this installation's settings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host


class LatentPreviewMethod:
    """How previews are made."""

    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"


class _Args(SimpleNamespace):
    """Flags that were given, None or False for all others."""

    def __getattr__(self, name: str) -> Any:
        host = the_host()
        if name == "cpu":
            return host.device == "cpu"
        if name == "disable_metadata":
            context = running_context()
            return context is not None and not context.run.embed_metadata
        if name in _OF_SERVER:
            attribute, default = _OF_SERVER[name]
            return getattr(host.server, attribute, default)
        folders = {"output_directory": host.folders.output, "input_directory": host.folders.input}
        if name in folders:
            return str(folders[name])
        if name.startswith("__"):
            raise AttributeError(name)
        return False


_OF_SERVER = {"listen": ("address", "127.0.0.1"), "port": ("port", 8188)}
args = _Args(
    preview_method=LatentPreviewMethod.Auto,
    verbose="INFO",
    reserve_vram=None,
    cuda_device=None,
    directml=None,
)


def __getattr__(name: str) -> Any:
    return missing("comfy.cli_args", name)

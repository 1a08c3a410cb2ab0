"""ComfyUI's ``comfy.options``."""

from __future__ import annotations

args_parsing = False


def enable_args_parsing(enable: bool = True) -> None:
    """Nothing to do: this server reads its own command line."""
    del enable

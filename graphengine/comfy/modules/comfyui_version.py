"""ComfyUI's ``comfyui_version``: the version whose plugins this one hosts."""

__version__ = "0.3.64"

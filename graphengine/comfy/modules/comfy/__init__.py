"""ComfyUI's ``comfy``."""

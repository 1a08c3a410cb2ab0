"""Runs plugins that were written for ComfyUI, unmodified, as nodes of this engine."""

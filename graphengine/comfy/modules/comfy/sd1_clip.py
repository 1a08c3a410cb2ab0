"""ComfyUI's ``comfy.sd1_clip``: how prompts are weighted."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def escape_important(text: str) -> str:
    """A prompt whose escaped brackets are not read as weights."""
    return text.replace("\\)", "\0\1").replace("\\(", "\0\2")


def unescape_important(text: str) -> str:
    """What `escape_important` hid, as plain brackets."""
    return text.replace("\0\1", ")").replace("\0\2", "(")


def token_weights(string: str, current_weight: float) -> list[tuple[str, float]]:
    """The parts of a prompt with their weights, brackets read."""
    from graphengine.diffusion.prompt import parse

    return [(part.text, part.weight * current_weight) for part in parse(string)]


def __getattr__(name: str) -> Any:
    return missing("comfy.sd1_clip", name)

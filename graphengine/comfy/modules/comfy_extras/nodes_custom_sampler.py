"""ComfyUI's ``comfy_extras.nodes_custom_sampler``: our nodes as classes, and noise."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.core_classes import extra_name
from graphengine.comfy.host.networks import Noise
from graphengine.sockets import Noise as Described


class Noise_EmptyNoise(Noise):
    """No noise."""

    def __init__(self) -> None:
        super().__init__(Described(None))


class Noise_RandomNoise(Noise):
    """Noise from a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(Described(seed))


def __getattr__(name: str) -> Any:
    return extra_name("comfy_extras.nodes_custom_sampler", name)

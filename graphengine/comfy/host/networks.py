"""Networks as ComfyUI's nodes know them: objects with methods around our descriptions.

A description says which weights, how patched, how called. The objects here hold one, change it
by making another, and ask the run's store for the network itself only when something is computed.
"""

from __future__ import annotations

from typing import Any

from graphengine import sockets
from graphengine.errors import GraphEngineError


class NotHere(GraphEngineError):
    """Something of ComfyUI's own classes that plugins may call and that is not offered here."""


class ModelPatcher:
    """A model; what it is asked to change it changes in its own description only."""

    def __init__(self, model: sockets.Model) -> None:
        self.description = model

    def clone(self) -> ModelPatcher:
        """Another one that may be changed by itself."""
        return ModelPatcher(self.description)

    def __getattr__(self, name: str) -> Any:
        raise _not_here("MODEL", name)


class Clip:
    """A text encoder."""

    def __init__(self, clip: sockets.Clip) -> None:
        self.description = clip

    def __getattr__(self, name: str) -> Any:
        raise _not_here("CLIP", name)


class Vae:
    """What turns pictures into latents and back."""

    def __init__(self, vae: sockets.Vae) -> None:
        self.description = vae

    def __getattr__(self, name: str) -> Any:
        raise _not_here("VAE", name)


class Noise:
    """Noise from a seed."""

    def __init__(self, noise: sockets.Noise) -> None:
        self.description = noise
        self.seed = noise.seed


def model_of(value: Any) -> sockets.Model:
    """The description in a hosted model; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def clip_of(value: Any) -> sockets.Clip:
    """The description in a hosted text encoder; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def vae_of(value: Any) -> sockets.Vae:
    """The description in a hosted VAE; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def noise_of(value: Any) -> sockets.Noise:
    """The noise in a hosted object; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def _not_here(kind: str, name: str) -> Exception:
    return AttributeError(f"graphengine's {kind} has no {name!r}: docs/en/coming-from-comfyui.md")

"""Answers about all nodes, made anew only when something has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from graphengine.comfy.node_info import asks_folders, choices_of, hosted_info
from graphengine.engine import Engine
from graphengine.folders import Folders
from graphengine.json_text import dump_json
from graphengine.parameters import Choice
from graphengine.registry import Registry


class NodeListing:
    """An answer about all nodes, made anew only when the nodes or their files have changed."""

    def __init__(self, make: Callable[[Registry, Folders], Any], engine: Engine) -> None:
        self._make = make
        self._engine = engine
        self._folders = engine.folders
        self._seen: Any = None
        self._answer = (b"", "")

    def current(self) -> tuple[bytes, str]:
        """All of it as JSON, and an ETag that changes with it."""
        registry = self._engine.registry
        seen = (registry.specs(), self._choices(registry))
        if seen != self._seen:
            made = self._make(registry, self._folders)
            body = dump_json(made).encode()
            self._answer = (body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')
            self._seen = seen
        return self._answer

    def _choices(self, registry: Registry) -> dict[str, Any]:
        """What can be chosen now where that comes from the folders; all that hosted nodes say."""
        found = {"embeddings": self._folders.list("embeddings"), **hosted_info(registry)}
        for spec in registry.specs():
            for slot in spec.inputs:
                widget = slot.widget
                if isinstance(widget, Choice) and asks_folders(widget):
                    key = f"{spec.id}.{slot.name}"
                    found[key] = tuple(choices_of(widget, self._folders))
        return found

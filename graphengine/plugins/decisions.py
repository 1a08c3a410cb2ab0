"""Which plugins the person has enabled, by name and digest: ``plugins.json`` in the user folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from graphengine.errors import GraphEngineError
from graphengine.files import write_whole
from graphengine.plugins.plugin import State
from graphengine.plugins.source import PluginFolders, Source


@dataclass(frozen=True)
class Decisions:
    """``enabled``: the digest of each plugin as it was when it was enabled."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    enabled: Mapping[str, str] = field(default_factory=dict)
    disabled: tuple[str, ...] = ()

    def state(self, source: Source) -> State:
        """Whether a plugin may run, and if not, why."""
        if source.name in self.disabled:
            return "disabled"
        known = self.enabled.get(source.name)
        if source.trusted or known == source.digest:
            return "enabled"
        return "new" if known is None else "changed"

    def enable(self, name: str, digest: str) -> Decisions:
        """With a plugin enabled as it is now."""
        others = tuple(other for other in self.disabled if other != name)
        return replace(self, enabled={**self.enabled, name: digest}, disabled=others)

    def disable(self, name: str) -> Decisions:
        """With a plugin switched off, whatever it holds."""
        without = self.forget(name)
        return replace(without, disabled=(*without.disabled, name))

    def forget(self, name: str) -> Decisions:
        """As if the plugin had never been there."""
        enabled = {other: digest for other, digest in self.enabled.items() if other != name}
        return Decisions(enabled, tuple(other for other in self.disabled if other != name))


def load_decisions(file: Path | None) -> Decisions:
    """The decisions in a file, if it is there; raises GraphEngineError if it is damaged."""
    if file is None or not file.is_file():
        return Decisions()
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Decisions).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        cause = str(error).splitlines()[0]
        raise GraphEngineError("plugin_decisions", file=str(file), cause=cause) from error


def change_decisions(folders: PluginFolders, change: Callable[[Decisions], Decisions]) -> Decisions:
    """Change what is decided, one process at a time; what holds from now on."""
    from filelock import FileLock

    file = folders.decisions
    if file is None:
        return Decisions()
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f".{file.name}.lock")):
        decided = change(load_decisions(file))
        save_decisions(file, decided)
    return decided


def save_decisions(file: Path, decisions: Decisions) -> None:
    """Write the file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    stored = {"enabled": dict(decisions.enabled), "disabled": list(decisions.disabled)}
    write_whole(file, json.dumps(stored, ensure_ascii=False, indent=2).encode())

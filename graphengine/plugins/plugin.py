"""A plugin as the registry knows it: what it is, whether it may run, what came of loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphengine.errors import Problem
from graphengine.plugins.manifest import NO_MANIFEST, Manifest
from graphengine.spec import NodeSpec

State = Literal["enabled", "new", "changed", "disabled"]


@dataclass(frozen=True)
class LoadFailure:
    """Something that could not be loaded: which file, where in it, and why."""

    package: str
    file: str
    line: int
    cause: str


@dataclass(frozen=True, eq=False)
class Plugin:
    """A plugin. Unless it is enabled, none of it has run and it has no nodes.

    ``path``: the file or folder that it is; ``installed``: it came with a Python package.
    ``digest``: sha256 of its code. ``web``: the folder of its scripts for the editor.
    ``workflows``: its example workflows.
    """

    name: str
    path: Path
    digest: str
    state: State
    installed: bool = False
    manifest: Manifest = NO_MANIFEST
    specs: tuple[NodeSpec, ...] = ()
    failures: tuple[LoadFailure, ...] = ()
    web: Path | None = None
    workflows: tuple[Path, ...] = ()

    @property
    def notice(self) -> Problem | None:
        """What a person has to know and do before it runs; None if it does or was switched off."""
        code = {"new": "plugin_new", "changed": "plugin_changed"}.get(self.state)
        details = {"name": self.name, "path": self.path}
        return None if code is None else Problem(code, severity="warning", details=details)

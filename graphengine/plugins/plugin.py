"""A plugin as the registry knows it: what it is, whether it may run, what came of loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from graphengine.errors import LANGUAGES, ByLanguage, GraphEngineError, Problem, said
from graphengine.plugins.manifest import NO_MANIFEST, Manifest
from graphengine.spec import NodeSpec

State = Literal["enabled", "new", "changed", "disabled"]


@dataclass(frozen=True)
class LoadFailure:
    """Something that could not be loaded: which file, where in it, and why."""

    package: str
    file: str
    line: int
    causes: ByLanguage

    @property
    def cause(self) -> str:
        """Why, in English or in Python's words."""
        return self.causes["en"]

    @property
    def where(self) -> str:
        """The file, and the line where one is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def problem(self) -> Problem:
        """As it is told beside other problems."""
        return Problem("cli_load_failure", details={"where": self.where, "cause": self.causes})

    def as_dict(self) -> dict[str, Any]:
        """As JSON values: the same for the command line and the server."""
        return {
            "package": self.package,
            "file": self.file,
            "line": self.line,
            "cause": self.cause,
            "message": self.causes,
        }


def causes_of(error: BaseException) -> ByLanguage:
    """Why something could not be loaded: in our texts where it is an error of ours, or Python's."""
    if isinstance(error, GraphEngineError):
        return error.texts()
    return ByLanguage(dict.fromkeys(LANGUAGES, said(error)))


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

    def as_dict(self) -> dict[str, Any]:
        """As JSON values: the same for the command line and the server."""
        notice = self.notice
        return {
            "name": self.name,
            "title": self.manifest.name or self.name,
            "version": self.manifest.version,
            "description": self.manifest.description,
            "path": str(self.path),
            "digest": self.digest,
            "state": self.state,
            "installed": self.installed,
            "isolated": self.manifest.isolated,
            "capabilities": list(self.manifest.capabilities),
            "dependencies": list(self.manifest.dependencies),
            "nodes": [spec.id for spec in self.specs],
            "failures": [failure.as_dict() for failure in self.failures],
            "notice": None if notice is None else notice.as_dict(),
            "scripts": list(self.script_addresses),
            "workflows": [name for name, _ in self.templates],
        }

    @property
    def scripts(self) -> tuple[str, ...]:
        """The JavaScript modules of ``web``, by their names below it; none unless it may run."""
        if self.web is None or self.state != "enabled":
            return ()
        files = (file for file in self.web.rglob("*") if file.suffix in (".js", ".mjs"))
        return tuple(sorted(file.relative_to(self.web).as_posix() for file in files))

    @property
    def script_addresses(self) -> tuple[str, ...]:
        """Where the server answers with them."""
        base = f"/api/v1/plugins/{quote(self.name)}/web/"
        return tuple(base + quote(name) for name in self.scripts)

    @property
    def templates(self) -> tuple[tuple[str, Path], ...]:
        """Its example workflows by the names that templates have."""
        named = ((f"{self.name}:{path.stem}", path) for path in self.workflows)
        return tuple(named) if self.state == "enabled" else ()

    @property
    def notice(self) -> Problem | None:
        """What a person has to know and do before it runs; None if it does or was switched off."""
        code = {"new": "plugin_new", "changed": "plugin_changed"}.get(self.state)
        details = {"name": self.name, "path": self.path}
        return None if code is None else Problem(code, severity="warning", details=details)

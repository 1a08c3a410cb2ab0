"""A plugin's manifest: ``[tool.graphengine.plugin]`` of its pyproject.toml, or its plugin.toml.

name, version and dependencies stand in ``[project]`` of a pyproject.toml unless they are repeated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from graphengine.errors import GraphEngineError
from graphengine.reasons import findings

ENTRY_POINTS = "graphengine.nodes"
"""The group of entry points by which packages name their modules of nodes."""
Capability = Literal["files", "network", "subprocess"]


class ManifestError(GraphEngineError):
    """A manifest that cannot be read; says which file and why."""


@dataclass(frozen=True)
class Manifest:
    """What a plugin says of itself.

    ``capabilities``: what its nodes do beside computing; a person is told before they enable it.
    ``isolated``: its nodes run in a process and a virtual environment of their own.
    ``module``: the module of its nodes, as its entry point names it; '' = the folder itself.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: str = ""
    version: str = ""
    description: str = ""
    capabilities: tuple[Capability, ...] = ()
    dependencies: tuple[str, ...] = ()
    isolated: bool = False
    module: str = ""


NO_MANIFEST = Manifest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a plugin's folder, empty if there is none; raises `ManifestError`."""
    project, plugin = folder / "pyproject.toml", folder / "plugin.toml"
    values: dict[str, Any] = {}
    if project.is_file():
        values |= _project(_table(project))
    if plugin.is_file():
        values |= _table(plugin)
    return _checked(values, plugin if plugin.is_file() else project) if values else NO_MANIFEST


def _project(table: Mapping[str, Any]) -> dict[str, Any]:
    project = _part(table, "project")
    taken = ("name", "version", "description", "dependencies")
    values = {name: project[name] for name in taken if name in project}
    points = _part(_part(project, "entry-points"), ENTRY_POINTS)
    if points:
        values["module"] = str(next(iter(points.values()))).partition(":")[0]
    return values | _part(_part(_part(table, "tool"), "graphengine"), "plugin")


def _part(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = table.get(name)
    return dict(part) if isinstance(part, Mapping) else {}


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError("plugin_manifest", file=str(file), cause=str(error)) from error


def _checked(values: Mapping[str, Any], file: Path) -> Manifest:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Manifest).validate_python(dict(values))
    except ValidationError as error:
        cause = next(findings(error)).placed
        raise ManifestError("plugin_manifest", file=str(file), cause=cause) from error

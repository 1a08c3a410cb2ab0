"""Installs packages by pip without changing what is installed; tried out first.

Every installed package is a constraint, so whatever a plugin needs must fit beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError

_MOST_LINES = 8
_CONFLICT = "The conflict is caused by:"
_LIST = (
    "from importlib.metadata import distributions\n"
    "for each in distributions(): print(f'{each.name}=={each.version}')"
)


class DependencyConflict(GraphEngineError):
    """Packages that cannot be installed beside those that are there; says why, as pip does."""


def resolve(requirements: Sequence[str], python: Path = Path(sys.executable)) -> tuple[str, ...]:
    """What would be installed, as ``name==version``; nothing is. Raises `DependencyConflict`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        _install(requirements, python, "--dry-run", "--report", str(report))
        found: list[dict[str, Any]] = json.loads(report.read_bytes())["install"]
    named = (entry["metadata"] for entry in found)
    return tuple(f"{each['name']}=={each['version']}" for each in named)


def install(requirements: Sequence[str], python: Path = Path(sys.executable)) -> None:
    """Install them; raises `DependencyConflict`."""
    _install(requirements, python)


def uninstall(name: str, python: Path = Path(sys.executable)) -> None:
    """Remove a package; raises GraphEngineError."""
    done = _pip(python, "uninstall", "--yes", name)
    if done.returncode:
        raise GraphEngineError("plugin_not_removed", name=name, cause=_cause(done))


def _install(requirements: Sequence[str], python: Path, *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "installed.txt"
        constraints.write_text(_installed(python), encoding="utf-8")
        done = _pip(python, "install", "-c", str(constraints), *options, "--", *requirements)
    if done.returncode:
        names = ", ".join(requirements)
        raise DependencyConflict("plugin_conflict", requirements=names, cause=_cause(done))


def _installed(python: Path) -> str:
    """Every installed package with its version, one a line."""
    done = subprocess.run([python, "-c", _LIST], capture_output=True, text=True, check=True)
    return done.stdout


def _pip(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if python != Path(sys.executable):
        command += ["--python", str(python)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def _cause(done: subprocess.CompletedProcess[str]) -> str:
    """What pip says of it: which packages want what, else its last lines."""
    _, found, conflict = done.stdout.partition(_CONFLICT)
    if found:
        lines = conflict.partition("\n\n")[0].splitlines()
    else:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    told = [line.strip().removeprefix("ERROR: ") for line in lines if line.strip()]
    return "; ".join(told[:_MOST_LINES])

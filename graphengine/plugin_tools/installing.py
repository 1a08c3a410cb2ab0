"""Puts a plugin into place, from a path or as a Python package, and takes it away again."""

from __future__ import annotations

import re
import secrets
import shutil
import sys
from importlib import metadata
from pathlib import Path

from graphengine.errors import GraphEngineError
from graphengine.plugin_tools import pip
from graphengine.plugins.decisions import change_decisions
from graphengine.plugins.manifest import ENTRY_POINTS
from graphengine.plugins.plugin import Plugin
from graphengine.plugins.source import PluginFolders, Source, source_at

_PACKAGE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".git", ".venv", "node_modules", "*.pyc")


def add_plugin(what: str, folders: PluginFolders, python: Path = Path(sys.executable)) -> str:
    """Put a plugin into place; its name. It does not run before it is enabled.

    ``what``: a file or folder that is copied into the plugin folder, or what pip calls a
    requirement. Its dependencies are resolved first, and nothing happens if they do not fit beside
    what is installed. Raises GraphEngineError.
    """
    path = Path(what).expanduser()
    if path.exists() and path.suffix not in (".whl", ".gz"):
        return _add_path(path.resolve(), folders, python)
    return _add_package(what, python)


def remove_plugin(plugin: Plugin, folders: PluginFolders) -> None:
    """Take a plugin away, and what was decided about it; raises GraphEngineError."""
    if plugin.installed:
        pip.uninstall(plugin.name)
    else:
        _delete(plugin.path)
    if folders.environments is not None:
        for environment in folders.environments.glob(f"{plugin.name}-*"):
            shutil.rmtree(environment, ignore_errors=True)
    change_decisions(folders, lambda known: known.forget(plugin.name))


def _add_path(path: Path, folders: PluginFolders, python: Path) -> str:
    source = source_at(path)
    if source is None:
        raise GraphEngineError("check_no_plugin", path=str(path))
    manifest = source.manifest()
    target = folders.all[0] / path.name
    if target.exists() or any((folder / path.name).exists() for folder in folders.all):
        raise GraphEngineError("plugin_exists", path=str(target))
    if manifest.dependencies and not manifest.isolated:  # those of isolated ones concern nobody
        pip.resolve(manifest.dependencies, python)
        pip.install(manifest.dependencies, python)
    _copy(source, target)
    return source.name


def _copy(source: Source, target: Path) -> None:
    """Copy it under another name first, so that a half-copied plugin is never seen."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        if source.path.is_dir():
            shutil.copytree(source.path, beside, ignore=_NOT_COPIED)
        else:
            shutil.copy2(source.path, beside)
            for texts in source.path.parent.glob(f"{source.path.stem}.*.toml"):
                shutil.copy2(texts, target.parent / texts.name)
        beside.rename(target)
    except BaseException:
        _delete(beside)
        raise


def _delete(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        for texts in path.parent.glob(f"{path.stem}.*.toml"):
            texts.unlink()
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=not path.exists())


def _add_package(requirement: str, python: Path) -> str:
    found = pip.resolve([requirement], python)
    named = _PACKAGE_NAME.match(Path(requirement).name)
    wanted = "" if named is None else _normal(named[0])
    names = [one.partition("==")[0] for one in found]
    name = next(
        (one for one in names if wanted.startswith(_normal(one))), names[-1] if names else ""
    )
    if not name:
        raise GraphEngineError("plugin_installed", name=requirement)
    pip.install([requirement], python)
    if python == Path(sys.executable) and not _has_nodes(name):
        pip.uninstall(name)
        raise GraphEngineError("plugin_no_entry_point", name=name)
    return name


def _has_nodes(name: str) -> bool:
    return bool(metadata.distribution(name).entry_points.select(group=ENTRY_POINTS))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

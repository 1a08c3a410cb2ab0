"""Loads plugins that were written for ComfyUI out of ``custom_nodes`` folders.

Each entry of such a folder, a ``.py`` file or a package, is run from its path under a module name
made of the path, so that its relative imports work. One that fails is kept as a failure with
file, line and cause, and the others go on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
import tomllib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host import checking, stand_ins
from graphengine.comfy.host.adapter import HostedNode
from graphengine.comfy.host.host import Host, Pack
from graphengine.errors import GraphEngineError
from graphengine.folders import Folders
from graphengine.plugins.plugin import LoadFailure
from graphengine.spec import NodeSpec, Origin

if TYPE_CHECKING:
    from graphengine.diffusion.residency import ModelStore

logger = logging.getLogger(__name__)
PRESTART = "prestartup_script.py"
MODULES = "custom_nodes."


def open_host(folders: Folders, paths: Iterable[Path], *, device: str = "auto") -> Host:
    """A host with these plugins loaded; their nodes are not registered yet."""
    host = Host(folders, _no_models, device)
    load_packs(host, paths)
    return host


def pack_module(path: Path) -> str:
    """The module that a pack's nodes say they come from."""
    return MODULES + (path.name if path.is_dir() else path.stem)


def load_packs(host: Host, paths: Iterable[Path]) -> None:
    """Load plugins; the nodes of later ones take the place of earlier ones."""
    paths = list(paths)
    stand_ins.install(host)
    for path in paths:
        _prestart(host, path)
    for path in paths:
        try:
            host.specs.update(_load(host, path))
        except (Exception, SystemExit) as error:
            _fail(host, path, error)


def _load(host: Host, path: Path) -> dict[str, NodeSpec]:
    module = _import(path)
    pack = _pack(path, module)
    titles = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {}
    classes = list(_classes(module, titles))
    host.packs.append(pack)
    digest = _digest(path)
    specs: dict[str, NodeSpec] = {}
    for name, cls in classes:
        try:
            specs[name] = _node(host, pack, name, cls, titles, digest)
            host.classes[name] = cls
        except Exception as error:  # one class that cannot be described, the others go on
            _fail(host, path, error, node=name)
    return specs


def _node(
    host: Host, pack: Pack, name: str, cls: Any, titles: dict[str, str], digest: str
) -> NodeSpec:
    module = pack_module(pack.path)
    cls.RELATIVE_PYTHON_MODULE = module
    origin = Origin(module, str(pack.path), 0, digest)
    title = str(titles.get(name) or getattr(cls, "DISPLAY_NAME", None) or name)
    return HostedNode(host, name, cls, title=title, origin=origin).spec


def _classes(module: Any, titles: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The node classes by name, from a mapping or from ``comfy_entrypoint``."""
    mappings = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if mappings is not None:
        yield from mappings.items()
        return
    entry = getattr(module, "comfy_entrypoint", None)
    if entry is None and getattr(module, "WEB_DIRECTORY", None) is not None:
        return
    if entry is None:
        raise ImportError("it has neither NODE_CLASS_MAPPINGS nor comfy_entrypoint")
    extension = checking.waited(entry())
    for cls in checking.waited(extension.get_node_list()):
        schema = cls.GET_SCHEMA()
        titles.setdefault(schema.node_id, schema.display_name or schema.node_id)
        yield schema.node_id, cls


def _import(path: Path) -> ModuleType:
    name = str(path).replace(".", "_x_")
    for known in [known for known in sys.modules if known.split(".")[0] == name]:
        del sys.modules[known]
    file = path / "__init__.py" if path.is_dir() else path
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _prestart(host: Host, path: Path) -> None:
    script = path / PRESTART
    if not script.is_file():
        return
    try:
        spec = importlib.util.spec_from_file_location(f"{path.name}_prestartup", script)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:
        _fail(host, path, error)


def _pack(path: Path, module: ModuleType) -> Pack:
    name = path.stem if path.is_file() else path.name
    project = _project(path)
    named = project.get("tool", {}).get("comfy", {}).get("web")
    web = getattr(module, "WEB_DIRECTORY", None)
    if named:
        return Pack(name, path, module, path / named, project.get("project", {}).get("name", name))
    folder = None if web is None else (path if path.is_dir() else path.parent) / web
    return Pack(name, path, module, folder, name)


def _project(path: Path) -> dict[str, Any]:
    file = path / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read: %s", file, error)
        return {}


def _no_models() -> ModelStore:
    raise GraphEngineError("no_models")


def _digest(path: Path) -> str:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def _fail(host: Host, path: Path, error: BaseException, node: str = "") -> None:
    """Keep what went wrong, with the last line of the pack's own code that was running."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if str(path) in f.filename]
    file, line = (frames[-1].filename, frames[-1].lineno or 0) if frames else (str(path), 0)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno or 0
    cause = f"{type(error).__name__}: {error}" + (f" ({node})" if node else "")
    host.failures.append(LoadFailure(pack_module(path), file, line, cause))
    logger.warning("%s, line %d: %s", file, line, cause)

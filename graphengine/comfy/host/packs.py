"""Loads plugins that were written for ComfyUI out of ``custom_nodes`` folders.

Each entry of such a folder, a ``.py`` file or a package, is run from its path under a module name
made of the path, so that its relative imports work. One that fails is kept as a failure with
file, line and cause, and the others go on.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host import checking, stand_ins
from graphengine.comfy.host.adapter import HostedNode
from graphengine.comfy.host.host import Host, Pack
from graphengine.comfy.pack_paths import PackState, digest_of, pack_files
from graphengine.errors import ByLanguage, GraphEngineError
from graphengine.folders import Folders
from graphengine.plugins.importing import forget_modules
from graphengine.plugins.plugin import LoadFailure, causes_of
from graphengine.printing import prints_aside
from graphengine.registry import Registry
from graphengine.spec import NodeSpec, Origin

if TYPE_CHECKING:
    from graphengine.diffusion.residency import ModelStore

logger = logging.getLogger(__name__)
PRESTART = "prestartup_script.py"
MODULES = "custom_nodes."


def open_host(
    folders: Folders,
    packs: Mapping[Path, PackState],
    *,
    device: str = "auto",
    registry: Registry | None = None,
    left_out: Mapping[str, str] | None = None,
) -> Host:
    """A host with these plugins loaded; their nodes are not registered yet.

    ``registry``: our own nodes, which plugins import from ComfyUI's ``nodes``. ``left_out``: see
    `PackFolders.left_out`.
    """
    host = Host(folders, _no_models, device, registry or Registry(), left_out=left_out or {})
    stand_ins.install(host)
    load_packs(host, packs)
    return host


def pack_module(path: Path) -> str:
    """The module that a pack's nodes say they come from."""
    return MODULES + (path.name if path.is_dir() else path.stem)


def load_packs(host: Host, packs: Mapping[Path, PackState]) -> None:
    """Load those plugins that are new or have changed, and let go of those that have gone.

    What has not changed is kept as it is. The nodes of later ones take the place of earlier ones.
    """
    known = {pack.path: pack for pack in host.packs}
    kept = {path: known[path] for path, state in packs.items() if _is_known(known, path, state)}
    failures = {path: _prestart(path) for path in packs if path not in known}
    for path in known.keys() - kept.keys():
        _forget_modules(path)
    for path, state in packs.items():
        if path not in kept:
            kept[path] = _loaded(host, path, state, failures.get(path, ()))
            host.take(kept.values())
    host.take(kept[path] for path in packs)


def _is_known(known: Mapping[Path, Pack], path: Path, state: PackState) -> bool:
    """Whether a plugin is loaded as it is; a file that was only touched changes nothing."""
    pack = known.get(path)
    return pack is not None and (pack.state == state or pack.digest == digest_of(path))


def _loaded(host: Host, path: Path, state: PackState, failures: tuple[LoadFailure, ...]) -> Pack:
    """A plugin, or what went wrong with it."""
    empty = Pack(_name(path), path, digest_of(path), state, failures=failures)
    if host.left_out.get(str(path)) == empty.digest:
        crashed = GraphEngineError("pack_crashed").texts()
        failure = LoadFailure(pack_module(path), str(path), 0, crashed)
        return replace(empty, failures=(*failures, failure))
    host.adding = empty.added
    before = list(sys.path)
    _forget_modules(path)
    _drop_old_bytecode(path)
    try:
        with prints_aside():
            return _load(host, empty)
    except (Exception, SystemExit) as error:
        return replace(empty, failures=(*failures, _failure(path, error)))
    finally:
        host.adding = host.late
        sys.path[:] = [*before, *dict.fromkeys(p for p in sys.path if p not in before)]


def _load(host: Host, pack: Pack) -> Pack:
    module = _import(pack.path)
    titles = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {}
    specs: dict[str, NodeSpec] = {}
    classes: dict[str, Any] = {}
    failures = list(pack.failures)
    for name, cls in {**pack.added.classes, **dict(_classes(module, titles))}.items():
        try:
            specs[name] = _node(host, pack, name, cls, titles)
            classes[name] = cls
        except Exception as error:  # one class that cannot be described, the others go on
            failures.append(_failure(pack.path, error, node=name))
    failures += _unheard(pack)
    web, web_name = _web(pack.path, module)
    return replace(
        pack,
        module=module,
        web=web,
        web_name=web_name,
        specs=specs,
        classes=classes,
        failures=tuple(failures),
    )


def _unheard(pack: Pack) -> list[LoadFailure]:
    """What a plugin has hung onto the application that nothing here asks."""
    if "app" not in vars(pack.added):
        return []
    from aiohttp import web

    app, bare = pack.added.app, web.Application()
    signals = ("middlewares", "on_startup", "on_shutdown", "on_cleanup")
    found = [name for name in signals if len(getattr(app, name)) > len(getattr(bare, name))]
    causes = [GraphEngineError("pack_unheard", name=name).texts() for name in found]
    return [LoadFailure(pack_module(pack.path), str(pack.path), 0, each) for each in causes]


def _node(host: Host, pack: Pack, name: str, cls: Any, titles: dict[str, str]) -> NodeSpec:
    module = pack_module(pack.path)
    cls.RELATIVE_PYTHON_MODULE = module
    origin = Origin(module, str(pack.path), 0, pack.digest)
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
        raise GraphEngineError("pack_no_nodes")
    extension = checking.waited(entry())
    for cls in checking.waited(extension.get_node_list()):
        schema = cls.GET_SCHEMA()
        titles.setdefault(schema.node_id, schema.display_name or schema.node_id)
        yield schema.node_id, cls


def _import(path: Path) -> ModuleType:
    name = _module_name(path)
    file = path / "__init__.py" if path.is_dir() else path
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _forget_modules(path)
        raise
    return module


def _module_name(path: Path) -> str:
    return str(path).replace(".", "_x_")


def _forget_modules(path: Path) -> None:
    """Let a plugin's files be imported anew, also those that it imports by their bare names."""
    forget_modules(_module_name(path))
    below = f"{path}{os.sep}"
    for name, module in sys.modules.copy().items():
        if str(getattr(module, "__file__", "")).startswith(below):
            del sys.modules[name]
    importlib.invalidate_caches()


def _drop_old_bytecode(path: Path) -> None:
    """Delete the bytecode of what was saved after it.

    Python compares whole seconds and sizes, and would run what stood there a moment ago.
    """
    for source in pack_files(path):
        bytecode = Path(importlib.util.cache_from_source(str(source)))
        with contextlib.suppress(OSError):
            if source.stat().st_mtime_ns >= bytecode.stat().st_mtime_ns:
                bytecode.unlink()


def _prestart(path: Path) -> tuple[LoadFailure, ...]:
    """Run what a plugin wants run before all imports; what went wrong with it."""
    script = path / PRESTART
    if not script.is_file():
        return ()
    try:
        spec = importlib.util.spec_from_file_location(f"{path.name}_prestartup", script)
        assert spec is not None
        assert spec.loader is not None
        with prints_aside():
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:
        return (_failure(path, error),)
    return ()


def _name(path: Path) -> str:
    return path.stem if path.is_file() else path.name


def _web(path: Path, module: ModuleType) -> tuple[Path | None, str]:
    """The folder of a plugin's scripts, and under which name it is served."""
    project = _project(path)
    named = project.get("tool", {}).get("comfy", {}).get("web")
    if named:
        return path / named, project.get("project", {}).get("name", _name(path))
    web = getattr(module, "WEB_DIRECTORY", None)
    folder = None if web is None else (path if path.is_dir() else path.parent) / web
    return folder, _name(path)


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


def _failure(path: Path, error: BaseException, node: str = "") -> LoadFailure:
    """What went wrong, with the last line of the pack's own code that was running."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if str(path) in f.filename]
    file, line = (frames[-1].filename, frames[-1].lineno or 0) if frames else (str(path), 0)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno or 0
    which = f" ({node})" if node else ""
    causes = ByLanguage({name: text + which for name, text in causes_of(error).items()})
    logger.warning("%s, line %d: %s", file, line, causes["en"])
    return LoadFailure(pack_module(path), file, line, causes)

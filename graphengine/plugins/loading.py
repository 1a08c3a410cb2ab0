"""From a plugin's source to its nodes; whatever its code does while it is loaded is contained."""

from __future__ import annotations

import hashlib
import importlib
import re
import tempfile
import traceback
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType

from graphengine.errors import GraphEngineError
from graphengine.node import NodeDefinitionError, describe, mark_of
from graphengine.plugins.decisions import load_decisions
from graphengine.plugins.importing import NAMESPACE, forget_modules, import_snapshot
from graphengine.plugins.manifest import NO_MANIFEST, Manifest
from graphengine.plugins.plugin import LoadFailure, Plugin, State, causes_of
from graphengine.plugins.source import PluginFolders, Source, find_sources
from graphengine.printing import prints_aside
from graphengine.spec import NodeSpec, NodeTexts, Origin
from graphengine.texts import load_texts

_DIGEST_LETTERS = 16
_NO_LETTER = re.compile(r"\W")
TextsOf = Callable[[str], Mapping[str, NodeTexts] | None]
"""The texts of a node by its id."""


def described_plugins(folders: PluginFolders) -> Iterator[Plugin]:
    """All plugins without their nodes: none of their code runs."""
    decisions = load_decisions(folders.decisions)
    for source in find_sources(folders):
        state = decisions.state(source)
        yield load_plugin(source, source.digest, state, run=False)


def load_plugins(folders: PluginFolders, before: Iterable[Plugin] = ()) -> Iterator[Plugin]:
    """All plugins, those that may run with their nodes.

    What is in ``before`` and has not changed is taken over as it is. Raises GraphEngineError if
    the file of decisions is damaged.
    """
    decisions = load_decisions(folders.decisions)
    known = {(plugin.path, plugin.digest, plugin.state): plugin for plugin in before}
    taken: dict[str, Path] = {}
    for source in find_sources(folders):
        first = taken.setdefault(source.name, source.path)
        digest, state = source.digest, decisions.state(source)
        if first != source.path:
            twice = GraphEngineError("plugin_twice", name=source.name, path=first)
            failure = LoadFailure(source.name, str(source.path), 0, twice.texts())
            yield Plugin(source.name, source.path, digest, "disabled", failures=(failure,))
            continue
        plugin = known.get((source.path, digest, state))
        if plugin is None:
            plugin = load_plugin(source, digest, state, environments=folders.environments)
        yield plugin


def load_plugin(
    source: Source,
    digest: str,
    state: State = "enabled",
    *,
    run: bool = True,
    inside: bool = False,
    environments: Path | None = None,
) -> Plugin:
    """A plugin; its code runs only if it is enabled, and if that is wanted.

    ``inside``: this is an isolated plugin's own process. ``environments``: where those are made.
    """
    manifest, failures = NO_MANIFEST, []
    try:
        manifest = source.manifest()
    except GraphEngineError as error:
        failures.append(LoadFailure(source.name, str(source.path), 0, error.texts()))
    found = Found()
    close: Callable[[], object] | None = None
    if run and state == "enabled" and not failures:
        with prints_aside():
            close = _load(source, manifest, found, inside=inside, environments=environments)
    plugin = Plugin(
        source.name,
        source.path,
        digest,
        state,
        installed=bool(source.module),
        manifest=manifest,
        specs=tuple(found.specs),
        failures=(*failures, *found.failures),
        web=source.extra_folder("web"),
        workflows=_workflows(source.extra_folder("workflows")),
    )
    if close is not None:
        weakref.finalize(plugin, close)
    return plugin


@dataclass
class Found:
    """What has been found while loading: nodes, and what could not be loaded."""

    specs: list[NodeSpec] = field(default_factory=list)
    failures: list[LoadFailure] = field(default_factory=list)

    def add_module(
        self, module: ModuleType, path: Path, shown: str, texts_of: TextsOf, digest: str
    ) -> None:
        """Describe the marked functions that a module defines; ``shown`` is its name for people."""
        for function in marked_functions(module):
            line = function.__code__.co_firstlineno
            origin = Origin(shown, str(path), line, digest)
            texts = texts_of(mark_of(function).id)
            try:
                self.specs.append(describe(function, texts=texts, origin=origin))
            except NodeDefinitionError as error:
                self.failures.append(LoadFailure(shown, str(path), line, error.texts()))

    def add_failure(self, shown: str, path: Path, error: BaseException) -> None:
        """Note what a module raised."""
        self.failures.append(failure_of(error, path, shown))


def marked_functions(module: ModuleType) -> Iterator[FunctionType]:
    """The nodes that a module defines itself."""
    for value in list(vars(module).values()):
        if hasattr(value, "__node__") and getattr(value, "__module__", None) == module.__name__:
            yield value


def failure_of(error: BaseException, path: Path, shown: str) -> LoadFailure:
    """What a module raised, and where: in its own file, or in another of the plugin."""
    file, line = place_of(error, path)
    return LoadFailure(shown, file, line, causes_of(error))


def place_of(error: BaseException, path: Path) -> tuple[str, int]:
    """File and line of what was raised while a file was loaded: the last one in its folder."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return error.filename, error.lineno or 0
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(path.parent):
            return frame.filename, frame.lineno or 0
    return str(path), 0


def file_digest(path: Path) -> str:
    """A short sha256 of a file, as it enters the keys of results."""
    content = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(content).hexdigest()[:_DIGEST_LETTERS]


def _load_package(source: Source, found: Found, load: str) -> str:
    """Load a plugin of a folder from its snapshot; the name of its module, which ends in ``load``.

    It is the same each time in an isolated process, so that values of its classes outlive that.
    """
    name = f"{NAMESPACE}.{_NO_LETTER.sub('_', source.name)}{load}"
    digest = source.digest[:_DIGEST_LETTERS]
    for file, parts in _module_files(source.package):
        shown = ".".join((NAMESPACE, source.name, *parts))
        try:
            module = (
                importlib.import_module(".".join((name, *parts)))
                if parts
                else import_snapshot(name, file, source.code)
            )
            found.add_module(module, file, shown, load_texts(file).get, digest)
        except (Exception, SystemExit) as error:
            found.add_failure(shown, file, error)
            if not parts:
                break
    return name


def _load(
    source: Source, manifest: Manifest, found: Found, *, inside: bool, environments: Path | None
) -> Callable[[], object] | None:
    """Load a plugin's modules; what takes them away again."""
    if manifest.isolated and not inside:
        return _load_isolated(source, manifest, found, environments)
    if source.module:
        _load_installed(source, found)
        return None
    load = "" if inside else f"_{uuid.uuid4().hex[:8]}"
    return partial(forget_modules, _load_package(source, found, load))


def _load_isolated(
    source: Source, manifest: Manifest, found: Found, environments: Path | None
) -> Callable[[], object] | None:
    """Load a plugin in a process of its own; what ends it."""
    from graphengine.isolation.engine_side import IsolatedPlugin

    package = f"{NAMESPACE}.{source.name}"
    folder = environments or Path(tempfile.gettempdir()) / "graphengine-environments"
    try:
        plugin = IsolatedPlugin.open(source.path, source.name, folder, manifest.dependencies)
    except GraphEngineError as error:
        found.failures.append(LoadFailure(package, str(source.path), 0, error.texts()))
        return None
    origin = Origin(package, str(source.path), 0, source.digest[:_DIGEST_LETTERS])
    found.specs += plugin.specs(origin)
    found.failures += plugin.failures
    return plugin.close


def _load_installed(source: Source, found: Found) -> None:
    """Load an installed package under its own name, once for the process."""
    digest = source.digest[:_DIGEST_LETTERS]
    for file, parts in _installed_files(source):
        shown = ".".join((source.module, *parts))
        try:
            module = importlib.import_module(shown)
            found.add_module(module, file, shown, load_texts(file).get, digest)
        except (Exception, SystemExit) as error:
            found.add_failure(source.name, file, error)
            if not parts:
                break


def _installed_files(source: Source) -> list[tuple[Path, tuple[str, ...]]]:
    file = source.package.with_suffix(".py")
    return list(_module_files(file if file.is_file() else source.package)) or [(file, ())]


def _module_files(package: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The modules of a plugin that may define nodes, and their names below it; itself first."""
    if package.is_file():
        yield package, ()
        return
    if (package / "__init__.py").is_file():
        yield package / "__init__.py", ()
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        if parts != ("__init__",) and not any(_is_private(part) for part in parts):
            yield file, parts


def _is_private(part: str) -> bool:
    return part.startswith(("_", ".")) or part in ("tests", "node_modules")


def _workflows(folder: Path | None) -> tuple[Path, ...]:
    return () if folder is None else tuple(sorted(folder.glob("*.json")))

"""Which nodes there are: the built-in ones and those of plugins; what failed is kept as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from graphengine.collecting import collector_paused
from graphengine.errors import GraphEngineError
from graphengine.node import describe, mark_of
from graphengine.plugins.importing import import_file, namespace
from graphengine.plugins.loading import failure_of, file_digest, load_plugins, marked_functions
from graphengine.plugins.plugin import LoadFailure, Plugin
from graphengine.plugins.source import PluginFolders
from graphengine.spec import BUILTIN_PACKAGE, NodeSpec, Origin
from graphengine.texts import FileTexts


class Registry:
    """Node types by id. A later node of an id that is taken is refused and kept as a failure.

    Once it is loaded it is not changed: what a run has begun with stays as it is. The nodes of a
    folder are described when they are asked for: that takes longer than importing them, and a
    workflow has few of them.
    """

    def __init__(self, specs: Iterable[NodeSpec] = ()) -> None:
        self._specs: dict[str, NodeSpec] = {}
        self._waiting: dict[str, Callable[[], NodeSpec]] = {}
        self._renamed: dict[str, str] = {}
        self._failures: list[LoadFailure] = []
        self._plugins: list[Plugin] = []
        for spec in specs:
            self.add(spec)

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """What could not be loaded, in the order in which it was tried."""
        return tuple(self._failures)

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins, also those that are not enabled."""
        return tuple(self._plugins)

    def get(self, node_id: str) -> NodeSpec | None:
        """The node type that has this id or had it before, or None."""
        found = self._described(node_id)
        return found if found is not None else self._described(self._renamed.get(node_id, ""))

    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self._specs.keys() | self._waiting.keys()))

    def specs(self) -> tuple[NodeSpec, ...]:
        """All node types, sorted by id."""
        described = (self._described(node_id) for node_id in self.ids())
        return tuple(spec for spec in described if spec is not None)

    def add(self, spec: NodeSpec) -> bool:
        """Take a node type in; False (and a failure) if its id is taken."""
        taken = self._described(spec.id)
        if taken is not None:
            first = taken.origin.file or taken.origin.package
            error = GraphEngineError("node_id_taken", name=spec.id, first=first)
            place = (spec.origin.package, spec.origin.file, spec.origin.line)
            self._failures.append(LoadFailure(*place, error.texts()))
            return False
        self._specs[spec.id] = spec
        self._renamed.update(dict.fromkeys(spec.renamed_from, spec.id))
        return True

    def replace(self, spec: NodeSpec) -> None:
        """Take a node type in the place of the one of its id, while nodes are being loaded."""
        self._specs[spec.id] = spec

    def add_plugin(self, plugin: Plugin) -> None:
        """Take a plugin's nodes in, and what of it could not be loaded."""
        self._plugins.append(plugin)
        self._failures.extend(plugin.failures)
        for spec in plugin.specs:
            self.add(spec)

    def note(self, failure: LoadFailure) -> None:
        """Keep what could not be loaded elsewhere."""
        self._failures.append(failure)

    def add_functions(self, *functions: Callable[..., Any]) -> None:
        """Take marked functions in; raises `NodeDefinitionError` for a wrong signature."""
        for function in functions:
            self.add(describe(function))

    def load_folder(self, folder: Path, package: str) -> None:
        """Load every ``*.py`` file of a folder as ``package.<name>``, except ``_*`` and ``.*``.

        A wrong signature raises `NodeDefinitionError` when its node is asked for.
        """
        namespace(package, [str(folder)])
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith(("_", ".")):
                self._load_file(path, f"{package}.{path.stem}")

    def _load_file(self, path: Path, module_name: str) -> None:
        try:
            module = import_file(path, module_name)
        except Exception as error:
            self.note(failure_of(error, path, module_name))
            return
        digest = file_digest(path)
        for function in marked_functions(module):
            mark = mark_of(function)
            line = function.__code__.co_firstlineno
            origin = Origin(module_name, str(path), line, digest)
            texts = FileTexts(path, mark.id)
            make = partial(describe, function, texts=texts, origin=origin)
            if self._described(mark.id) is not None:
                self.add(make())
                continue
            self._waiting[mark.id] = make
            self._renamed.update(dict.fromkeys(mark.renamed_from, mark.id))

    def _described(self, node_id: str) -> NodeSpec | None:
        found = self._specs.get(node_id)
        if found is None and node_id in self._waiting:
            # Of two threads that ask at once both get what the first one made.
            found = self._specs.setdefault(node_id, self._waiting[node_id]())
        return found


def builtin_folder(name: str) -> Path:
    """``nodes`` or ``workflows``: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    beside = package.parent / name
    return beside if (package.parent / "pyproject.toml").is_file() else package / name


@collector_paused()
def load_registry(
    folders: PluginFolders | None = None, *, before: Registry | None = None
) -> Registry:
    """The built-in nodes and those of all plugins.

    What ``before`` holds and has not changed since is taken over, so that it is not imported again.
    Raises GraphEngineError if it cannot be said which plugins are enabled.
    """
    registry = Registry(() if before is None else _builtins(before))
    if before is None:
        registry.load_folder(builtin_folder("nodes"), BUILTIN_PACKAGE)
    folders = folders or PluginFolders()
    for plugin in load_plugins(folders, before.plugins if before else ()):
        registry.add_plugin(plugin)
    for folder in folders.trusted:
        if not folder.is_dir():
            missing = GraphEngineError("plugin_folder_missing")
            registry.note(LoadFailure(folder.name, str(folder), 0, missing.texts()))
    return registry


def _builtins(registry: Registry) -> Iterable[NodeSpec]:
    return (spec for spec in registry.specs() if spec.is_builtin)

"""Which nodes there are: collected from folders and entry points; what failed is kept as data."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from graphengine.collecting import collector_paused
from graphengine.node import NodeDefinitionError, describe
from graphengine.spec import NodeSpec, NodeTexts, Origin
from graphengine.texts import load_texts

BUILTIN_PACKAGE = "graphengine_nodes"
ENTRY_POINTS = "graphengine.nodes"


@dataclass(frozen=True)
class LoadFailure:
    """Something that could not be loaded: which file, where in it, and why."""

    package: str
    file: str
    line: int
    cause: str


class Registry:
    """Node types by id. A later node of an id that is taken is refused and kept as a failure."""

    def __init__(self, specs: Iterable[NodeSpec] = ()) -> None:
        self._specs: dict[str, NodeSpec] = {}
        self._renamed: dict[str, str] = {}
        self._failures: list[LoadFailure] = []
        for spec in specs:
            self.add(spec)

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """What could not be loaded, in the order in which it was tried."""
        return tuple(self._failures)

    def get(self, node_id: str) -> NodeSpec | None:
        """The node type that has this id or had it before, or None."""
        found = self._specs.get(node_id)
        return found if found is not None else self._specs.get(self._renamed.get(node_id, ""))

    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted(self._specs))

    def specs(self) -> tuple[NodeSpec, ...]:
        """All node types, sorted by id."""
        return tuple(self._specs[node_id] for node_id in self.ids())

    def add(self, spec: NodeSpec) -> bool:
        """Take a node type in; False (and a failure) if its id is taken."""
        taken = self._specs.get(spec.id)
        if taken is not None:
            self._failures.append(
                LoadFailure(
                    spec.origin.package,
                    spec.origin.file,
                    spec.origin.line,
                    f'the node id "{spec.id}" is already taken by '
                    f"{taken.origin.file or taken.origin.package}",
                )
            )
            return False
        self._specs[spec.id] = spec
        self._renamed.update(dict.fromkeys(spec.renamed_from, spec.id))
        return True

    def add_functions(self, *functions: Callable[..., Any]) -> None:
        """Take marked functions in; raises `NodeDefinitionError` for a wrong signature."""
        for function in functions:
            self.add(describe(function))

    def load_folder(self, folder: Path, package: str) -> None:
        """Load every ``*.py`` file and every package of a folder as ``package.<name>``.

        Files that begin with ``_`` or ``.`` and packages that end in ``.disabled`` are left out.
        """
        if not folder.is_dir():
            return
        _namespace(package, folder)
        for path in sorted(folder.iterdir()):
            if path.name.startswith(("_", ".")) or path.name.endswith(".disabled"):
                continue
            if path.suffix == ".py":
                self.load_file(path, f"{package}.{path.stem}")
            elif (path / "__init__.py").is_file():
                self._load_package(path, f"{package}.{path.name}")

    def load_file(self, path: Path, module_name: str) -> None:
        """Load one file's nodes."""
        try:
            module = _import_file(path, module_name)
            self._add_module(module, path, load_texts(path))
        except (Exception, SystemExit) as error:
            self._fail(module_name, path, error)

    def load_entry_points(self) -> None:
        """Load the nodes of installed packages that name the entry point ``graphengine.nodes``."""
        for point in metadata.entry_points(group=ENTRY_POINTS):
            try:
                module = point.load()
                self._add_module(module, Path(module.__file__ or point.value), {})
            except (Exception, SystemExit) as error:
                self._fail(point.name, Path(point.value), error)

    def _load_package(self, path: Path, module_name: str) -> None:
        self.load_file(path / "__init__.py", module_name)
        for file in sorted(path.rglob("*.py")):
            parts = file.relative_to(path).with_suffix("").parts
            if not any(part.startswith(("_", ".")) for part in parts):
                self.load_file(file, ".".join((module_name, *parts)))

    def _add_module(
        self, module: ModuleType, path: Path, texts: Mapping[str, Mapping[str, NodeTexts]]
    ) -> None:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
        for function in list(vars(module).values()):
            mark = getattr(function, "__node__", None)
            if mark is None or getattr(function, "__module__", None) != module.__name__:
                continue
            line = function.__code__.co_firstlineno
            origin = Origin(module.__name__, str(path), line, digest)
            try:
                self.add(describe(function, texts=texts.get(mark.id), origin=origin))
            except NodeDefinitionError as error:
                self._failures.append(LoadFailure(module.__name__, str(path), line, error.text()))

    def _fail(self, module_name: str, path: Path, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
        if isinstance(error, SyntaxError) and error.filename == str(path):
            line = error.lineno
        cause = f"{type(error).__name__}: {error}"
        self._failures.append(LoadFailure(module_name, str(path), line or 0, cause))


def builtin_folder(name: str) -> Path:
    """``nodes`` or ``workflows``: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    beside = package.parent / name
    return beside if (package.parent / "pyproject.toml").is_file() else package / name


@collector_paused()
def load_registry(plugin_folders: Iterable[Path] = ()) -> Registry:
    """The built-in nodes, those of installed packages, and those of plugin folders."""
    registry = Registry()
    registry.load_folder(builtin_folder("nodes"), BUILTIN_PACKAGE)
    registry.load_entry_points()
    for index, folder in enumerate(plugin_folders):
        registry.load_folder(folder, f"graphengine_plugins_{index}")
    return registry


def _namespace(package: str, folder: Path) -> None:
    """An empty package in sys.modules, so that files may import each other relatively."""
    if package not in sys.modules:
        module = ModuleType(package)
        module.__path__ = [str(folder)]
        sys.modules[package] = module


def _import_file(path: Path, module_name: str) -> ModuleType:
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(
        module_name, path, submodule_search_locations=search
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module

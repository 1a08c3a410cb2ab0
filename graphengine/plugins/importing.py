"""Imports modules from files, and those of a plugin from what was read of it.

A plugin's package carries its snapshot in its ``__path__``; the finder, which has no state of its
own, takes submodules from there. Each load has a name of its own in ``sys.modules``.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

NAMESPACE = "graphengine_plugins"


class SnapshotPath(list[str]):
    """A package's ``__path__`` that knows the contents of the files below it."""

    def __init__(self, folder: Path, code: Mapping[Path, bytes]) -> None:
        self.folder = folder
        self.code = code
        super().__init__([str(folder)])


class SnapshotLoader(SourceFileLoader):
    """Runs the source that was read, not what is in the file or a ``__pycache__`` by now."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self._source, self.path)

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return importlib.util.decode_source(self._source)


class SnapshotFinder:
    """Finds the submodules of packages whose path is a `SnapshotPath`."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG004
    ) -> ModuleSpec | None:
        """As the import system asks; None for everything that is not a plugin's source."""
        if not isinstance(path, SnapshotPath):
            return None
        inner = path.folder / name.rpartition(".")[2]
        for file in (inner / "__init__.py", inner.with_suffix(".py")):
            if file in path.code:
                return snapshot_spec(name, file, path.code)
        if any(file.is_relative_to(inner) for file in path.code):
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = SnapshotPath(inner, path.code)
            return spec
        return None


def snapshot_spec(name: str, file: Path, code: Mapping[Path, bytes]) -> ModuleSpec:
    """How to import a file of a snapshot as the module ``name``."""
    spec = ModuleSpec(name, SnapshotLoader(name, file, code[file]), origin=str(file))
    spec.has_location = True
    if file.name == "__init__.py":
        spec.submodule_search_locations = SnapshotPath(file.parent, code)
    return spec


def import_snapshot(name: str, file: Path, code: Mapping[Path, bytes]) -> ModuleType:
    """Import a plugin's first file; raises whatever its code raises."""
    if SnapshotFinder not in sys.meta_path:
        sys.meta_path.insert(0, SnapshotFinder)
    namespace(NAMESPACE, [])
    return import_spec(snapshot_spec(name, file, code))


def import_file(path: Path, name: str) -> ModuleType:
    """Import a file as the module ``name``, by way of ``__pycache__``."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ImportError(f"cannot import {path}")
    return import_spec(spec)


def import_spec(spec: ModuleSpec) -> ModuleType:
    """Import what a spec describes; a module whose code fails leaves nothing behind."""
    if spec.loader is None:
        raise ImportError(f"cannot import {spec.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return module


def namespace(name: str, path: list[str]) -> None:
    """An empty package, so that modules below it may import each other relatively."""
    if name not in sys.modules:
        module = ModuleType(name)
        module.__path__ = path
        sys.modules[name] = module


def forget_modules(name: str) -> None:
    """Take a module and all below it out of ``sys.modules``; who still uses them keeps them."""
    for loaded in list(sys.modules):
        if loaded == name or loaded.startswith(f"{name}."):
            del sys.modules[loaded]

"""Plugins as they lie on disk: in plugin folders, and in installed packages.

The code of a plugin is read once: the bytes that are hashed are the bytes that run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from graphengine.plugins.manifest import (
    ENTRY_POINTS,
    NO_MANIFEST,
    Manifest,
    ManifestError,
    read_manifest,
)

CODE = frozenset((".py", ".pyd", ".so", ".dll", ".dylib", ".js", ".mjs", ".toml"))
"""The files of a plugin that can run or change what runs; others are its data."""
_LEFT_OUT = frozenset(("__pycache__", "node_modules", "tests", "build", "dist"))


@dataclass(frozen=True)
class PluginFolders:
    """Where plugins lie, and who says which of them may run.

    ``trusted``: the person named these folders, so that all in them runs. What lies in ``asking``
    and what came with Python packages runs once ``decisions``, a file, says so.
    """

    asking: tuple[Path, ...] = ()
    trusted: tuple[Path, ...] = ()
    decisions: Path | None = None

    @property
    def environments(self) -> Path | None:
        """Where isolated plugins have their virtual environments."""
        return None if self.decisions is None else self.decisions.parent / "environments"

    @property
    def all(self) -> tuple[Path, ...]:
        """All plugin folders."""
        return (*self.trusted, *self.asking)


@dataclass(frozen=True)
class Source:
    """A plugin on disk. ``code``: the contents of its code files.

    ``package``: the file, or the folder with ``__init__.py``, that is imported. ``module``: the
    name by which an installed package is imported; '' for what lies in a plugin folder.
    """

    name: str
    path: Path
    package: Path
    code: Mapping[Path, bytes] = field(repr=False)
    trusted: bool = False
    module: str = ""

    @property
    def digest(self) -> str:
        """sha256 of its code files and their names."""
        found = hashlib.sha256()
        for file in sorted(self.code):
            name = file.relative_to(self.path.parent).as_posix().encode("utf-8", "surrogateescape")
            content = hashlib.sha256(self.code[file]).digest()
            found.update(len(name).to_bytes(4, "big") + name + content)
        return found.hexdigest()

    def manifest(self) -> Manifest:
        """What it says of itself; raises `ManifestError`."""
        return NO_MANIFEST if self.path.is_file() else read_manifest(self.path)

    def extra_folder(self, name: str) -> Path | None:
        """A folder ``web`` or ``workflows`` that it carries."""
        if self.package.is_file():
            return None
        folders = (self.package / name, self.path / name)
        return next((folder for folder in folders if folder.is_dir()), None)


def find_sources(folders: PluginFolders) -> Iterator[Source]:
    """All plugins of the folders, in the order of their names; then those of Python packages."""
    for folder in folders.all:
        for path in _entries(folder):
            source = source_at(path, trusted=folder in folders.trusted)
            if source is not None:
                yield source
    yield from _installed()


def source_at(path: Path, *, trusted: bool = False) -> Source | None:
    """The plugin that a file or a folder is; None if it is none."""
    if path.suffix == ".py" and path.is_file():
        return Source(path.stem, path, path, _read(_file_and_texts(path)), trusted)
    package = _package_of(path) if path.is_dir() else None
    if package is None:
        return None
    return Source(path.name, path, package, _read(code_files(path)), trusted)


def code_files(folder: Path) -> Iterator[Path]:
    """The code files below a folder, without hidden ones, tests and what is made from others."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _counts(name)]
        for name in names:
            path = Path(parent, name)
            if path.suffix in CODE and not name.startswith("."):
                yield path


def state_of_files(folders: PluginFolders) -> frozenset[tuple[str, int, int]]:
    """Path, time and size of every code file: differs when one was written, added or removed."""
    found: set[tuple[str, int, int]] = set()
    for folder in folders.all:
        for path in _entries(folder):
            files = code_files(path) if path.is_dir() else (path,) if path.suffix in CODE else ()
            found.update(time_and_size(file) for file in files)
    if folders.decisions is not None:
        found.add(time_and_size(folders.decisions))
    return frozenset(found)


def time_and_size(file: Path) -> tuple[str, int, int]:
    """A file's path, when it was written, and its size; zeros if it is not there."""
    try:
        state = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), state.st_mtime_ns, state.st_size


def _entries(folder: Path) -> list[Path]:
    """What may be a plugin: not hidden, private or switched off by its name."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in entries if path.name[:1] not in "_." and path.suffix != ".disabled"]


def _counts(folder_name: str) -> bool:
    return not folder_name.startswith(".") and folder_name not in _LEFT_OUT


def _package_of(folder: Path) -> Path | None:
    """The folder itself if it is a package, or the package that its pyproject.toml names.

    Also a folder whose manifest cannot be read, so that this is said when it is loaded.
    """
    try:
        named = read_manifest(folder).module
    except ManifestError:
        return folder
    if named:
        below = Path(*named.split("."))
        for place in (folder / below, folder / "src" / below):
            if (place / "__init__.py").is_file():
                return place
            if place.with_suffix(".py").is_file():
                return place.with_suffix(".py")
    return folder if (folder / "__init__.py").is_file() else None


def _file_and_texts(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parent.glob(f"{path.stem}.*.toml")


def _read(files: Iterator[Path]) -> dict[Path, bytes]:
    read: dict[Path, bytes] = {}
    for file in files:
        try:
            read[file] = file.read_bytes()
        except OSError:  # it was removed just now, or may not be read; importing it will say so
            continue
    return read


def _installed() -> Iterator[Source]:
    """The packages that name nodes by an entry point; none of them is imported for it."""
    for point in metadata.entry_points(group=ENTRY_POINTS):
        top = point.module.partition(".")[0]
        found = importlib.util.find_spec(top)
        name = point.dist.name if point.dist is not None else point.name
        if found is None or found.origin is None:
            yield Source(name, Path(point.module), Path(point.module), {}, module=point.module)
            continue
        file = Path(found.origin)
        path = file.parent if found.submodule_search_locations else file
        package = path.joinpath(*point.module.split(".")[1:])
        code = _read(code_files(path) if path.is_dir() else _file_and_texts(path))
        yield Source(name, path, package, code, module=point.module)

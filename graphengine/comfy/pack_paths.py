"""Which plugins lie in ``custom_nodes`` folders, and whether their code has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphengine.files import write_whole
from graphengine.plugins.source import code_files, time_and_size

_CODE = (".py", ".so", ".pyd", ".toml")
PackState = frozenset[tuple[str, int, int]]
"""Path, time and size of every code file of a plugin."""


@dataclass(frozen=True)
class PackFolders:
    """Where plugins written for ComfyUI lie. ``allowed``: which are wanted, None = all.

    ``device``: where they are told to compute. ``crashed``: a file that says whose import has ended
    the process.
    """

    folders: tuple[Path, ...] = ()
    allowed: tuple[str, ...] | None = None
    device: str = "auto"
    crashed: Path | None = None

    def paths(self) -> list[Path]:
        """The plugins: files, and folders that are packages."""
        found = (path for folder in self.folders for path in _entries(folder))
        return [path for path in found if _is_pack(path) and self._is_wanted(path)]

    def left_out(self) -> Mapping[str, str]:
        """The plugins whose import has ended the process, with the digest of their code then."""
        if self.crashed is None or not self.crashed.is_file():
            return {}
        found = json.loads(self.crashed.read_text(encoding="utf-8"))
        return {str(path): str(digest) for path, digest in found.items()}

    def leave_out(self, path: Path) -> None:
        """Remember that the import of a plugin, as it is now, has ended the process."""
        if self.crashed is not None:
            found = {**self.left_out(), str(path): digest_of(path)}
            write_whole(self.crashed, json.dumps(found, indent=2).encode())

    def _is_wanted(self, path: Path) -> bool:
        return self.allowed is None or path.name in self.allowed

    def states(self) -> dict[Path, PackState]:
        """The plugins with what differs once one of their code files was written."""
        return {path: state_of(path) for path in self.paths()}


def state_of(path: Path) -> PackState:
    """What differs once one of a plugin's code files was written, added or removed."""
    return frozenset(time_and_size(file) for file in pack_files(path))


def digest_of(path: Path) -> str:
    """What of a plugin's code enters the keys of results."""
    whole = hashlib.sha256()
    for file in sorted(pack_files(path)):
        with contextlib.suppress(OSError):  # it was removed just now
            whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def pack_files(path: Path) -> Iterator[Path]:
    """A plugin's code files."""
    files: Iterable[Path] = code_files(path) if path.is_dir() else (path,)
    return (file for file in files if file.suffix in _CODE)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.absolute().iterdir()) if folder.is_dir() else []


def _is_pack(path: Path) -> bool:
    if path.name.startswith((".", "__pycache__")) or path.name.endswith(".disabled"):
        return False
    return path.suffix == ".py" if path.is_file() else (path / "__init__.py").is_file()

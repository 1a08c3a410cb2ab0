"""Which plugins lie in ``custom_nodes`` folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path


def pack_paths(folders: Iterable[Path], allowed: Collection[str] | None = None) -> list[Path]:
    """The plugins in some folders; ``allowed``: the names of those that are wanted."""
    found = (path for folder in folders for path in _entries(folder))
    return [path for path in found if _is_pack(path) and (allowed is None or path.name in allowed)]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.absolute().iterdir()) if folder.is_dir() else []


def _is_pack(path: Path) -> bool:
    if path.name.startswith((".", "__pycache__")) or path.name.endswith(".disabled"):
        return False
    return path.suffix == ".py" if path.is_file() else (path / "__init__.py").is_file()

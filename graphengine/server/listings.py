"""Folders whose listings are read again only when a directory in them has changed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from graphengine.folders import Folders

SETTLED_NS = 50_000_000
"""A directory that changed less than this ago may change again without its time telling."""


@dataclass(frozen=True)
class _Listing:
    names: tuple[str, ...]
    directories: tuple[tuple[str, int], ...]
    settled: bool


@dataclass(frozen=True)
class WatchedFolders(Folders):
    """The same folders; a listing costs one look at each directory while nothing changes."""

    _lists: dict[str, _Listing] = field(default_factory=dict, compare=False, repr=False)

    def list(self, kind: str) -> tuple[str, ...]:
        known = self._lists.get(kind)
        if known is not None and known.settled and _unchanged(known.directories):
            return known.names
        directories = tuple(_directories(self.roots(kind)))
        names = super().list(kind)
        newest = max((modified for _, modified in directories), default=0)
        settled = time.time_ns() - newest > SETTLED_NS
        self._lists[kind] = _Listing(names, directories, settled)
        return names


def watched(folders: Folders) -> WatchedFolders:
    """The same folders, watched."""
    return WatchedFolders(folders.input, folders.output, folders.temp, folders.user, folders.models)


def _unchanged(directories: tuple[tuple[str, int], ...]) -> bool:
    return all(_modified(path) == modified for path, modified in directories)


def _directories(roots: tuple[Path, ...]) -> list[tuple[str, int]]:
    """Every directory below the roots, also a root that is not there yet, and its time."""
    found = [(str(root), _modified(str(root))) for root in roots if not root.is_dir()]
    visited: set[str] = set()
    for root in roots:
        for folder, subfolders, _ in os.walk(root, followlinks=True):
            real = os.path.realpath(folder)
            if real in visited:
                subfolders.clear()
                continue
            visited.add(real)
            found.append((folder, _modified(folder)))
    return found


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0

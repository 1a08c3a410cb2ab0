"""The person's workflows and drafts as files: written whole, never lost, none outside its folder.

What a workflow was before it is overwritten or deleted is kept as a numbered version of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError
from graphengine.files import sync_folder, write_whole
from graphengine.folders import inside
from graphengine.server.answers import not_found, refusal_of

MOST_VERSIONS = 100
_DRAFT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_END = ".json"


@dataclass(frozen=True)
class Condition:
    """What must hold for a write: the ETag that is there, or that nothing is."""

    if_match: str | None = None
    only_new: bool = False

    def check(self, path: Path, name: str) -> None:
        """Refuses with 412 if somebody else has written, or a file is there, in the meantime."""
        there = etag_of(path) if path.is_file() else None
        if self.only_new and there is not None:
            raise refusal_of(GraphEngineError("file_exists", name=name), 412)
        if self.if_match is None or (self.if_match == "*" and there is not None):
            return
        if there != self.if_match:
            raise refusal_of(GraphEngineError("file_changed", name=name), 412)


def etag_of(path: Path) -> str:
    """Changes with every write: each is a new file."""
    state = path.stat()
    return f'"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"'


# --- workflows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workflows:
    """The saved workflows below a person's folder; names have slashes and no ``.json``."""

    user: Path

    @property
    def root(self) -> Path:
        """Where ComfyUI's clients keep them too."""
        return self.user / "workflows"

    def all(self) -> Iterator[tuple[str, Path]]:
        """Names and files, sorted."""
        if not self.root.is_dir():
            return
        for path in sorted(self.root.rglob(f"*{_END}")):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and not _is_hidden(name) and inside(self.root, name) is not None:
                yield name.removesuffix(_END), path

    def path(self, name: str) -> Path:
        """Where a workflow lies or would; refuses with 400 what is no name."""
        name = name.strip().replace("\\", "/").removesuffix(_END)
        folders = name.split("/")[:-1]
        path = None if _is_hidden(name) else inside(self.root, name + _END)
        if path is None or any(folder.endswith(_END) for folder in folders):
            raise refusal_of(GraphEngineError("outside_folder", name=name))
        return path

    def existing(self, name: str) -> Path:
        """As `path`; refuses with 404 if there is none."""
        path = self.path(name)
        if not path.is_file():
            raise not_found("user_file_not_found", name)
        return path

    def write(self, name: str, content: bytes, condition: Condition) -> Path:
        """Save; what was there becomes a version. The same content changes nothing."""
        path = self.path(name)
        condition.check(path, name)
        if path.is_file():
            if path.read_bytes() == content:
                return path
            self._keep(path)
        _write(path, content)
        return path

    def delete(self, name: str, condition: Condition) -> None:
        """Take it away; it stays as the last of its versions."""
        path = self.existing(name)
        condition.check(path, name)
        self._keep(path)
        path.unlink()

    def rename(self, name: str, new: str, condition: Condition) -> Path:
        """Give it and its versions another name; refuses with 409 if that is taken."""
        path, target = self.existing(name), self.path(new)
        condition.check(path, name)
        if target.exists():
            raise refusal_of(GraphEngineError("file_exists", name=new), 409)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        sync_folder(target.parent)
        versions = self._versions_folder(path)
        if versions.is_dir() and not self._versions_folder(target).exists():
            self._versions_folder(target).parent.mkdir(parents=True, exist_ok=True)
            versions.rename(self._versions_folder(target))
        return target

    def versions(self, name: str) -> list[tuple[int, Path]]:
        """What it was before, latest first; also of one that was deleted."""
        return list(reversed(_numbered(self._versions_folder(self.path(name)))))

    def version(self, name: str, number: int) -> Path:
        """One of them; refuses with 404."""
        found = dict(self.versions(name)).get(number)
        if found is None:
            raise not_found("user_file_not_found", f"{name} ({number})")
        return found

    def _versions_folder(self, path: Path) -> Path:
        return self.user / "workflow_versions" / path.relative_to(self.root.resolve())

    def _keep(self, path: Path) -> None:
        folder = self._versions_folder(path)
        known = _numbered(folder)
        number = known[-1][0] + 1 if known else 1
        write_whole(folder / f"{number}{_END}", path.read_bytes())
        modified = path.stat().st_mtime_ns
        os.utime(folder / f"{number}{_END}", ns=(modified, modified))
        for _, old in known[: max(0, len(known) + 1 - MOST_VERSIONS)]:
            old.unlink(missing_ok=True)


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """The files of a folder whose names are numbers, ascending."""
    files = folder.glob(f"*{_END}") if folder.is_dir() else ()
    return sorted((int(path.stem), path) for path in files if path.stem.isdecimal())


# --- drafts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drafts:
    """What open tabs hold: in each file a line about the draft, then the document."""

    user: Path

    def all(self) -> list[tuple[str, Path, dict[str, Any]]]:
        """Ids, files and what the first lines say, the latest changed first."""
        folder = self.user / "drafts"
        paths = list(folder.glob(f"*{_END}")) if folder.is_dir() else []
        paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [(path.stem, path, about) for path in paths if (about := _about(path)) is not None]

    def path(self, draft_id: str) -> Path:
        """Where it lies; refuses with 400 what is no id."""
        if _DRAFT_ID.fullmatch(draft_id) is None:
            raise refusal_of(GraphEngineError("outside_folder", name=draft_id))
        return self.user / "drafts" / f"{draft_id}{_END}"

    def read(self, draft_id: str) -> tuple[Path, dict[str, Any]]:
        """Its file and fields; refuses with 404."""
        path = self.path(draft_id)
        try:
            about, _, document = path.read_bytes().partition(b"\n")
            return path, {**json.loads(about), "document": json.loads(document)}
        except (FileNotFoundError, ValueError) as error:
            raise not_found("user_file_not_found", draft_id) from error

    def write(self, draft_id: str, fields: dict[str, Any], condition: Condition) -> Path:
        """Keep it."""
        path = self.path(draft_id)
        condition.check(path, draft_id)
        about = {name: value for name, value in fields.items() if name != "document"}
        lines = [json.dumps(part, separators=(",", ":")) for part in (about, fields["document"])]
        _write(path, "\n".join(lines).encode())
        return path

    def delete(self, draft_id: str) -> None:
        """Forget it."""
        path = self.path(draft_id)
        if not path.is_file():
            raise not_found("user_file_not_found", draft_id)
        path.unlink()


def _about(path: Path) -> dict[str, Any] | None:
    """What a draft's first line says; None for a file that is none."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.readline(1_000_000))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("name"), str) else None


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:  # a folder where a file should be, a name that is too long
        raise refusal_of(GraphEngineError("file_not_written", cause=error.strerror)) from error


def _is_hidden(name: str) -> bool:
    return any(not part.strip() or part.startswith(".") for part in name.split("/"))

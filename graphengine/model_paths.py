"""Further folders of models, as ComfyUI's ``extra_model_paths.yaml`` names them.

Each section may have a ``base_path`` (relative to the file) and ``is_default``; its other keys are
kinds of models, each with one path or several, one a line. What is default stands before the
folders that are there anyway, the rest after them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError
from graphengine.folders import kind_of

FILE_NAME = "extra_model_paths.yaml"
_NOT_KINDS = ("base_path", "is_default")


class ModelPathsError(GraphEngineError):
    """A file of model paths that cannot be used; says which one and why."""


@dataclass(frozen=True)
class ModelPaths:
    """Kind → folders: those that come first, and those that come last."""

    first: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    last: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def around(self, kind: str, usual: Iterable[Path] = ()) -> tuple[Path, ...]:
        """The folders of a kind in the order in which they are looked into, each once."""
        found = (*self.first.get(kind, ()), *usual, *self.last.get(kind, ()))
        return tuple(dict.fromkeys(found))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are named."""
        return tuple(dict.fromkeys((*self.first, *self.last)))


def load_model_paths(files: Iterable[Path]) -> ModelPaths:
    """What some files name, the first file first; raises `ModelPathsError`."""
    first: dict[str, list[Path]] = {}
    last: dict[str, list[Path]] = {}
    for file in files:
        for section in _sections(file):
            chosen = first if section.get("is_default") is True else last
            for kind, paths in _paths_by_kind(section, file):
                chosen.setdefault(kind, []).extend(paths)
    return ModelPaths(_frozen(first), _frozen(last))


def _sections(file: Path) -> Iterator[Mapping[str, Any]]:
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ModelPathsError("bad_model_paths", file=str(file), cause=cause) from error
    for name, section in _mapping(document or {}, "the file", file).items():
        if section is not None:
            yield _mapping(section, f'the section "{name}"', file)


def _paths_by_kind(section: Mapping[str, Any], file: Path) -> Iterator[tuple[str, list[Path]]]:
    base = _path(str(section.get("base_path") or ""), file.absolute().parent)
    for kind, value in section.items():
        if kind in _NOT_KINDS or value is None:
            continue
        if not isinstance(value, str):
            cause = f'"{kind}" must be a text: one path, or one a line'
            raise ModelPathsError("bad_model_paths", file=str(file), cause=cause)
        lines = (line.strip() for line in value.splitlines())
        yield kind_of(str(kind)), [_path(line, base) for line in lines if line]


def _mapping(value: Any, what: str, file: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        cause = f"{what} must hold names and values"
        raise ModelPathsError("bad_model_paths", file=str(file), cause=cause)
    return value


def _path(text: str, base: Path) -> Path:
    """A path below ``base`` unless it is absolute; ``~`` and variables are filled in."""
    written = os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111
    return Path(os.path.normpath(base / written))


def _frozen(paths: Mapping[str, list[Path]]) -> dict[str, tuple[Path, ...]]:
    return {kind: tuple(dict.fromkeys(found)) for kind, found in paths.items()}

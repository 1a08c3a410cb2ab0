"""Model files that a workflow names and that are not here: what fits instead.

Matched by the hash that was saved with the workflow, then by the name without folder and
extension; otherwise there is a list of what could be taken.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphengine.errors import Problem
from graphengine.folders import MODEL_EXTENSIONS, Folders
from graphengine.nearest import nearest
from graphengine.parameters import ImageFile, ModelFile
from graphengine.registry import Registry
from graphengine.workflow import Workflow, WorkflowNode

SHORTEST_HASH = 8
"""Hexadecimal digits: other programs save the first 8 or 10 of a SHA-256."""

HashOf = Callable[[Path], str]


@dataclass(frozen=True)
class MissingModel:
    """A model file that is not here; ``substitutes`` are those that are, most alike first."""

    node_id: str
    input: str
    kind: str
    name: str
    substitutes: tuple[str, ...]


@dataclass(frozen=True)
class Matched:
    """A workflow whose model files are here as far as possible, what was changed, what is not."""

    workflow: Workflow
    changes: tuple[Problem, ...]
    missing: tuple[MissingModel, ...]


def match_models(
    workflow: Workflow,
    registry: Registry,
    folders: Folders,
    references: Iterable[Mapping[str, Any]] = (),
    hash_of: HashOf | None = None,
) -> Matched:
    """The workflow with the names of files that are here instead of those that are not.

    ``references``: name and hash of the files that the workflow was made with. Files are hashed
    only if one of these is missing: ``hash_of`` gives a file's SHA-256 (by default its content is
    read, 1 GB a second or less).
    """
    digests = dict(_digests(references))
    nodes = dict(workflow.nodes)
    changes: list[Problem] = []
    missing: list[MissingModel] = []
    for lost in _missing(workflow, registry, folders):
        node = nodes[lost.node_id]
        digest = digests.get(_stem(lost.name))
        found = None if digest is None else _by_hash(lost, folders, digest, hash_of or sha256_of)
        code = "model_matched_hash"
        if found is None:
            found, code = _by_name(lost), "model_matched_name"
        if found is None:
            missing.append(lost)
            continue
        nodes[node.id] = node._replace(inputs={**node.inputs, lost.input: found})
        title = node.title or node.type
        changes.append(
            Problem(code, node.id, title, lost.input, found, lost.name, severity="warning")
        )
    return Matched(
        dataclasses.replace(workflow, nodes=nodes) if changes else workflow,
        tuple(changes),
        tuple(missing),
    )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal digits; '' if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _missing(workflow: Workflow, registry: Registry, folders: Folders) -> Iterator[MissingModel]:
    listings: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for node in workflow.nodes.values():
        for name, widget, value in _model_values(node, registry):
            key = (widget.kind, widget.extra)
            if key not in listings:
                listings[key] = tuple(map(str, widget.choices(folders)))
            there = listings[key]
            if value in there or value.replace("\\", "/") in there:
                continue
            yield MissingModel(node.id, name, widget.kind, value, _most_alike(value, there))


def _model_values(node: WorkflowNode, registry: Registry) -> Iterator[tuple[str, ModelFile, str]]:
    spec = registry.get(node.type)
    for wanted in spec.inputs if spec is not None else ():
        widget, value = wanted.widget, node.inputs.get(wanted.name)
        if not isinstance(widget, ModelFile) or isinstance(widget, ImageFile):
            continue
        if isinstance(value, str):
            yield wanted.name, widget, value


def _digests(references: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for reference in references:
        name, digest = reference.get("name"), reference.get("hash")
        if isinstance(name, str) and isinstance(digest, str) and len(digest) >= SHORTEST_HASH:
            yield _stem(name), digest.lower()


def _by_hash(lost: MissingModel, folders: Folders, digest: str, hash_of: HashOf) -> str | None:
    for name in lost.substitutes:
        path = folders.find(lost.kind, name)
        if path is not None and path.is_file() and hash_of(path).startswith(digest):
            return name
    return None


def _by_name(lost: MissingModel) -> str | None:
    """The only file of the same name, whatever its folder and extension."""
    found = [name for name in lost.substitutes if _stem(name) == _stem(lost.name)]
    return found[0] if len(found) == 1 else None


def _stem(name: str) -> str:
    """A name without folder and extension; case does not count."""
    file = name.replace("\\", "/").rpartition("/")[2].lower()
    return next((file.removesuffix(end) for end in MODEL_EXTENSIONS if file.endswith(end)), file)


def _most_alike(name: str, there: tuple[str, ...]) -> tuple[str, ...]:
    first = nearest(name, there, limit=10)
    return (*first, *(other for other in there if other not in first))

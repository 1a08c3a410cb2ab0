"""Opened workflows as documents of the editor: in our own form, with what is missing here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from graphengine.canvas import Canvas, CanvasNode
from graphengine.comfy.convert import DRAWN_ONLY
from graphengine.comfy.group_nodes import group_definition
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.ui_writing import without_repetition
from graphengine.engine import Engine
from graphengine.errors import Problem
from graphengine.migrating import with_versions
from graphengine.missing_models import MissingModel, match_models
from graphengine.native import to_native
from graphengine.nearest import nearest
from graphengine.opening import Opened
from graphengine.server.workflow_models import (
    MissingModelAnswer,
    MissingNode,
    OpenedAnswer,
    ProblemAnswer,
)
from graphengine.workflow import Workflow, WorkflowNode

MOST_NOTES = 500
"""So many remarks are told; a broken file can give rise to one for each of its nodes."""


def opened_answer(opened: Opened, name: str, engine: Engine) -> OpenedAnswer:
    """The document; model files that are here under another name are put in their places."""
    layouts = opened.layouts
    matched = _Matching(engine, opened.models)
    canvas = matched.canvas(opened.canvas, "")
    canvas = without_repetition(with_versions(canvas, layouts.spec), layouts)
    notes = [ProblemAnswer.model_validate(p.as_dict()) for p in (*opened.changes, *matched.changes)]
    return OpenedAnswer(
        name=name,
        form=opened.form,
        document=to_native(canvas),
        notes=notes[:MOST_NOTES],
        missing_nodes=missing_nodes(canvas, engine),
        missing_models=[matched.answer(part, lost) for part, lost in matched.missing],
    )


def layouts_of(engine: Engine) -> Layouts:
    """The layouts of all node types that the engine knows."""
    return Layouts(engine.registry)


def missing_nodes(canvas: Canvas, engine: Engine) -> list[MissingNode]:
    """The node types that nothing here knows, with those of like names."""
    found: dict[str, list[str]] = {}
    for node_id, node in _unknown(canvas, engine):
        found.setdefault(node.type, []).append(node_id)
    known = engine.registry.ids()
    return [
        MissingNode(type=kind, node_ids=ids, suggestions=list(nearest(kind, known)))
        for kind, ids in found.items()
    ]


def _unknown(canvas: Canvas, engine: Engine) -> Iterator[tuple[str, CanvasNode]]:
    for part_id, part in _parts(canvas):
        for node in part.nodes.values():
            drawn = node.type in DRAWN_ONLY or node.type in canvas.subgraphs
            if drawn or group_definition(canvas, node.type) is not None:
                continue
            if engine.registry.get(node.type) is None:
                yield _path(part_id, node.id), node


def _parts(canvas: Canvas) -> Iterator[tuple[str, Canvas]]:
    yield "", canvas
    for part in canvas.subgraphs.values():
        yield part.id, part.canvas


def _path(part_id: str, node_id: str) -> str:
    return f"{part_id}:{node_id}" if part_id else node_id


class _Matching:
    """Looks at the model files of one canvas and its subgraphs; gathers what is missing."""

    def __init__(self, engine: Engine, references: tuple[Mapping[str, Any], ...]) -> None:
        self._engine = engine
        self._references = references
        self._urls = {str(one.get("name")): one.get("url") for one in references}
        self.changes: list[Problem] = []
        self.missing: list[tuple[str, MissingModel]] = []

    def canvas(self, canvas: Canvas, part_id: str) -> Canvas:
        """The canvas with names of files that are here."""
        nodes = {node.id: _with_values_only(node) for node in canvas.nodes.values()}
        engine = self._engine
        matched = match_models(Workflow(nodes), engine.registry, engine.folders, self._references)
        self.changes += matched.changes
        self.missing += ((part_id, lost) for lost in matched.missing)
        changed = {
            node.id: dataclasses.replace(
                node, values={**node.values, **matched.workflow.nodes[node.id].inputs}
            )
            for node in canvas.nodes.values()
            if matched.workflow.nodes[node.id] is not nodes[node.id]
        }
        subgraphs = {
            part.id: dataclasses.replace(part, canvas=self.canvas(part.canvas, part.id))
            for part in canvas.subgraphs.values()
        }
        return dataclasses.replace(canvas, nodes={**canvas.nodes, **changed}, subgraphs=subgraphs)

    def answer(self, part_id: str, lost: MissingModel) -> MissingModelAnswer:
        """A file that is not here."""
        url = self._urls.get(lost.name)
        return MissingModelAnswer(
            node_id=_path(part_id, lost.node_id),
            input=lost.input,
            folder=lost.kind,
            name=lost.name,
            substitutes=list(lost.substitutes),
            url=url if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        )


def _with_values_only(node: CanvasNode) -> WorkflowNode:
    """The node as it would run with the values that no link replaces."""
    linked = {slot.widget for slot in node.inputs if slot.link is not None}
    values = {name: value for name, value in node.values.items() if name not in linked}
    return WorkflowNode(node.id, node.type, values, node.title)

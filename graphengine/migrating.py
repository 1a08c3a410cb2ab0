"""Saved nodes as their types are today: under their present id, with their present values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from graphengine.canvas import Canvas, CanvasNode
from graphengine.errors import Problem, said
from graphengine.spec import NodeSpec
from graphengine.workflow import Workflow

FindSpec = Callable[[str], NodeSpec | None]
"""The node type of a name, old or present."""


def migrated_canvas(canvas: Canvas, find: FindSpec) -> tuple[Canvas, tuple[Problem, ...]]:
    """The canvas with every node as its type is today, and what was changed."""
    told: list[Problem] = []
    nodes = {node.id: _migrated(node, find, told) for node in canvas.nodes.values()}
    subgraphs = {}
    for part in canvas.subgraphs.values():
        inner, more = migrated_canvas(part.canvas, find)
        subgraphs[part.id] = dataclasses.replace(part, canvas=inner)
        told += more
    return dataclasses.replace(canvas, nodes=nodes, subgraphs=subgraphs), tuple(told)


def migrated_workflow(workflow: Workflow, find: FindSpec) -> tuple[Workflow, tuple[Problem, ...]]:
    """The workflow with present ids of node types, and what was changed.

    Files in API format do not tell versions, so values stay as they are.
    """
    told: list[Problem] = []
    nodes = {}
    for node in workflow.nodes.values():
        spec = find(node.type)
        if spec is not None and spec.id != node.type:
            told.append(_renamed(node.id, node.title, node.type, spec))
            node = node._replace(type=spec.id)
        nodes[node.id] = node
    return dataclasses.replace(workflow, nodes=nodes) if told else workflow, tuple(told)


def with_versions(canvas: Canvas, find: FindSpec) -> Canvas:
    """The canvas as it is saved: each node of a known type with the type's version."""
    nodes = {}
    for node in canvas.nodes.values():
        spec = find(node.type)
        nodes[node.id] = node if spec is None else dataclasses.replace(node, version=spec.version)
    subgraphs = {
        part.id: dataclasses.replace(part, canvas=with_versions(part.canvas, find))
        for part in canvas.subgraphs.values()
    }
    return dataclasses.replace(canvas, nodes=nodes, subgraphs=subgraphs)


def _migrated(node: CanvasNode, find: FindSpec, told: list[Problem]) -> CanvasNode:
    spec = find(node.type)
    if spec is None:
        return node
    if spec.id != node.type:
        told.append(_renamed(node.id, node.title, node.type, spec))
        node = dataclasses.replace(node, type=spec.id)
    if spec.migrate is None or not 0 < node.version < spec.version:
        return node
    details = {"old": node.version, "new": spec.version}
    title = node.title or spec.title
    try:
        values = dict(spec.migrate(node.version, node.values))
    except Exception as error:  # a plugin's code, which may fail in any way
        got = said(error)
        told.append(
            Problem("node_not_migrated", node.id, title, None, None, got, "warning", details)
        )
        return node
    told.append(Problem("node_migrated", node.id, title, severity="warning", details=details))
    return dataclasses.replace(node, values=values, version=spec.version, saved={})


def _renamed(node_id: str, title: str | None, old: str, spec: NodeSpec) -> Problem:
    return Problem("node_renamed", node_id, title or spec.title, None, spec.id, old, "warning")

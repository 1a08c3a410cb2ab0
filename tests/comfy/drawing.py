"""Small editor-format workflows for tests, drawn from the ids and types of their slots."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.convert import to_workflow
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.ui_format import parse_ui
from graphengine.errors import Problem
from graphengine.workflow import to_api

LAYOUTS = Layouts()


def slot(name: str, kind: str, link: int | None = None, *, widget: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "type": kind, "link": link}
    return {**made, "widget": {"name": name}} if widget else made


def drawn(
    node_id: int | str,
    kind: str,
    inputs: list[dict[str, Any]] | None = None,
    outputs: str = "",
    values: Any = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": kind,
        "pos": [10, 20],
        "size": [210, 58],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs or [],
        "outputs": [{"name": name, "type": name, "links": []} for name in outputs.split()],
        "properties": {},
        **({} if values is None else {"widgets_values": values}),
        **more,
    }


def file(nodes: list[Any], links: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"version": 0.4, "nodes": nodes, "links": links or [], "groups": [], **more}


def subgraph(
    name: str,
    nodes: list[Any],
    links: list[tuple[Any, ...]],
    inputs: str = "",
    outputs: str = "",
    **more: Any,
) -> dict[str, Any]:
    """``inputs`` and ``outputs`` are the names of the slots; a slot's type is its name."""
    fields = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return {
        "id": name,
        "name": name,
        "version": 1,
        "nodes": nodes,
        "links": [dict(zip(fields, link, strict=True)) for link in links],
        "inputs": [{"id": one, "name": one, "type": one} for one in inputs.split()],
        "outputs": [{"id": one, "name": one, "type": one} for one in outputs.split()],
        **more,
    }


def opened(data: Any) -> tuple[dict[str, Any], list[Problem]]:
    """The API form of an editor-format workflow, and what was told on the way."""
    canvas, told = parse_ui(data, LAYOUTS)
    workflow, more = to_workflow(canvas, LAYOUTS)
    return to_api(workflow), [*told, *more]


def inputs_of(data: Any) -> dict[str, dict[str, Any]]:
    """The inputs of every node that is run, by its id."""
    return {node_id: node["inputs"] for node_id, node in opened(data)[0].items()}

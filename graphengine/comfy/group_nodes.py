"""Group nodes, the subgraphs of older files: one is made into a subgraph of its own.

``extra.groupNodes`` holds the nodes inside by their place, ``[place, slot, place, slot, …]`` as
links, and which slots show outside. A value or slot of the group node is the next one inside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphengine.canvas import GRAPH_INPUT, GRAPH_OUTPUT, Canvas, CanvasLink, CanvasNode, Subgraph
from graphengine.comfy.layouts import Layouts, NodeLayout
from graphengine.comfy.ui_format import parse_ui
from graphengine.comfy.widget_values import name_values

PREFIXES = ("workflow>", "workflow/")

Shown = tuple[CanvasNode, int]
"""A slot of a node inside that is a slot of the group node."""


def group_definition(canvas: Canvas, node_type: str) -> Mapping[str, Any] | None:
    """The definition of a group node's type; None if it is no group node."""
    if not node_type.startswith(PREFIXES):
        return None
    name = node_type[len(PREFIXES[0]) :]
    saved = canvas.extra.get("extra")
    groups = saved.get("groupNodes") if isinstance(saved, dict) else None
    found = groups.get(name) if isinstance(groups, dict) else None
    return found if isinstance(found, dict) and isinstance(found.get("nodes"), list) else None


def group_subgraph(node: CanvasNode, definition: Mapping[str, Any], layouts: Layouts) -> Subgraph:
    """The subgraph that a group node stands for, with this node's values in it."""
    inner = _inside(definition, layouts)
    linked = {(link.target, link.target_slot) for link in inner.links.values()}
    origins = {(link.origin, link.origin_slot) for link in inner.links.values()}
    external = {(str(item[0]), item[1]) for item in _lists(definition.get("external"), 2)}
    inputs = _matched(node, _open_inputs(inner, linked))
    outputs = [
        (part, slot)
        for part in inner.nodes.values()
        for slot in range(len(part.outputs))
        if (part.id, slot) not in origins or (part.id, slot) in external
    ]
    links = dict(inner.links)
    for place, (part, slot) in inputs.items():
        name, kind = f"in{place}", part.inputs[slot].type
        links[name] = CanvasLink(name, GRAPH_INPUT, place, part.id, slot, kind)
    for place, (part, slot) in enumerate(outputs):
        name, kind = f"out{place}", part.outputs[slot].type
        links[name] = CanvasLink(name, part.id, slot, GRAPH_OUTPUT, place, kind)
    return Subgraph(
        node.type,
        node.type,
        Canvas(_valued(node, inner, links, layouts), links),
        node.inputs,
        node.outputs,
    )


def _inside(definition: Mapping[str, Any], layouts: Layouts) -> Canvas:
    """The nodes of the definition by their place, and the links between them."""
    nodes = [
        {**raw, "id": place} if isinstance(raw, dict) else raw
        for place, raw in enumerate(definition["nodes"])
    ]
    links = [[place, *item[:4]] for place, item in enumerate(_lists(definition.get("links"), 4))]
    return parse_ui({"nodes": nodes, "links": links}, layouts)[0]


def _open_inputs(inner: Canvas, linked: set[tuple[str, int]]) -> list[Shown]:
    return [
        (part, slot)
        for part in inner.nodes.values()
        for slot in range(len(part.inputs))
        if (part.id, slot) not in linked
    ]


def _matched(node: CanvasNode, inside: Sequence[Shown]) -> dict[int, Shown]:
    """For each input of the group node the one inside: in order, by name and type.

    A name that occurs twice is shown with the title of its node before it or a number behind.
    """
    found: dict[int, Shown] = {}
    left = list(inside)
    for place, slot in enumerate(node.inputs):
        for candidate in left:
            own = candidate[0].inputs[candidate[1]]
            if own.type == slot.type and own.name in slot.name:
                found[place] = candidate
                left.remove(candidate)
                break
    return found


def _valued(
    node: CanvasNode, inner: Canvas, links: Mapping[str, CanvasLink], layouts: Layouts
) -> dict[str, CanvasNode]:
    """The nodes inside with their links, and the group node's values as far as they reach."""
    incoming = {(link.target, link.target_slot): link.id for link in links.values()}
    values = iter(node.unnamed)
    nodes = {}
    for part in inner.nodes.values():
        inputs = tuple(
            dataclasses.replace(slot, link=incoming.get((part.id, place)))
            for place, slot in enumerate(part.inputs)
        )
        own = {**part.values, **_taken(part, layouts.get(part.type), values)}
        nodes[part.id] = dataclasses.replace(part, inputs=inputs, values=own)
    return nodes


def _taken(part: CanvasNode, layout: NodeLayout | None, values: Iterator[Any]) -> Mapping[str, Any]:
    """The next values of the group node, as many as the node inside has of its own."""
    count = len(part.values) + len(part.controls)
    saved = [value for _, value in zip(range(count), values, strict=False)]
    if not saved or part.unnamed:
        return {}
    return name_values(layout, part.inputs, saved, None).values


def _lists(value: Any, length: int) -> list[list[Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, list) and len(item) >= length]

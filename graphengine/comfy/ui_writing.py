"""A canvas as ComfyUI's editor format, 0.4; subgraphs as version 1, as the editor saves them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from graphengine.canvas import (
    GRAPH_INPUT,
    GRAPH_OUTPUT,
    Canvas,
    CanvasLink,
    CanvasNode,
    Slot,
    Subgraph,
)
from graphengine.comfy.layouts import NO_DEFAULT, InputLayout, Layouts, NodeLayout
from graphengine.comfy.ui_format import OURS, VERSION_PROPERTY
from graphengine.comfy.widget_values import name_values

VERSION = 0.4
SUBGRAPH_VERSION = 1


def to_ui(canvas: Canvas, layouts: Layouts) -> dict[str, Any]:
    """The canvas as editor-format JSON; `parse_ui` reads the same canvas from it."""
    drawn = {
        "nodes": _nodes(canvas, layouts),
        "links": [_link_list(link) for link in canvas.links.values()],
        "groups": list(canvas.groups),
    }
    data: dict[str, Any] = {
        **drawn,
        "config": {},
        "extra": {},
        "version": VERSION,
        **canvas.extra,
        **drawn,
        "last_node_id": _highest(canvas.nodes, canvas.extra.get("last_node_id")),
        "last_link_id": _highest(canvas.links, canvas.extra.get("last_link_id")),
    }
    if data["version"] == SUBGRAPH_VERSION:
        data["links"] = [_link_object(link) for link in canvas.links.values()]
    if canvas.models:
        data["models"] = list(canvas.models)
    if canvas.panel:
        extra = data["extra"] if isinstance(data["extra"], dict) else {}
        data["extra"] = {**extra, OURS: {"panel": canvas.panel}}
    if canvas.subgraphs:
        subgraphs = [_subgraph(subgraph, layouts) for subgraph in canvas.subgraphs.values()]
        data["definitions"] = {"subgraphs": subgraphs}
    return data


def widget_list(node: CanvasNode, layouts: Layouts) -> dict[str, Any]:
    """The fields for a node's values: as they were saved, if they still say the same."""
    layout = layouts.get(node.type)
    saved, named = node.saved.get("widgets_values"), node.saved.get("widgets_values_named")
    if node.saved:
        read = name_values(layout, node.inputs, saved, named)
        if (read.values, read.controls, read.unnamed) == (
            node.values,
            node.controls,
            node.unnamed,
        ):
            return dict(node.saved)
    return _from_names(node, layout)


def without_repetition(canvas: Canvas, layouts: Layouts) -> Canvas:
    """The canvas without saved fields that its values by name give anyway."""
    nodes = {}
    for node in canvas.nodes.values():
        bare = dataclasses.replace(node, saved={})
        repeated = node.saved == _from_names(bare, layouts.get(node.type))
        nodes[node.id] = bare if repeated else node
    subgraphs = {
        part.id: dataclasses.replace(part, canvas=without_repetition(part.canvas, layouts))
        for part in canvas.subgraphs.values()
    }
    return dataclasses.replace(canvas, nodes=nodes, subgraphs=subgraphs)


# --- nodes ----------------------------------------------------------------------------------------


def _nodes(canvas: Canvas, layouts: Layouts) -> list[dict[str, Any]]:
    outgoing: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for link in canvas.links.values():
        outgoing[link.origin, link.origin_slot].append(_id(link.id))
    nodes = []
    for order, node in enumerate(canvas.nodes.values()):
        data: dict[str, Any] = {
            "id": _id(node.id),
            "type": node.type,
            "pos": list(node.position),
            "size": list(node.size or (210, 60)),
            "flags": {},
            "order": order,
            "mode": node.mode,
            "properties": {},
        }
        if node.inputs:
            data["inputs"] = [_slot(slot, {"link": _link_id(slot)}) for slot in node.inputs]
        if node.outputs:
            data["outputs"] = [
                _slot(slot, {"links": outgoing.get((node.id, place), [])})
                for place, slot in enumerate(node.outputs)
            ]
        if node.title is not None:
            data["title"] = node.title
        data |= {**widget_list(node, layouts), **node.extra}
        if node.version:
            data["properties"] = {**data["properties"], VERSION_PROPERTY: node.version}
        nodes.append(data)
    return nodes


def _slot(slot: Slot, link: Mapping[str, Any]) -> dict[str, Any]:
    widget = {} if slot.widget is None else {"widget": {"name": slot.widget}}
    return {"name": slot.name, "type": slot.type, **link, **widget, **slot.extra}


def _from_names(node: CanvasNode, layout: NodeLayout | None) -> dict[str, Any]:
    if layout is None:
        as_object = isinstance(node.saved.get("widgets_values"), dict)
        return _unknown_values(node, as_object=as_object)
    listed = _in_order(node, layout.widgets)
    return {"widgets_values": listed} if listed else {}


def _in_order(node: CanvasNode, widgets: tuple[InputLayout, ...]) -> list[Any]:
    """The values as the editor counts them, with controls and buttons; defaults in gaps."""
    last = max(
        (place for place, entry in enumerate(widgets) if entry.name in node.values), default=-1
    )
    listed: list[Any] = []
    for entry in widgets[: last + 1]:
        default = None if entry.default is NO_DEFAULT else entry.default
        listed.append(node.values.get(entry.name, default))
        if entry.control:
            listed.append(node.controls.get(entry.name, "fixed"))
        if entry.upload:
            listed.append("image")
    return [*listed, *node.unnamed]


def _unknown_values(node: CanvasNode, *, as_object: bool) -> dict[str, Any]:
    """Values of a type that nobody knows: by name if the file had names, else in their order."""
    if node.unnamed and not node.values:
        return {"widgets_values": list(node.unnamed)}
    if not node.values:
        return {}
    names = {slot.widget for slot in node.inputs}
    if as_object or not set(node.values) <= names:
        return {"widgets_values": dict(node.values)}
    listed: list[Any] = []
    for name, value in node.values.items():
        listed.append(value)
        if name in node.controls:
            listed.append(node.controls[name])
    return {"widgets_values": [*listed, *node.unnamed]}


# --- links and subgraphs --------------------------------------------------------------------------


def _link_list(link: CanvasLink) -> list[Any]:
    kind = link.extra.get("type", link.type)
    ends = [_id(link.origin), link.origin_slot, _id(link.target), link.target_slot]
    return [_id(link.id), *ends, kind]


def _link_object(link: CanvasLink) -> dict[str, Any]:
    return {
        "id": _id(link.id),
        "origin_id": _id(link.origin),
        "origin_slot": link.origin_slot,
        "target_id": _id(link.target),
        "target_slot": link.target_slot,
        "type": link.type,
        **link.extra,
    }


def _subgraph(subgraph: Subgraph, layouts: Layouts) -> dict[str, Any]:
    canvas = subgraph.canvas
    links = canvas.links.values()
    inputs = [
        _slot(slot, {"linkIds": _ids(links, GRAPH_INPUT, place)})
        for place, slot in enumerate(subgraph.inputs)
    ]
    outputs = [
        _slot(slot, {"linkIds": _ids(links, GRAPH_OUTPUT, place)})
        for place, slot in enumerate(subgraph.outputs)
    ]
    drawn = {
        "id": subgraph.id,
        "version": SUBGRAPH_VERSION,
        "name": subgraph.name,
        "nodes": _nodes(canvas, layouts),
        "links": [_link_object(link) for link in links],
        "groups": list(canvas.groups),
        "inputs": inputs,
        "outputs": outputs,
    }
    return {**drawn, **canvas.extra, **drawn}


def _ids(links: Any, end: str, place: int) -> list[Any]:
    return [
        _id(link.id)
        for link in links
        if (link.origin, link.origin_slot) == (end, place)
        or (link.target, link.target_slot) == (end, place)
    ]


def _link_id(slot: Slot) -> Any:
    return None if slot.link is None else _id(slot.link)


def _id(value: str) -> int | str:
    """Ids are numbers in the editor where they can be."""
    number = value.removeprefix("-")
    plain = number.isascii() and number.isdecimal() and str(int(number)) == number
    return int(value) if plain and value != "-0" else value


def _highest(ids: Mapping[str, Any], known: Any) -> int:
    """The highest id that was ever given, so that none is given twice."""
    numbers = [number for number in map(_id, ids) if isinstance(number, int)]
    return max([*numbers, known if isinstance(known, int) else 0])

"""ComfyUI's editor format, 0.4 and 1 with their history, as a canvas.

What is broken is left out and told; all that can be read is read. Fields that we do not know stay
in ``extra`` of what they belong to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphengine.canvas import ALWAYS, Canvas, CanvasLink, CanvasNode, Point, Slot, Subgraph
from graphengine.collecting import collector_paused
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.widget_values import NamedValues, name_values
from graphengine.errors import Problem, ProblemsFound
from graphengine.shown import shown

VALUE_FIELDS = ("widgets_values", "widgets_values_named")
_NODE_FIELDS = frozenset(
    ("id", "type", "pos", "size", "mode", "title", "inputs", "outputs", *VALUE_FIELDS)
)
_SLOT_FIELDS = frozenset(("name", "type", "link", "widget", "links", "linkIds"))
_LINK_FIELDS = frozenset(["id", "origin_id", "origin_slot", "target_id", "target_slot", "type"])
_GRAPH_FIELDS = frozenset(("nodes", "links", "groups", "definitions", "models"))
_SUBGRAPH_FIELDS = _GRAPH_FIELDS | {"id", "name", "inputs", "outputs"}
MOST_NESTED = 50
VERSION_PROPERTY = "graphengine_version"
OURS = "graphengine"
"""Under this name in ``extra`` stands what other editors have no field for."""


def is_ui_format(data: Any) -> bool:
    """Whether JSON is a workflow of the editor, not in API format."""
    return isinstance(data, dict) and isinstance(data.get("nodes"), list)


@collector_paused()
def parse_ui(data: Any, layouts: Layouts) -> tuple[Canvas, tuple[Problem, ...]]:
    """The canvas in editor-format JSON, and what of it could not be read (as warnings).

    Raises ProblemsFound if it is no such JSON at all.
    """
    if not is_ui_format(data):
        raise ProblemsFound((Problem("workflow_not_object", got=shown(data)),))
    reading = _Reading(layouts)
    subgraphs: dict[str, Subgraph] = {}
    reading.subgraphs(data, subgraphs, depth=0)
    canvas = reading.canvas(data, _GRAPH_FIELDS, subgraphs)
    return canvas, tuple(reading.problems)


@dataclass
class _Reading:
    """One pass over a file; ``problems`` grows with what cannot be read."""

    layouts: Layouts
    problems: list[Problem] = field(default_factory=list)

    def subgraphs(self, data: Any, found: dict[str, Subgraph], depth: int) -> None:
        """Definitions, also nested ones; their ids are unique in the whole file."""
        definitions = data.get("definitions")
        listed = definitions.get("subgraphs") if isinstance(definitions, dict) else None
        for raw in listed if isinstance(listed, list) else ():
            if not is_ui_format(raw) or not isinstance(raw.get("id"), str):
                self.tell("broken_subgraph", got=shown(raw))
                continue
            if depth < MOST_NESTED:
                self.subgraphs(raw, found, depth + 1)
            found[raw["id"]] = Subgraph(
                raw["id"],
                str(raw.get("name", "")),
                self.canvas(raw, _SUBGRAPH_FIELDS, {}),
                self.slots(raw.get("inputs"), None),
                self.slots(raw.get("outputs"), None),
            )

    def canvas(
        self, data: Mapping[str, Any], known: frozenset[str], subgraphs: Mapping[str, Subgraph]
    ) -> Canvas:
        nodes: dict[str, CanvasNode] = {}
        for raw in data["nodes"]:
            node = self.node(raw)
            if node is not None and node.id in nodes:
                node = self.renamed(node, data["nodes"], nodes)
            if node is not None:
                nodes[node.id] = node
        extra = {name: value for name, value in data.items() if name not in known}
        panel, extra = _taken_panel(extra)
        return Canvas(
            nodes,
            self.links(data.get("links")),
            _mappings(data.get("groups")),
            _mappings(data.get("models")),
            panel,
            subgraphs,
            extra,
        )

    # --- nodes ---

    def node(self, raw: Any) -> CanvasNode | None:
        node_id = _id(raw.get("id")) if isinstance(raw, dict) else None
        if not isinstance(raw, dict) or node_id is None:
            self.tell("broken_node", got=shown(raw))
            return None
        node_type = raw.get("type")
        if not isinstance(node_type, str):
            self.tell("broken_node", node_id, got=shown(node_type))
            return None
        title = raw.get("title")
        title = title if isinstance(title, str) else None
        inputs = self.slots(raw.get("inputs"), node_id)
        values = self.values(raw, node_type, inputs)
        self.tell_values(values, node_id, title or node_type)
        mode = raw.get("mode", ALWAYS)
        return CanvasNode(
            node_id,
            node_type,
            title,
            mode if isinstance(mode, int) else ALWAYS,
            _point(raw.get("pos")) or (0.0, 0.0),
            _point(raw.get("size")),
            inputs,
            self.slots(raw.get("outputs"), node_id),
            values.values,
            values.controls,
            values.unnamed,
            {name: raw[name] for name in VALUE_FIELDS if name in raw},
            *_taken_version(raw),
        )

    def renamed(
        self, node: CanvasNode, listed: Iterable[Any], taken: Mapping[str, CanvasNode]
    ) -> CanvasNode:
        """The node with an id above all others; links by its old one belong to the first."""
        ids = [*taken, *(_id(raw.get("id")) for raw in listed if isinstance(raw, dict))]
        highest = max((int(known) for known in ids if known and known.isdecimal()), default=0)
        self.tell("renamed_node", str(highest + 1), node.title or node.type, got=node.id)
        return dataclasses.replace(node, id=str(highest + 1))

    def values(
        self, raw: Mapping[str, Any], node_type: str, inputs: tuple[Slot, ...]
    ) -> NamedValues:
        saved = raw.get("widgets_values")
        return name_values(
            self.layouts.get(node_type), inputs, saved, raw.get("widgets_values_named")
        )

    def tell_values(self, values: NamedValues, node_id: str, title: str) -> None:
        for name in values.misfits:
            got = shown(values.values.get(name))
            self.tell("misplaced_value", node_id, title, input_name=name, got=got)

    def slots(self, raw: Any, node_id: str | None) -> tuple[Slot, ...]:
        found = []
        for item in _items(raw):
            if not isinstance(item, dict) or not isinstance(item.get("name", ""), str):
                self.tell("broken_slot", node_id, got=shown(item))
                continue
            extra = {key: item[key] for key in item if key not in _SLOT_FIELDS}
            widget = item.get("widget")
            found.append(
                Slot(
                    item.get("name", ""),
                    _type(item.get("type"), extra),
                    _id(item.get("link")),
                    None if widget is None else _widget_name(widget, extra),
                    extra,
                )
            )
        return tuple(found)

    # --- links ---

    def links(self, raw: Any) -> dict[str, CanvasLink]:
        found: dict[str, CanvasLink] = {}
        for item in raw.values() if isinstance(raw, dict) else _items(raw):
            link = _link(item)
            if link is None:
                if item is not None:
                    self.tell("broken_link", got=shown(item))
            else:
                found[link.id] = link
        return found

    def tell(
        self,
        code: str,
        node_id: str | None = None,
        title: str | None = None,
        *,
        input_name: str | None = None,
        got: str,
    ) -> None:
        self.problems.append(Problem(code, node_id, title, input_name, got=got, severity="warning"))


def _link(item: Any) -> CanvasLink | None:
    """A link from ``[id, node, slot, node, slot, type]`` or an object with the same in words."""
    if isinstance(item, list) and len(item) >= 5:
        link_id, origin, origin_slot, target, target_slot = item[:5]
        kind = item[5] if len(item) > 5 else "*"
        extra: dict[str, Any] = {}
    elif isinstance(item, dict):
        link_id, origin, target = item.get("id"), item.get("origin_id"), item.get("target_id")
        origin_slot, target_slot = item.get("origin_slot"), item.get("target_slot")
        kind = item.get("type")
        extra = {name: item[name] for name in item if name not in _LINK_FIELDS}
    else:
        return None
    ids = _id(link_id), _id(origin), _id(target)
    slots = _slot_number(origin_slot), _slot_number(target_slot)
    if None in ids or None in slots:
        return None
    kind = _type(kind, extra)
    return CanvasLink(ids[0], ids[1], slots[0], ids[2], slots[1], kind, extra)  # type: ignore[arg-type]


def _id(value: Any) -> str | None:
    if type(value) is int or (type(value) is float and value.is_integer()):
        return str(int(value))
    return value if isinstance(value, str) and value else None


def _slot_number(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _type(value: Any, extra: dict[str, Any]) -> str:
    """A link's type; very old files say -1 for any, and give a choice's type as its options."""
    if isinstance(value, str):
        return value
    extra["type"] = value
    return "COMBO" if isinstance(value, list) else "*"


def _widget_name(widget: Any, extra: dict[str, Any]) -> str | None:
    """The name of the widget that a slot stands for; what else is said of it goes to ``extra``."""
    if not isinstance(widget, dict):
        return None
    if len(widget) > 1:
        extra["widget"] = widget
    name = widget.get("name")
    return name if isinstance(name, str) else None


def _point(value: Any) -> Point | None:
    """A place or a size; old files write ``{"0": x, "1": y}``."""
    if isinstance(value, dict):
        value = [value.get("0"), value.get("1")]
    if not isinstance(value, list) or len(value) < 2:
        return None
    x, y = value[:2]
    numbers = isinstance(x, int | float) and isinstance(y, int | float)
    return (x, y) if numbers else None


def _taken_version(raw: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Our node type's version, which stands among a node's properties, and all other fields."""
    extra = {name: value for name, value in raw.items() if name not in _NODE_FIELDS}
    properties = extra.get("properties")
    version = properties.get(VERSION_PROPERTY) if isinstance(properties, dict) else None
    if type(version) is not int or not isinstance(properties, dict):
        return 0, extra
    rest = {name: value for name, value in properties.items() if name != VERSION_PROPERTY}
    return version, {**extra, "properties": rest}


def _mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(item for item in _items(value) if isinstance(item, dict))


def _taken_panel(extra: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The panel's choices in ``extra.graphengine``, and everything else."""
    inner = extra.get("extra")
    ours = inner.get(OURS) if isinstance(inner, dict) else None
    panel = ours.get("panel") if isinstance(ours, dict) else None
    if not isinstance(panel, dict) or not isinstance(inner, dict):
        return {}, dict(extra)
    rest = {name: value for name, value in inner.items() if name != OURS}
    return panel, {**extra, "extra": rest}


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()

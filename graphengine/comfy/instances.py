"""Subgraphs in use: what an instance is linked to outside and inside, and the values it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphengine.canvas import GRAPH_OUTPUT, MUTED, Canvas, CanvasNode, Slot, Subgraph
from graphengine.comfy.widget_values import NOT_VALUES
from graphengine.workflow import Link

SETTERS = ("SetNode", "easy setNode")


@dataclass(frozen=True, slots=True)
class Literal:
    """Where a link leads to: a value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Nothing:
    """Where a link leads to: nowhere. ``keeps``: the value of the widget below it counts."""

    keeps: bool


DROPPED = Nothing(keeps=False)
UNLINKED = Nothing(keeps=True)

Found = Link | Literal | Nothing


@dataclass(eq=False)
class Scope:
    """A canvas in use: at the top, or as the instance of a subgraph in another scope.

    ``promoted``: the instance's values by input; ``inside``: by node inside it and widget.
    """

    canvas: Canvas
    prefix: str = ""
    parent: Scope | None = None
    instance: CanvasNode | None = None
    definition: Subgraph | None = None
    promoted: Mapping[str, Any] = field(default_factory=dict)
    inside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    instances: dict[str, Scope] = field(default_factory=dict)

    @cached_property
    def setters(self) -> Mapping[Any, CanvasNode]:
        """The Set nodes by the name that they set."""
        nodes = self.canvas.nodes.values()
        return {
            first_value(node): node for node in nodes if node.type in SETTERS and node.mode != MUTED
        }

    @cached_property
    def links_out(self) -> Mapping[int, str]:
        """The links that feed the outputs of the subgraph, by output."""
        links = self.canvas.links.values()
        return {link.target_slot: link.id for link in links if link.target == GRAPH_OUTPUT}

    def name(self, node: CanvasNode) -> str:
        """The node's id in the workflow."""
        return self.prefix + node.id


def instance_scope(scope: Scope, node: CanvasNode, definition: Subgraph) -> Scope:
    promoted, inside = _promoted(node, definition)
    for name, value in scope.inside.get(node.id, {}).items():
        _promote(definition, _proxies(node), name, value, promoted, inside)
    return Scope(
        definition.canvas,
        f"{scope.name(node)}:",
        scope,
        node,
        definition,
        promoted,
        inside,
    )


def _promoted(
    node: CanvasNode, definition: Subgraph
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """An instance's values: by input of the subgraph, and by node and widget inside it."""
    promoted: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    proxies = _proxies(node)
    listed = _listed(node)
    owners = _value_owners(node, proxies, len(listed))
    for (owner, name), value in zip(owners, listed, strict=False):
        if value is None or name in NOT_VALUES:
            continue
        if owner == "-1":
            promoted[name] = value
        else:
            inside.setdefault(owner, {})[name] = value
    for name, value in node.values.items() if not listed else ():
        _promote(definition, proxies, name, value, promoted, inside)
    return promoted, inside


def _listed(node: CanvasNode) -> list[Any]:
    """The instance's values as a list, if they were saved as one; else none."""
    as_list = isinstance(node.saved.get("widgets_values"), list)
    if not as_list or "widgets_values_named" in node.saved:
        return []
    listed: list[Any] = []
    for name, value in node.values.items():
        control = node.controls.get(name)
        listed += [value] if control is None else [value, control]
    return [*listed, *node.unnamed]


def _value_owners(
    node: CanvasNode, proxies: list[tuple[str, str]], count: int
) -> list[tuple[str, str]]:
    """Whose the instance's values are, one by one; "-1" is the instance's own input."""
    own = [("-1", slot.name) for slot in node.inputs if slot.widget is not None]
    if not proxies or any(owner == "-1" for owner, _ in proxies):
        return proxies or own
    return proxies if count == len(proxies) else own + proxies


def _promote(
    definition: Subgraph,
    proxies: list[tuple[str, str]],
    name: str,
    value: Any,
    promoted: dict[str, Any],
    inside: dict[str, dict[str, Any]],
) -> None:
    """Give a named value of an instance to the input or the widget inside that has the name."""
    if any(slot.name == name for slot in definition.inputs):
        promoted[name] = value
        return
    owners = [owner for owner, widget in proxies if widget == name and owner != "-1"]
    if owners:
        inside.setdefault(owners[0], {})[name] = value


def _proxies(node: CanvasNode) -> list[tuple[str, str]]:
    properties = node.extra.get("properties")
    listed = properties.get("proxyWidgets") if isinstance(properties, dict) else None
    return [
        (str(item[0]), str(item[1]))
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, list) and len(item) >= 2
    ]


def outside(scope: Scope, place: int) -> tuple[Scope, str | None] | Found:
    """What an input of a subgraph is linked to outside, or the value that the instance gives it."""
    if scope.parent is None or scope.instance is None or scope.definition is None:
        return DROPPED
    wanted = scope.definition.inputs[place] if place < len(scope.definition.inputs) else None
    if wanted is None:
        return DROPPED
    slots = scope.instance.inputs
    slot = _slot_like(slots, wanted, place)
    if slot is None and place < len(slots) and not _names(slots) & _names(scope.definition.inputs):
        slot = slots[place]
    if slot is not None and slot.link is not None:
        return scope.parent, slot.link
    if wanted.name in scope.promoted:
        return Literal(scope.promoted[wanted.name])
    return UNLINKED


def _slot_like(slots: tuple[Slot, ...], wanted: Slot, place: int) -> Slot | None:
    """The slot of the same name; slots without a link are not all saved, so places differ."""
    if place < len(slots) and slots[place].name == wanted.name:
        return slots[place]
    return next((slot for slot in slots if slot.name == wanted.name), None)


def _names(slots: tuple[Slot, ...]) -> set[str]:
    return {slot.name for slot in slots}


def inward(inner: Scope, node: CanvasNode, place: int) -> tuple[Scope, str | None] | Found:
    """The link inside a subgraph that feeds one of its outputs."""
    if inner.definition is None:
        return DROPPED
    name = node.outputs[place].name if place < len(node.outputs) else None
    names = [slot.name for slot in inner.definition.outputs]
    if name is not None and names.count(name) == 1:
        place = names.index(name)
    link_id = inner.links_out.get(place)
    return DROPPED if link_id is None else (inner, link_id)


def first_value(node: CanvasNode) -> Any:
    """The first of a node's values: a primitive's value, the name that a Set node sets."""
    if node.unnamed:
        return node.unnamed[0]
    return next(iter(node.values.values()), None)

"""From what is drawn to what is run: notes go, Reroutes and bypassed nodes are looked through,
subgraphs are unpacked (``"5:12"`` is node 12 inside instance 5), primitives give their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.canvas import (
    BYPASSED,
    GRAPH_INPUT,
    MUTED,
    NOTES,
    Canvas,
    CanvasLink,
    CanvasNode,
    Slot,
    Subgraph,
)
from graphengine.collecting import collector_paused
from graphengine.comfy.group_nodes import group_definition, group_subgraph
from graphengine.comfy.instances import (
    DROPPED,
    SETTERS,
    UNLINKED,
    Found,
    Literal,
    Nothing,
    Scope,
    first_value,
    instance_scope,
    inward,
    outside,
)
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.ui_format import MOST_NESTED
from graphengine.comfy.widget_values import UPLOADS
from graphengine.errors import GraphEngineError, Problem
from graphengine.shown import shown
from graphengine.sockets import ANY, accepts
from graphengine.workflow import Link, Workflow, WorkflowNode, links_of

REROUTES = ("Reroute", "Reroute (rgthree)")
PRIMITIVE = "PrimitiveNode"
GETTERS = ("GetNode", "easy getNode")
DRAWN_ONLY = frozenset(
    (
        *NOTES, *REROUTES, *SETTERS, *GETTERS, PRIMITIVE,
        "Label (rgthree)", "Bookmark (rgthree)", "Node Collector (rgthree)",
        "Fast Muter (rgthree)", "Fast Bypasser (rgthree)", "Fast Groups Muter (rgthree)",
        "Fast Groups Bypasser (rgthree)", "Mute / Bypass Repeater (rgthree)",
        "Mute / Bypass Relay (rgthree)", "Random Unmuter (rgthree)",
        "Fast Actions Button (rgthree)",
    )
)  # fmt: skip
"""Node types that exist in the editor only."""

MOST_NODES = 200_000
MOST_STEPS = 10_000


@collector_paused()
def to_workflow(
    canvas: Canvas, layouts: Layouts, ui: Mapping[str, Any] | None = None
) -> tuple[Workflow, tuple[Problem, ...]]:
    """The workflow that a canvas stands for, and what was left out or filled in (as warnings).

    ``ui``: the editor's own form of it, which pictures made with the workflow will carry.
    """
    flattening = _Flattening(canvas, layouts)
    flattening.unpack(Scope(canvas), ())
    nodes = {}
    for scope, node in flattening.found:
        made = flattening.node(scope, node)
        nodes[made.id] = made
    return Workflow(nodes, ui), tuple(flattening.problems)


class _Flattening:
    """One pass over a canvas and its subgraphs; ``problems`` grows on the way."""

    def __init__(self, canvas: Canvas, layouts: Layouts) -> None:
        self.problems: list[Problem] = []
        self.found: list[tuple[Scope, CanvasNode]] = []
        self._root = canvas
        self._layouts = layouts
        self._unpacked = 0

    # --- which nodes there are ---

    def unpack(self, scope: Scope, path: tuple[str, ...]) -> None:
        """Collect the nodes that run, those of subgraphs in the place of their instance."""
        for node in scope.canvas.nodes.values():
            definition = self._definition(node)
            if definition is not None:
                self._unpack_instance(scope, node, definition, path)
            elif node.mode not in (MUTED, BYPASSED) and node.type not in DRAWN_ONLY:
                self.found.append((scope, node))

    def _unpack_instance(
        self, scope: Scope, node: CanvasNode, definition: Subgraph, path: tuple[str, ...]
    ) -> None:
        if node.mode in (MUTED, BYPASSED):
            return
        if definition.id in path or len(path) == MOST_NESTED:
            self._tell("subgraph_in_itself", scope, node, got=definition.name)
            return
        self._unpacked += 1 + len(definition.canvas.nodes)
        if self._unpacked > MOST_NODES:
            raise GraphEngineError("too_many_nodes", most=MOST_NODES)
        inner = instance_scope(scope, node, definition)
        scope.instances[node.id] = inner
        self.unpack(inner, (*path, definition.id))

    def _definition(self, node: CanvasNode) -> Subgraph | None:
        definition = self._root.subgraphs.get(node.type)
        if definition is not None:
            return definition
        group = group_definition(self._root, node.type)
        return None if group is None else group_subgraph(node, group, self._layouts)

    # --- one node ---

    def node(self, scope: Scope, node: CanvasNode) -> WorkflowNode:
        """The node with its values, and what each of its links leads to.

        Several linked slots of one name are the links of a list input.
        """
        inputs = self._values(scope, node)
        linked: set[str] = set()
        for place, slot in enumerate(node.inputs):
            if slot.link is None:
                continue
            found = self.source(scope, slot)
            if isinstance(found, Literal):
                inputs[slot.name] = found.value
            elif isinstance(found, Link):
                before = links_of(inputs[slot.name]) if slot.name in linked else ()
                inputs[slot.name] = (*before, found) if before else found
                linked.add(slot.name)
            elif not found.keeps:
                inputs.pop(slot.name, None)
            if isinstance(found, Nothing) and not self._leads(scope, slot):
                self._tell("link_to_nowhere", scope, node, input_name=slot.name or str(place))
        return WorkflowNode(scope.name(node), node.type, inputs, node.title)

    def _values(self, scope: Scope, node: CanvasNode) -> dict[str, Any]:
        layout = self._layouts.get(node.type)
        values = {**node.values, **scope.inside.get(node.id, {})}
        for entry in layout.defaults if layout is not None else ():
            if entry.name not in values:
                values[entry.name] = entry.default
                if not any(slot.name == entry.name and slot.link for slot in node.inputs):
                    got = shown(entry.default)
                    self._tell("value_filled_in", scope, node, input_name=entry.name, got=got)
        left = [value for value in node.unnamed if value not in UPLOADS]
        if left:
            code = "unnamed_values" if layout is None else "surplus_values"
            self._tell(code, scope, node, got=shown(left))
        return values

    def _leads(self, scope: Scope, slot: Slot) -> bool:
        """Whether a slot's link exists and begins at something that exists."""
        link = scope.canvas.links.get(slot.link or "")
        return link is not None and (
            link.origin in scope.canvas.nodes or (link.origin == GRAPH_INPUT and bool(scope.parent))
        )

    # --- following links ---

    def source(self, scope: Scope, slot: Slot) -> Found:
        """What a slot's link leads to, through everything that only passes on."""
        at: tuple[Scope, str | None] = (scope, slot.link)
        for _ in range(MOST_STEPS):
            scope, link_id = at
            link = scope.canvas.links.get(link_id or "")
            if link is None:
                return UNLINKED if link_id is None else DROPPED
            step = self._step(scope, link, slot.type)
            if not isinstance(step, tuple) or isinstance(step, Link):
                return step
            at = step
        return DROPPED

    def _step(
        self, scope: Scope, link: CanvasLink, wanted: str
    ) -> tuple[Scope, str | None] | Found:
        """What a link leads to, or the link before it and where that is."""
        if link.origin == GRAPH_INPUT and scope.parent is not None:
            return outside(scope, link.origin_slot)
        node = scope.canvas.nodes.get(link.origin)
        if node is None:
            return DROPPED
        if node.type == PRIMITIVE:
            return _primitive(node)
        if node.mode == MUTED:
            return DROPPED
        if node.type in REROUTES or node.type in SETTERS:
            return scope, node.inputs[0].link if node.inputs else None
        if node.type in GETTERS:
            return _set_by_name(scope, node)
        if node.mode == BYPASSED:
            slot = bypassed_input(node, link.origin_slot, wanted)
            return DROPPED if slot is None or slot.link is None else (scope, slot.link)
        inner = scope.instances.get(node.id)
        if inner is not None:
            return inward(inner, node, link.origin_slot)
        if self._definition(node) is not None:
            return DROPPED
        return Link(scope.name(node), link.origin_slot)

    def _tell(
        self,
        code: str,
        scope: Scope,
        node: CanvasNode,
        *,
        input_name: str | None = None,
        got: str | None = None,
    ) -> None:
        self.problems.append(
            Problem(
                code,
                scope.name(node),
                node.title or node.type,
                input_name,
                got=got,
                severity="warning",
            )
        )


def bypassed_input(node: CanvasNode, output: int, wanted: str) -> Slot | None:
    """The input that a bypassed node passes on in the place of an output; None if none fits.

    The one of the same place if its type fits, else the first of that very type, else the first
    that fits.
    """
    inputs = node.inputs
    same = inputs[output] if output < len(inputs) else None
    if wanted == ANY:
        return same or (inputs[0] if inputs else None)
    offered = node.outputs[output].type if output < len(node.outputs) else wanted
    if same is not None and accepts(wanted, same.type) and accepts(offered, same.type):
        return same
    exact = (slot for slot in inputs if slot.type == wanted)
    fitting = (slot for slot in inputs if accepts(wanted, slot.type))
    return next(exact, None) or next(fitting, None)


# --- nodes that are drawn only --------------------------------------------------------------------


def _primitive(node: CanvasNode) -> Found:
    value = first_value(node)
    return UNLINKED if value is None else Literal(value)


def _set_by_name(scope: Scope, getter: CanvasNode) -> tuple[Scope, str | None] | Found:
    """The link into the Set node of a Get node's name, here or further out."""
    name = first_value(getter)
    at: Scope | None = scope
    while at is not None:
        setter = at.setters.get(name)
        if setter is not None and setter.inputs:
            return at, setter.inputs[0].link
        at = at.parent
    return DROPPED

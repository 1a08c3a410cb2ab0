"""A canvas for a workflow that has none: nodes in columns, each to the right of its sources.

Where that would be a strip that nobody can read, the columns go on below, as lines of a text do.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil, sqrt
from typing import Any

from graphengine.canvas import Canvas, CanvasLink, CanvasNode, Slot
from graphengine.comfy.layouts import InputLayout, Layouts, NodeLayout
from graphengine.workflow import Link, Workflow, WorkflowNode, links_of

COLUMN = 340
GAP = 60
LINE_HEIGHT = 24
TITLE_HEIGHT = 40
WIDTH = 280
TEXT_HEIGHT = 120
BAND_GAP = 160
"""Pixels on the canvas."""

FEWEST_COLUMNS = 12
"""Up to here a row of columns is not broken."""
WIDE = 1.6
"""Width over height of what is drawn."""

_NO_LAYOUT = NodeLayout()


def draw_workflow(workflow: Workflow, layouts: Layouts) -> Canvas:
    """The canvas of a workflow in API format, so that an editor can show and save it.

    An input with several links gets as many slots of its name.
    """
    depths = _depths(workflow)
    used = _used_outputs(workflow)
    bottom: Counter[int] = Counter()
    nodes: dict[str, CanvasNode] = {}
    links: dict[str, CanvasLink] = {}
    for node in workflow.nodes.values():
        layout = layouts.get(node.type) or _NO_LAYOUT
        outputs = _outputs(layout, used.get(node.id, 0))
        inputs = tuple(_inputs(node, layout, workflow, layouts, links))
        values = {name: value for name, value in node.inputs.items() if not links_of(value)}
        height = _height(len(inputs), len(outputs), values)
        column = depths[node.id]
        nodes[node.id] = CanvasNode(
            node.id,
            node.type,
            node.title,
            position=(column * COLUMN, bottom[column]),
            size=(WIDTH, height),
            inputs=inputs,
            outputs=outputs,
            values=values,
            extra=node.extra,
        )
        bottom[column] += height + GAP
    folded = _folded(bottom)
    return Canvas(
        {
            node.id: replace(node, position=_sum(node.position, folded[depths[node.id]]))
            for node in nodes.values()
        },
        links,
    )


def _folded(bottom: Mapping[int, int]) -> Mapping[int, tuple[int, int]]:
    """How far each column moves for the columns to lie below each other in rows."""
    columns = max(bottom, default=-1) + 1
    tallest = max(bottom.values(), default=0) + BAND_GAP
    in_a_row = max(FEWEST_COLUMNS, ceil(sqrt(WIDE * columns * tallest / COLUMN)))
    moved: dict[int, tuple[int, int]] = {}
    top = 0
    for first in range(0, columns, in_a_row):
        row = range(first, min(first + in_a_row, columns))
        moved |= dict.fromkeys(row, (-first * COLUMN, top))
        top += max(bottom[column] for column in row) + BAND_GAP
    return moved


def _sum(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _inputs(
    node: WorkflowNode,
    layout: NodeLayout,
    workflow: Workflow,
    layouts: Layouts,
    links: dict[str, CanvasLink],
) -> Iterator[Slot]:
    """A slot for each socket and each link, in the order of the declaration; makes the links."""
    declared = {entry.name: entry for entry in layout.inputs}
    names = [entry.name for entry in layout.inputs if not entry.widget or _linked(node, entry.name)]
    names += [name for name in node.inputs if name not in declared and _linked(node, name)]
    place = 0
    for name in names:
        entry = declared.get(name, InputLayout(name, "*"))
        for link in links_of(node.inputs.get(name)) or (None,):
            widget = name if entry.widget else None
            number = None
            if link is not None:
                number = str(len(links) + 1)
                kind = _type(workflow, link, layouts)
                links[number] = CanvasLink(number, link.node, link.output, node.id, place, kind)
            yield Slot(name, entry.type, number, widget)
            place += 1


def _linked(node: WorkflowNode, name: str) -> bool:
    return bool(links_of(node.inputs.get(name)))


def _outputs(layout: NodeLayout, used: int) -> tuple[Slot, ...]:
    """The declared outputs, and as many more as links come from."""
    known = tuple(Slot(name, kind) for name, kind in layout.outputs)
    return known + tuple(Slot(f"output_{place}", "*") for place in range(len(known), used))


def _type(workflow: Workflow, link: Link, layouts: Layouts) -> str:
    source = workflow.nodes.get(link.node)
    layout = None if source is None else layouts.get(source.type)
    if layout is None or link.output >= len(layout.outputs):
        return "*"
    return layout.outputs[link.output][1]


def _used_outputs(workflow: Workflow) -> Mapping[str, int]:
    """How many outputs a node must have for the links that come from it."""
    used: dict[str, int] = {}
    for node in workflow.nodes.values():
        for value in node.inputs.values():
            for link in links_of(value):
                used[link.node] = max(used.get(link.node, 0), min(link.output, 999) + 1)
    return used


def _depths(workflow: Workflow) -> dict[str, int]:
    """How many nodes stand before each one on the longest way; 0 within a circle."""
    targets: dict[str, list[str]] = defaultdict(list)
    waiting: Counter[str] = Counter()
    for node in workflow.nodes.values():
        for value in node.inputs.values():
            for link in links_of(value):
                if link.node in workflow.nodes:
                    targets[link.node].append(node.id)
                    waiting[node.id] += 1
    depths = dict.fromkeys(workflow.nodes, 0)
    ready = deque(node_id for node_id in workflow.nodes if not waiting[node_id])
    while ready:
        source = ready.popleft()
        for target in targets[source]:
            depths[target] = max(depths[target], depths[source] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return depths


def _height(inputs: int, outputs: int, values: Mapping[str, Any]) -> int:
    texts = sum(isinstance(value, str) and len(value) > 40 for value in values.values())
    lines = max(inputs, outputs) + len(values)
    return TITLE_HEIGHT + LINE_HEIGHT * lines + TEXT_HEIGHT * texts

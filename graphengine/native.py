"""Our own saved workflow: one JSON file that the editor and the engine share.

Values stand by name, each node with its version; the order is stable and every value has a line
of its own, so that two versions of a file compare well. The form is described for everybody by
``workflow.schema.json``. What other programs saved and we do not know stays in ``extra``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphengine.canvas import (
    ALWAYS,
    BYPASSED,
    MUTED,
    Canvas,
    CanvasLink,
    CanvasNode,
    Slot,
    Subgraph,
)
from graphengine.collecting import collector_paused
from graphengine.errors import GraphEngineError, Problem, ProblemsFound
from graphengine.reasons import findings
from graphengine.shown import shown

FORMAT = "graphengine workflow"
VERSION = 1
LINE = 100
DEEPEST = 80
MOST_SHOWN = 20

_SPREAD = ("nodes", "subgraphs")
"""Lists whose items always take several lines."""

_MODES: dict[int, str] = {ALWAYS: "always", MUTED: "muted", BYPASSED: "bypassed"}
_NUMBERS = {word: number for number, word in _MODES.items()}

Number = int | float


class _Part(BaseModel):
    """A part of the file; fields that we do not know are kept in ``extra``."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    extra: dict[str, Any] = {}

    @property
    def unknown(self) -> dict[str, Any]:
        """What the file says beside the fields that we know."""
        return {**self.extra, **(self.model_extra or {})}


class NativeSlot(_Part):
    """An input or output; ``widget``: the value that a link replaces."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


class NativeNode(_Part):
    """A node. ``after_run``: what happens to a seed; ``version``: of the node type."""

    id: str
    type: str
    version: int = 0
    title: str | None = None
    mode: Literal["always", "muted", "bypassed"] | int = "always"
    position: tuple[Number, Number] = (0, 0)
    size: tuple[Number, Number] | None = None
    values: dict[str, Any] = {}
    after_run: dict[str, str] = {}
    unnamed_values: list[Any] = []
    inputs: list[NativeSlot] = []
    outputs: list[NativeSlot] = []
    saved: dict[str, Any] = {}


class NativeLink(_Part):
    """A link: from a node's output to a node's input, by id and place among the slots."""

    id: str
    origin: tuple[str, int] = Field(alias="from")
    target: tuple[str, int] = Field(alias="to")
    type: str = "*"


class NativeCanvas(_Part):
    """What is drawn; ``groups`` are frames around nodes."""

    nodes: list[NativeNode] = []
    links: list[NativeLink] = []
    groups: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    panel: dict[str, Any] = {}


class NativeSubgraph(NativeCanvas):
    """A canvas that is used as a node; nodes -10 and -20 are its inputs and outputs."""

    id: str
    name: str = ""
    inputs: list[NativeSlot] = []
    outputs: list[NativeSlot] = []


class NativeWorkflow(NativeCanvas):
    """A saved workflow. ``models``: name, directory, hash of the files that it was made with."""

    format: Literal["graphengine workflow"] = "graphengine workflow"
    version: int = VERSION
    subgraphs: list[NativeSubgraph] = []


Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: Mapping[int, Migration] = {}
"""For each old version of the format: what makes its JSON that of the next version."""


def is_native(data: Any) -> bool:
    """Whether JSON is one of our own saved workflows."""
    return isinstance(data, Mapping) and data.get("format") == FORMAT


@collector_paused()
def parse_native(data: Any) -> Canvas:
    """The canvas of a saved workflow's JSON; raises ProblemsFound with all that is wrong in it."""
    try:
        saved = NativeWorkflow.model_validate(_migrated(data))
    except ValidationError as error:
        raise ProblemsFound(tuple(_problems(error))) from error
    subgraphs = {
        part.id: Subgraph(
            part.id, part.name, _canvas(part), _slots(part.inputs), _slots(part.outputs)
        )
        for part in saved.subgraphs
    }
    return dataclasses.replace(_canvas(saved), subgraphs=subgraphs)


def to_native(canvas: Canvas) -> dict[str, Any]:
    """The canvas as our own JSON; what is empty is left out."""
    return {
        "format": FORMAT,
        "version": VERSION,
        **_canvas_json(canvas),
        **_filled(subgraphs=[_subgraph_json(part) for part in canvas.subgraphs.values()]),
    }


def native_text(canvas: Canvas) -> str:
    """The file's content: every value, link and slot on a line of its own."""
    return "".join(_lines(to_native(canvas), "")) + "\n"


def native_schema() -> dict[str, Any]:
    """The JSON Schema of the format (2020-12)."""
    schema = NativeWorkflow.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


# --- reading --------------------------------------------------------------------------------------


def _migrated(data: Mapping[str, Any]) -> Any:
    version = data.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        raise GraphEngineError("native_too_new", got=version, known=VERSION)
    migrated = dict(data)
    while isinstance(version, int) and version in MIGRATIONS:
        migrated = MIGRATIONS[version](migrated)
        version = migrated.get("version")
    return migrated


def _problems(error: ValidationError) -> Iterator[Problem]:
    for found in islice(findings(error), MOST_SHOWN):
        details = {"where": found.place, "reason": found.reason}
        yield Problem("native_field", got=shown(found.value), details=details)


def _canvas(part: NativeCanvas) -> Canvas:
    links = {
        link.id: CanvasLink(link.id, *link.origin, *link.target, link.type, link.unknown)
        for link in part.links
    }
    incoming = {(link.target, link.target_slot): link.id for link in links.values()}
    nodes = {node.id: _node(node, incoming) for node in part.nodes}
    if len(nodes) < len(part.nodes):
        seen: set[str] = set()
        twice = [n.id for n in part.nodes if n.id in seen or seen.add(n.id)]  # type: ignore[func-returns-value]
        raise ProblemsFound(tuple(Problem("duplicate_id", node_id) for node_id in twice))
    return Canvas(
        nodes,
        links,
        tuple(part.groups),
        tuple(part.models),
        part.panel,
        extra=part.unknown,
    )


def _node(node: NativeNode, incoming: Mapping[tuple[str, int], str]) -> CanvasNode:
    inputs = tuple(
        dataclasses.replace(slot, link=slot.link or incoming.get((node.id, place)))
        for place, slot in enumerate(_slots(node.inputs))
    )
    return CanvasNode(
        node.id,
        node.type,
        node.title,
        _NUMBERS[node.mode] if isinstance(node.mode, str) else node.mode,
        node.position,
        node.size,
        inputs,
        _slots(node.outputs),
        node.values,
        node.after_run,
        tuple(node.unnamed_values),
        node.saved,
        node.version,
        node.unknown,
    )


def _slots(slots: Iterable[NativeSlot]) -> tuple[Slot, ...]:
    return tuple(Slot(one.name, one.type, one.link, one.widget, one.unknown) for one in slots)


# --- writing --------------------------------------------------------------------------------------


def _canvas_json(canvas: Canvas) -> dict[str, Any]:
    incoming = {(link.target, link.target_slot): link.id for link in canvas.links.values()}
    return _filled(
        panel=canvas.panel,
        models=[dict(model) for model in canvas.models],
        nodes=[_node_json(node, incoming) for node in canvas.nodes.values()],
        links=[_link_json(link) for link in canvas.links.values()],
        groups=[dict(group) for group in canvas.groups],
        extra=canvas.extra,
    )


def _subgraph_json(part: Subgraph) -> dict[str, Any]:
    return {
        "id": part.id,
        "name": part.name,
        **_filled(
            inputs=[_slot_json(slot, slot.link) for slot in part.inputs],
            outputs=[_slot_json(slot, slot.link) for slot in part.outputs],
        ),
        **_canvas_json(part.canvas),
    }


def _node_json(node: CanvasNode, incoming: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        **_filled(
            version=node.version,
            title=node.title,
            mode=_MODES.get(node.mode, node.mode) if node.mode != ALWAYS else None,
        ),
        "position": list(node.position),
        **_filled(
            size=None if node.size is None else list(node.size),
            values=node.values,
            after_run=node.controls,
            unnamed_values=list(node.unnamed),
            inputs=[
                _slot_json(slot, None if slot.link == incoming.get((node.id, place)) else slot.link)
                for place, slot in enumerate(node.inputs)
            ],
            outputs=[_slot_json(slot, slot.link) for slot in node.outputs],
            saved=node.saved,
            extra=node.extra,
        ),
    }


def _slot_json(slot: Slot, link: str | None) -> dict[str, Any]:
    """A slot; its link is told by the list of links, unless the two disagree."""
    filled = _filled(link=link, widget=slot.widget, extra=slot.extra)
    return {"name": slot.name, "type": slot.type, **filled}


def _link_json(link: CanvasLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "from": [link.origin, link.origin_slot],
        "to": [link.target, link.target_slot],
        "type": link.type,
        **_filled(extra=link.extra),
    }


def _filled(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value or value == ""}


def _lines(value: Any, indent: str, *, on_one_line: bool = False) -> Iterator[str]:
    """JSON in lines: an object's values one a line, a list's items too, if they are not numbers.

    ``on_one_line``: an object among others of its kind (a link, a slot) takes one if it fits.
    """
    deeper = indent + "  "
    if on_one_line or len(indent) > DEEPEST:
        on_one_line = len(indent) > DEEPEST or _fits(value, indent)
    if isinstance(value, Mapping) and value and not on_one_line:
        yield "{\n"
        for place, (name, item) in enumerate(value.items()):
            yield f"{deeper}{json.dumps(name, ensure_ascii=False)}: "
            yield from _item_lines(item, deeper, name in _SPREAD)
            yield ",\n" if place + 1 < len(value) else "\n"
        yield indent + "}"
    else:
        yield json.dumps(value, ensure_ascii=False)


def _item_lines(value: Any, indent: str, spread: bool) -> Iterator[str]:
    if not isinstance(value, list | tuple) or not any(
        isinstance(one, list | dict) for one in value
    ):
        yield from _lines(value, indent)
        return
    yield "[\n"
    for place, item in enumerate(value):
        yield indent + "  "
        yield from _lines(item, indent + "  ", on_one_line=not spread)
        yield ",\n" if place + 1 < len(value) else "\n"
    yield indent + "]"


def _fits(value: Any, indent: str) -> bool:
    return len(indent) + len(json.dumps(value, ensure_ascii=False)) <= LINE

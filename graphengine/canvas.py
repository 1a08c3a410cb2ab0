"""A workflow as it is drawn: nodes with places, slots, links, groups and subgraphs.

Every saved format is read into it and written from it, so what one format knows of the picture
survives the way through another. Values stand by name; what we do not know stays in ``extra``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALWAYS = 0
MUTED = 2
BYPASSED = 4
"""A node's modes: it runs, it and its links are left out, its inputs pass through it."""

GRAPH_INPUT = "-10"
GRAPH_OUTPUT = "-20"
"""The nodes of a subgraph that stand for its inputs and its outputs, as links name them."""

NOTES = ("Note", "MarkdownNote")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a node where links begin or end. ``widget``: the value that a link replaces.

    ``link``: the link that comes in; outputs have none here, since their links name them.
    """

    name: str
    type: str
    link: str | None = None
    widget: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CanvasNode:
    """A node as drawn. ``values``: widgets by name; ``controls``: what happens to a seed after it.

    ``unnamed``: values by position whose names nobody knows. ``saved``: the fields that the values
    were read from, so that what nobody changed is written as it was. ``version``: of the node
    type, 0 if the file does not tell.
    """

    id: str
    type: str
    title: str | None = None
    mode: int = ALWAYS
    position: Point = (0.0, 0.0)
    size: Point | None = None
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    unnamed: tuple[Any, ...] = ()
    saved: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CanvasLink:
    """A link from a node's output to a node's input, by their places among the slots."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int
    type: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Canvas:
    """What is drawn, in the order of the file. ``groups`` are frames: title, place and colour.

    ``panel``: what was chosen in the settings panel. ``models``: the model files that the workflow
    was made with: name, directory, and as far as known hash, hash_type and url.
    """

    nodes: Mapping[str, CanvasNode]
    links: Mapping[str, CanvasLink] = field(default_factory=dict)
    groups: tuple[Mapping[str, Any], ...] = ()
    models: tuple[Mapping[str, Any], ...] = ()
    panel: Mapping[str, Any] = field(default_factory=dict)
    subgraphs: Mapping[str, Subgraph] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subgraph:
    """A canvas that is used as a node; ``inputs`` and ``outputs`` are that node's slots."""

    id: str
    name: str
    canvas: Canvas
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()

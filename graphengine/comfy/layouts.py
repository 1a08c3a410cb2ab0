"""Which widgets a node type has, in the order in which ComfyUI saves their values.

Sources, in this order: ComfyUI's own nodes (``core_nodes.json``: what its server of version 0.3.64
lists, and docs.comfy.org for other families; a plugin cannot change these), then the registry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from graphengine.canvas import NOTES
from graphengine.parameters import Choice, ImageFile, Seed, Widget
from graphengine.spec import REQUIRED, InputSpec, NodeSpec

if TYPE_CHECKING:
    from graphengine.registry import Registry

WIDGET_TYPES = frozenset(("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"))
SEED_NAMES = ("seed", "noise_seed")


class NoDefault:
    """The default of an input that has none that could be known without the files."""


NO_DEFAULT = NoDefault()


class InputLayout(NamedTuple):
    """One declared input. ``control``: a control value follows it; ``upload``: a button's does.

    ``forced``: it has a widget's type but is only a socket; very old files hold a value for it.
    """

    name: str
    type: str
    widget: bool = False
    default: Any = NO_DEFAULT
    control: bool = False
    upload: bool = False
    forced: bool = False


@dataclass(frozen=True)
class NodeLayout:
    """A node type's inputs in the order of its declaration, and its outputs (name, type)."""

    inputs: tuple[InputLayout, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()

    @cached_property
    def widgets(self) -> tuple[InputLayout, ...]:
        """The inputs that have a value of their own."""
        return tuple(entry for entry in self.inputs if entry.widget)

    @cached_property
    def with_forced(self) -> tuple[InputLayout, ...]:
        """The inputs that very old files have a value for."""
        return tuple(entry for entry in self.inputs if entry.widget or entry.forced)

    @cached_property
    def defaults(self) -> tuple[InputLayout, ...]:
        """The inputs that take a known value where a file has none."""
        return tuple(entry for entry in self.widgets if entry.default is not NO_DEFAULT)


class Layouts:
    """The layouts of all node types that are known, each worked out once."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._known: dict[str, NodeLayout | None] = {}

    def get(self, node_type: str) -> NodeLayout | None:
        """The layout of a node type; None for a type that nobody knows."""
        if node_type not in self._known:
            self._known[node_type] = self._find(node_type)
        return self._known[node_type]

    def spec(self, node_type: str) -> NodeSpec | None:
        """Our node type of this name, or None."""
        return None if self._registry is None else self._registry.get(node_type)

    def _find(self, node_type: str) -> NodeLayout | None:
        core = core_layouts().get(node_type)
        spec = self.spec(node_type)
        ours = None if spec is None else layout_of(spec)
        if core is None or ours is None:
            return core or ours
        names = {entry.name for entry in core.inputs}
        further = tuple(entry for entry in ours.inputs if entry.name not in names)
        return NodeLayout(core.inputs + further, ours.outputs)


@cache
def core_layouts() -> Mapping[str, NodeLayout]:
    """The layouts of ComfyUI's own nodes."""
    file = resources.files("graphengine.comfy") / "core_nodes.json"
    nodes = json.loads(file.read_text(encoding="utf-8"))
    note = NodeLayout((InputLayout("text", "STRING", widget=True),))
    return {name: _core_layout(node) for name, node in nodes.items()} | dict.fromkeys(NOTES, note)


def layout_of(spec: NodeSpec) -> NodeLayout:
    """The layout of one of our node types."""
    outputs = tuple((output.name, output.type) for output in spec.outputs)
    return NodeLayout(tuple(_input_layout(wanted) for wanted in spec.inputs), outputs)


def _core_layout(node: Mapping[str, Any]) -> NodeLayout:
    inputs = tuple(
        InputLayout(
            entry["name"],
            entry["type"],
            "default" in entry or "widget" in entry,
            entry.get("default", NO_DEFAULT),
            entry.get("control", False),
            entry.get("upload", False),
        )
        for entry in node["inputs"]
    )
    return NodeLayout(inputs, tuple((name, kind) for name, kind in node["outputs"]))


def _input_layout(wanted: InputSpec) -> InputLayout:
    widget = wanted.widget
    if widget is None:
        return InputLayout(wanted.name, wanted.type, forced=wanted.type in WIDGET_TYPES)
    return InputLayout(
        wanted.name,
        wanted.type,
        widget=True,
        default=_default(wanted, widget),
        control=isinstance(widget.shown, Seed)
        or (wanted.type == "INT" and wanted.name in SEED_NAMES),
        upload=isinstance(widget.shown, ImageFile) and widget.shown.upload,
    )


def _default(wanted: InputSpec, widget: Widget) -> Any:
    if wanted.default is not REQUIRED and wanted.default is not None:
        return wanted.default
    if isinstance(widget, Choice):
        return widget.options[0] if widget.options else NO_DEFAULT
    return widget.default

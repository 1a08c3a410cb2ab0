"""An axis of a plot: which input changes, and which values it takes.

==============================  ====================================================
``Sampler.cfg=3,7,12``          values, as CSV: ``"a, b",c`` are two; JSON or else texts
``Sampler.steps=5..50:5``       a range with its step (1 if none is given), ends included
``VAE.vae_name=*.safetensors``  those of the input's choices that fit the pattern
``Prompt.text~red,blue,green``  search and replace: the first word is looked for
==============================  ====================================================
"""

from __future__ import annotations

import csv
import fnmatch
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from graphengine.errors import GraphEngineError
from graphengine.folders import Folders
from graphengine.nearest import listed, nearest
from graphengine.parameters import Choice, Float, Int, Text, Widget
from graphengine.registry import Registry
from graphengine.shown import shown
from graphengine.workflow import Workflow, WorkflowNode, find_input

MOST_VALUES = 10_000
_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?")


@dataclass(frozen=True)
class Axis:
    """One input of one node, and its values; ``search`` is the text that they take the place of."""

    name: str
    node_id: str
    input: str
    values: tuple[Any, ...]
    search: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as a person reads them."""
        return tuple(value if isinstance(value, str) else shown(value) for value in self.values)

    def put(self, workflow: Workflow, index: int) -> Workflow:
        """The workflow with the value of this place."""
        value = self.values[index]
        if self.search is not None:
            now = workflow.nodes[self.node_id].inputs.get(self.input)
            value = str(now).replace(self.search, value)
        return workflow.set(f"{self.node_id}.{self.input}", value)


def parse_axis(text: str, workflow: Workflow, registry: Registry, folders: Folders) -> Axis:
    """The axis that a text describes; raises GraphEngineError that says what does not fit."""
    found = re.search("[=~]", text)
    if found is None:
        raise GraphEngineError("plot_axis_form", axis=text)
    name, written = text[: found.start()].strip(), text[found.end() :]
    node, input_name = find_input(workflow, name)
    widget = _widget(node, input_name, registry)
    if found[0] == "~":
        return _replacing(name, node, input_name, _split(written, text))
    values = tuple(_values(written, text, widget, folders))
    if not values:
        raise GraphEngineError("plot_axis_form", axis=text)
    return Axis(name, node.id, input_name, values)


def _widget(node: WorkflowNode, name: str, registry: Registry) -> Widget | None:
    spec = registry.get(node.type)
    if spec is None or spec.open_inputs:
        return None
    known = spec.input.get(name)
    if known is None or known.widget is None:
        names = [each.name for each in spec.inputs if each.widget is not None]
        raise GraphEngineError(
            "plot_unknown_input",
            node=node.title or node.id,
            input=name,
            nearest=listed(nearest(name, names) or names),
        )
    return known.widget


def _replacing(name: str, node: WorkflowNode, input_name: str, words: list[str]) -> Axis:
    now = node.inputs.get(input_name)
    if not isinstance(now, str) or not words[0] or words[0] not in now:
        raise GraphEngineError(
            "plot_search_absent", input=name, search=words[0], got=shown(str(now))
        )
    return Axis(name, node.id, input_name, tuple(words), search=words[0])


def _values(written: str, axis: str, widget: Widget | None, folders: Folders) -> Iterator[Any]:
    """The values that are written, of ranges and patterns all that they stand for."""
    if (listed_values := _json_list(written)) is not None:
        yield from listed_values
        return
    for item in _split(written, axis):
        span = _RANGE.fullmatch(item)
        if span is not None and (widget is None or isinstance(widget, Int | Float)):
            yield from _range(axis, *span.groups())
        elif isinstance(widget, Choice) and re.search(r"[*?\[]", item):
            yield from _matching(item, axis, widget.choices(folders))
        else:
            yield item if isinstance(widget, Text) else _literal(item)


def _json_list(written: str) -> list[Any] | None:
    try:
        found = json.loads(written)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _split(written: str, axis: str) -> list[str]:
    rows = list(csv.reader([written], skipinitialspace=True))
    if len(rows) != 1:
        raise GraphEngineError("plot_axis_form", axis=axis)
    return [item.strip() for item in rows[0]]


def _range(axis: str, first: str, last: str, step: str | None) -> Iterator[int | float]:
    start, end = Decimal(first), Decimal(last)
    by = Decimal(step) if step else Decimal(1 if end >= start else -1)
    if by == 0 or (end - start) * by < 0:
        raise GraphEngineError("plot_range", axis=axis)
    count = int((end - start) / by) + 1
    if count > MOST_VALUES:
        raise GraphEngineError("plot_range_long", axis=axis, count=count, most=MOST_VALUES)
    whole = not any("." in part for part in (first, last, step or ""))
    for i in range(count):
        value = start + i * by
        yield int(value) if whole else float(value)


def _matching(pattern: str, axis: str, choices: Iterable[Any]) -> list[Any]:
    names = [str(choice) for choice in choices]
    found = fnmatch.filter(names, pattern)
    if not found:
        raise GraphEngineError(
            "plot_no_match", axis=axis, pattern=pattern, there=listed(names[:20])
        )
    return found


def _literal(item: str) -> Any:
    """A JSON value, or else the text itself."""
    try:
        return json.loads(item)
    except ValueError:
        return item

"""A workflow as the person saved it: nodes with literals and links, not yet checked.

What we do not know survives a round trip: ``to_api(parse_api(data)) == data``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from graphengine.collecting import collector_paused
from graphengine.errors import GraphEngineError, Problem, ProblemsFound
from graphengine.json_text import Duplicate, JsonText, read_json
from graphengine.nearest import listed, nearest
from graphengine.shown import shown

WRAPPED = "__value__"
MOST_DEPTH = 100
"""No widget's value is nested deeper, and many a reader of JSON fails at what is."""
new_tuple = tuple.__new__
"""Makes a named tuple of all its fields in half the time, where there may be 100,000 of them."""
_OBJECT = (dict, Mapping)
_NESTING = (dict, list)
_KNOWN = ("class_type", "inputs")
_NOTHING: dict[str, Any] = {}


class Link(NamedTuple):
    """A link's source: a node and which of its outputs (0 is the first)."""

    node: str
    output: int


class WorkflowNode(NamedTuple):
    """One node. ``inputs``: name → literal, `Link`, or a tuple of links for a list input.

    ``extra``: the fields that we do not know, as they were saved.
    """

    id: str
    type: str
    inputs: Mapping[str, Any]
    title: str | None = None
    extra: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Workflow:
    """Nodes by id, in the order of the file. ``ui``: the editor's own form, for pictures."""

    nodes: Mapping[str, WorkflowNode]
    ui: Mapping[str, Any] | None = None

    def set(self, name: str, value: Any) -> Workflow:
        """A copy in which the input ``NODE.INPUT`` has another value.

        NODE is an id, a title or a node type. Raises GraphEngineError if no node or more than
        one is called so.
        """
        node, input_name = find_input(self, name)
        changed = node._replace(inputs={**node.inputs, input_name: value})
        return dataclasses.replace(self, nodes={**self.nodes, node.id: changed})


def load_workflow(path: str | Path) -> Workflow:
    """The workflow of a file in API format; raises GraphEngineError, for its shape ProblemsFound.

    It may lie in ``{"prompt": …}``, as it is sent to a server.
    A name that is given twice is an error, since only the last value would count.
    """
    text = read_json(Path(path))
    sent = text.data.get("prompt") if isinstance(text.data, dict) else None
    if isinstance(sent, dict) and "class_type" not in sent:
        text = JsonText(sent, text.duplicates)
    duplicates_refused(text)
    return parse_api(text.data)


@collector_paused()
def parse_api(data: Any, *, allow_objects: bool = False) -> Workflow:
    """The workflow in API-format JSON; raises ProblemsFound with all that is wrong in its shape.

    ``allow_objects``: lists that are not links are values, as in a piece of graph made by code.
    """
    if not isinstance(data, _OBJECT):
        raise ProblemsFound((Problem("workflow_not_object", got=shown(data)),))
    if isinstance(data.get("nodes"), list):
        raise ProblemsFound((Problem("ui_format"),))
    problems: list[Problem] = []
    nodes: dict[str, WorkflowNode] = {}
    for key, raw in data.items():
        node = _parse_node(str(key), raw, allow_objects, problems)
        if node is not None:
            nodes[node.id] = node
    if problems:
        raise ProblemsFound(tuple(problems))
    return Workflow(nodes)


def duplicates_refused(text: JsonText) -> None:
    """Raises ProblemsFound if the JSON of an API-format workflow gives a name twice."""
    if text.duplicates:
        problems = tuple(_duplicate_problem(text.data, twice) for twice in text.duplicates)
        raise ProblemsFound(problems)


def to_api(workflow: Workflow) -> dict[str, Any]:
    """The workflow as API-format JSON; lists that are values are wrapped in ``__value__``."""
    return {node.id: node_to_api(node) for node in workflow.nodes.values()}


def parse_link(value: Any) -> Link | None:
    """The link that ``["id", output number]`` is; None for anything else."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    node_id, output = value
    if type(output) is float and output.is_integer():
        output = int(output)
    if type(output) is not int or output < 0:
        return None
    if type(node_id) is int:
        node_id = str(node_id)
    return new_tuple(Link, (node_id, output)) if isinstance(node_id, str) else None


def links_of(value: Any) -> tuple[Link, ...]:
    """The links in an input's value: none for a literal, one, or those of a list input."""
    if type(value) is Link:
        return (value,)
    return value if is_link_list(value) else ()


def is_link_list(value: Any) -> bool:
    """Whether an input's value is the links of a list input (perhaps none)."""
    return type(value) is tuple and all(type(item) is Link for item in value)


def find_input(workflow: Workflow, name: str) -> tuple[WorkflowNode, str]:
    """The node and the input that ``NODE.INPUT`` names; raises as `Workflow.set`."""
    splits = list(_splits(name))
    if not splits:
        raise GraphEngineError("set_form", name=name)
    for node_name, input_name in splits:
        if node_name in workflow.nodes:
            return workflow.nodes[node_name], input_name
    for node_name, input_name in splits:
        found = _nodes_called(workflow, node_name)
        if len(found) == 1:
            return found[0], input_name
        if found:
            ids = ", ".join(f"#{node.id}" for node in found[:20])
            raise GraphEngineError("set_ambiguous_node", node=node_name, ids=ids)
    names = {name for node in workflow.nodes.values() for name in _names(node)}
    close = nearest(splits[0][0], sorted(names))
    raise GraphEngineError("set_unknown_node", node=splits[0][0], nearest=listed(close))


# --- reading --------------------------------------------------------------------------------------


def _parse_node(
    node_id: str, raw: Any, allow_objects: bool, problems: list[Problem]
) -> WorkflowNode | None:
    if not isinstance(raw, _OBJECT):
        problems.append(Problem("node_not_object", node_id, got=shown(raw)))
        return None
    extra = _NOTHING
    if len(raw) > len(_KNOWN) or "inputs" not in raw:
        extra = {name: raw[name] for name in raw if name not in _KNOWN}
    title = _take_title(extra) if extra else None
    node_type = raw.get("class_type")
    if not isinstance(node_type, str) or not node_type:
        problems.append(Problem("missing_class_type", node_id, title, got=shown(node_type)))
        node_type = ""
    inputs = raw.get("inputs", {})
    if not isinstance(inputs, _OBJECT):
        problems.append(Problem("inputs_not_object", node_id, title, got=shown(inputs)))
        return None
    values = {}
    if extra and is_deeper(extra, MOST_DEPTH):
        problems.append(_too_deep(node_id, title))
        return None
    for name, value in inputs.items():
        if type(value) in _NESTING:
            place = (node_id, title, str(name))
            value = parse_link(value) or _parse_nested(value, allow_objects, place, problems)
        values[str(name)] = value
    return new_tuple(WorkflowNode, (node_id, node_type, values, title, extra))


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects lie within each other more than ``most`` times."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _too_deep(node_id: str, title: str | None, name: str | None = None) -> Problem:
    return Problem("value_too_deep", node_id, title, name, expected=str(MOST_DEPTH))


def _take_title(extra: dict[str, Any]) -> str | None:
    """The title in ``_meta``, taken out of it; what else is there stays."""
    meta = extra.get("_meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("title"), str):
        return None
    rest = {name: value for name, value in meta.items() if name != "title"}
    if rest:
        extra["_meta"] = rest
    else:
        del extra["_meta"]
    return str(meta["title"])


def _parse_nested(
    value: Any, allow_objects: bool, place: tuple[str, str | None, str], problems: list[Problem]
) -> Any:
    """A literal, or the links of a list input."""
    if is_deeper(value, MOST_DEPTH):
        problems.append(_too_deep(*place))
        return None
    if type(value) is not list:
        return value
    parsed = _parse_list(value, allow_objects)
    if parsed is None:
        problems.append(Problem("bad_link", *place, got=shown(value)))
    return parsed


def _parse_list(value: list[Any], allow_objects: bool) -> Any:
    """The links of a list input, the list itself if objects are allowed; else None."""
    links = tuple(parse_link(item) for item in value)
    if None not in links and (links or not allow_objects):
        return links
    return value if allow_objects else None


def _duplicate_problem(data: Any, twice: Duplicate) -> Problem:
    if twice.holder is data:
        return Problem("duplicate_id", twice.name)
    for node_id, raw in data.items() if isinstance(data, dict) else ():
        if raw is twice.holder:
            return Problem("duplicate_name", node_id, details={"name": twice.name})
        if isinstance(raw, dict) and raw.get("inputs") is twice.holder:
            return Problem("duplicate_name", node_id, details={"name": twice.name})
    return Problem("duplicate_name", details={"name": twice.name})


# --- writing --------------------------------------------------------------------------------------


def node_to_api(node: WorkflowNode, executed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A node in API format; as executed with these values, and then without what we do not know."""
    values = node.inputs if executed is None else {**node.inputs, **executed}
    extra: Mapping[str, Any] = node.extra if executed is None else {}
    inputs = {name: _value_to_api(value) for name, value in values.items()}
    api = {"inputs": inputs, "class_type": node.type, **extra}
    if node.title is not None:
        meta = extra.get("_meta")
        api["_meta"] = {"title": node.title, **(meta if isinstance(meta, dict) else {})}
    return api


def _value_to_api(value: Any) -> Any:
    if type(value) is Link:
        return list(value)
    if type(value) is tuple and is_link_list(value):
        return [list(link) for link in value]
    return {WRAPPED: value} if isinstance(value, list) else value


# --- finding an input by name ---------------------------------------------------------------------


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Every way to read NODE.INPUT, the last dot first: titles and inputs may contain dots."""
    end = name.rfind(".")
    while end > 0:
        if end < len(name) - 1:
            yield name[:end], name[end + 1 :]
        end = name.rfind(".", 0, end)


def _nodes_called(workflow: Workflow, name: str) -> list[WorkflowNode]:
    nodes = workflow.nodes.values()
    titled = [node for node in nodes if node.title == name]
    return titled or [node for node in nodes if node.type == name]


def _names(node: WorkflowNode) -> tuple[str, ...]:
    return tuple(name for name in (node.id, node.title, node.type) if name)


# --- building in code -----------------------------------------------------------------------------


@dataclass(frozen=True)
class NodeHandle:
    """A node that was added to a `WorkflowBuilder`; ``handle[0]`` is a link to its first output."""

    id: str

    def __getitem__(self, output: int) -> Link:
        return Link(self.id, output)

    __iter__ = None


class WorkflowBuilder:
    """Builds a workflow in code::

    build = WorkflowBuilder()
    checkpoint = build.add("CheckpointLoaderSimple", ckpt_name="model.safetensors")
    positive = build.add("CLIPTextEncode", clip=checkpoint[1], text="a red circle")
    workflow = build.workflow()
    """

    def __init__(self) -> None:
        self._nodes: dict[str, WorkflowNode] = {}

    def add(
        self, type: str, /, *, _id: str | None = None, _title: str | None = None, **inputs: Any
    ) -> NodeHandle:
        """Add a node. An input is a literal, a link, a handle (its first output) or a list of them.

        Ids count up from 1 unless ``_id`` is given; raises ValueError if that is taken.
        """
        node_id = self._next_id() if _id is None else _id
        if node_id in self._nodes:
            raise ValueError(f"the node id {node_id!r} is taken")
        values = {name: _linked(value) for name, value in inputs.items()}
        self._nodes[node_id] = WorkflowNode(node_id, type, values, _title)
        return NodeHandle(node_id)

    def workflow(self) -> Workflow:
        """What has been added until now."""
        return Workflow(dict(self._nodes))

    def _next_id(self) -> str:
        number = len(self._nodes) + 1
        while str(number) in self._nodes:
            number += 1
        return str(number)


def _linked(value: Any) -> Any:
    if isinstance(value, NodeHandle):
        return value[0]
    if isinstance(value, list) and value:
        items = [_linked(item) for item in value]
        if all(type(item) is Link for item in items):
            return tuple(items)
    return value

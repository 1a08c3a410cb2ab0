"""Which node's picture a cell shows, and which nodes measure it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphengine.errors import GraphEngineError
from graphengine.nearest import listed
from graphengine.registry import Registry
from graphengine.workflow import Link, Workflow, WorkflowNode

PICTURE = "IMAGE"
NUMBERS = frozenset({"INT", "FLOAT", "BOOLEAN"})


@dataclass(frozen=True)
class PictureSource:
    """A node's output that is a picture."""

    node_id: str
    output: int


def picture_source(workflow: Workflow, registry: Registry, asked: str | None) -> PictureSource:
    """The picture that is asked for by a node's id or title, or the first that is saved or shown.

    Raises GraphEngineError if there is none.
    """
    if asked is None:
        for link in _saved(workflow, registry):
            return PictureSource(link.node, link.output)
        raise GraphEngineError("plot_no_picture")
    for node in workflow.nodes.values():
        if asked in (node.id, node.title, node.type):
            return _of_node(node, registry)
    titles = [node.title or node.id for node in workflow.nodes.values()]
    raise GraphEngineError("plot_no_picture_node", node=asked, there=listed(titles[:20]))


def measuring_nodes(workflow: Workflow, registry: Registry) -> tuple[str, ...]:
    """The nodes that are run for what they show and that give numbers: each is a measure."""
    found = []
    for node in workflow.nodes.values():
        spec = registry.get(node.type)
        if spec and spec.sink and any(output.type in NUMBERS for output in spec.outputs):
            found.append(node.id)
    return tuple(found)


def _saved(workflow: Workflow, registry: Registry) -> Iterator[Link]:
    """The pictures that go into sinks, those of sinks without outputs first."""
    sinks = []
    for node in workflow.nodes.values():
        spec = registry.get(node.type)
        if spec is not None and spec.sink:
            sinks.append((bool(spec.outputs), node, spec))
    for _, node, spec in sorted(sinks, key=lambda sink: sink[0]):
        for each in spec.inputs:
            link = node.inputs.get(each.name)
            if each.type == PICTURE and isinstance(link, Link):
                yield link


def _of_node(node: WorkflowNode, registry: Registry) -> PictureSource:
    spec = registry.get(node.type)
    for place, output in enumerate(spec.outputs if spec else ()):
        if output.type == PICTURE:
            return PictureSource(node.id, place)
    for each in spec.inputs if spec else ():
        link = node.inputs.get(each.name)
        if each.type == PICTURE and isinstance(link, Link):
            return PictureSource(link.node, link.output)
    raise GraphEngineError("plot_not_a_picture", node=node.title or node.id)

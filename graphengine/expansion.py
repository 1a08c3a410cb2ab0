"""Nodes that grow into a piece of graph while a run is on its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphengine.calls import Called, join_artifacts, join_outputs
from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.events import Artifacts
from graphengine.graph import Graph, GraphNode
from graphengine.results import Expand
from graphengine.spec import NodeSpec
from graphengine.workflow import Link, Workflow, WorkflowNode, is_link_list, parse_api

BuildPiece = Callable[[Workflow], Graph]
"""Checks a piece whose links may also name nodes of the surrounding graph."""


@dataclass(frozen=True)
class Expansion:
    """What a node grew into: the new nodes, and each call's outputs, plain or as links.

    ``targets``: what must be run: the nodes that outputs link to, and the piece's sinks.
    """

    nodes: Mapping[str, GraphNode]
    calls: tuple[tuple[Any, ...], ...]
    mapped: bool
    artifacts: Artifacts | None
    targets: tuple[str, ...]

    def resolve(self, spec: NodeSpec, results: Mapping[str, tuple[Any, ...]]) -> tuple[Any, ...]:
        """The node's outputs, once the targets' results are there."""
        found = tuple(
            tuple(
                results[value.node][value.output] if isinstance(value, Link) else value
                for value in outputs
            )
            for outputs in self.calls
        )
        return join_outputs(spec, found, self.mapped)


def expand(
    node: GraphNode,
    done: tuple[Called, ...],
    *,
    mapped: bool,
    prefix: str,
    existing: Mapping[str, GraphNode],
    build_piece: BuildPiece,
) -> Expansion:
    """The pieces of all calls of a node as one; raises GraphEngineError(expansion_…).

    ``prefix``: what makes ids new that are unique only within their piece.
    """
    pieces: dict[str, WorkflowNode] = {}
    outputs: list[tuple[Any, ...]] = []
    for index, call in enumerate(done):
        if call.expand is None:
            outputs.append(call.outputs)
            continue
        rename = _renaming(f"{prefix}.{index}", call.expand)
        for entry in _parsed(node, call.expand).nodes.values():
            piece = _renamed_node(entry, rename)
            if piece.id in existing or piece.id in pieces:
                raise GraphEngineError(
                    "expansion_bad_id", title=node.title, node_id=node.id, id=piece.id
                )
            pieces[piece.id] = piece
        outputs.append(tuple(_renamed(value, rename) for value in _outputs_of(call)))
    nodes = _built(node, pieces, existing, build_piece)
    for each in outputs:
        _check_outputs(node, each, nodes, existing)
    linked = [value.node for each in outputs for value in each if isinstance(value, Link)]
    sinks = [node_id for node_id, piece in nodes.items() if piece.spec.sink]
    shown = join_artifacts(call.artifacts for call in done)
    return Expansion(nodes, tuple(outputs), mapped, shown, tuple(dict.fromkeys(linked + sinks)))


def find_cycle(dependents: Mapping[str, list[str]], waiting: set[str]) -> list[str]:
    """A circle among nodes that wait for each other, as ids, first one again at the end.

    ``dependents``: source → the nodes that wait for it.
    """
    source_of = {
        dependent: source
        for source, waiters in dependents.items()
        if source in waiting
        for dependent in waiters
    }
    path: list[str] = [next(iter(source_of))]
    seen: dict[str, int] = {path[0]: 0}
    while (source := source_of[path[-1]]) not in seen:
        seen[source] = len(path)
        path.append(source)
    circle = path[seen[source] :]
    return [source, *reversed(circle)]


def _check_outputs(
    node: GraphNode,
    outputs: tuple[Any, ...],
    nodes: Mapping[str, GraphNode],
    existing: Mapping[str, GraphNode],
) -> None:
    """Raise GraphEngineError if outputs are missing, or linked to something that is not there."""
    names = [output.name for output in node.spec.outputs]
    if len(outputs) != len(names):
        raise GraphEngineError(
            "wrong_result",
            title=node.title,
            node_id=node.id,
            expected=f"{len(names)} values ({', '.join(names)})",
            got=f"{len(outputs)} values",
        )
    for name, value in zip(names, outputs, strict=True):
        if isinstance(value, Link):
            source = nodes.get(value.node) or existing.get(value.node)
            if source is None or value.output >= len(source.spec.outputs):
                raise GraphEngineError(
                    "expansion_bad_output",
                    title=node.title,
                    node_id=node.id,
                    output=name,
                    source=f"#{value.node}",
                    slot=value.output,
                )


def _outputs_of(call: Called) -> tuple[Any, ...]:
    return call.outputs if call.outputs or call.expand is None else call.expand.outputs


def _renaming(prefix: str, piece: Expand) -> Mapping[str, str]:
    if piece.unique_ids:
        return {}
    return {node_id: f"{prefix}.{node_id}" for node_id in piece.nodes}


def _parsed(node: GraphNode, piece: Expand) -> Workflow:
    try:
        return parse_api(piece.nodes, allow_objects=True)
    except ProblemsFound as found:
        raise _problems(node, found) from found


def _renamed_node(entry: WorkflowNode, rename: Mapping[str, str]) -> WorkflowNode:
    inputs = {name: _renamed(value, rename) for name, value in entry.inputs.items()}
    return entry._replace(id=rename.get(entry.id, entry.id), inputs=inputs)


def _renamed(value: Any, rename: Mapping[str, str]) -> Any:
    if isinstance(value, Link):
        return Link(rename.get(value.node, value.node), value.output)
    if isinstance(value, tuple) and is_link_list(value):
        return tuple(_renamed(item, rename) for item in value)
    return value


def _built(
    node: GraphNode,
    pieces: Mapping[str, WorkflowNode],
    existing: Mapping[str, GraphNode],
    build_piece: BuildPiece,
) -> dict[str, GraphNode]:
    try:
        graph = build_piece(Workflow(pieces))
    except ProblemsFound as found:
        raise _problems(node, found) from found
    parent = node.parent or node.id

    def shown(node_id: str) -> str:
        """The node in whose place a new one is shown: where that is shown itself."""
        wanted = str(pieces[node_id].extra.get("override_display_id") or node.id)
        there = existing.get(wanted)
        return wanted if there is None or there.display is None else there.display

    return {
        node_id: piece._replace(parent=parent, display=shown(node_id))
        for node_id, piece in graph.nodes.items()
    }


def _problems(node: GraphNode, found: ProblemsFound) -> GraphEngineError:
    circle = next((each for each in found.problems if each.code == "cycle"), None)
    if circle is not None:
        path = circle.details["path"]
        return GraphEngineError("expansion_cycle", title=node.title, node_id=node.id, path=path)
    texts = "; ".join(problem.text() for problem in found.problems)
    return GraphEngineError("expansion_problems", title=node.title, node_id=node.id, problems=texts)

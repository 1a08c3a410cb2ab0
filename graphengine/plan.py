"""A plan: which nodes to run for some targets, in which order; lazy links are left out."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass

from graphengine.errors import Problem, ProblemsFound
from graphengine.graph import Graph, GraphNode
from graphengine.nearest import listed, nearest
from graphengine.workflow import Link, links_of


@dataclass(frozen=True)
class Plan:
    """``order``: what the targets need without lazy links, each node after its sources."""

    order: tuple[str, ...]
    targets: tuple[str, ...]


def make_plan(graph: Graph, targets: Collection[str] | None = None) -> Plan:
    """The plan for some nodes, by default for all sinks; raises ProblemsFound for unknown ones."""
    chosen = graph.sinks if targets is None else tuple(dict.fromkeys(targets))
    unknown = [name for name in chosen if name not in graph.nodes]
    if unknown:
        raise ProblemsFound(tuple(_unknown_target(name, graph) for name in unknown))
    if chosen == graph.roots and not _has_lazy(graph):
        return Plan(graph.order[: graph.needed], chosen)
    return Plan(_ordered(graph, _reachable(graph, chosen, ())), chosen)


def needed_by(graph: Graph, node_id: str, done: Container[str]) -> tuple[str, ...]:
    """What must still run for one more node, that node last; without lazy links.

    ``done`` nodes and what only they need are left out, as are nodes outside of the graph.
    """
    return _ordered(graph, _reachable(graph, (node_id,), done))


def needed_later(graph: Graph, plan: Plan) -> set[str]:
    """The nodes whose results a lazy branch may ask for after their last planned use.

    These are the planned nodes that lazy branches begin at, and those that branches share.
    """
    if not _has_lazy(graph):
        return set()
    planned = set(plan.order)
    waiting = [
        link.node
        for node_id in plan.order
        if (lazy := graph.nodes[node_id].spec.lazy_names)
        for name, value in graph.nodes[node_id].links.items()
        if name in lazy
        for link in links_of(value)
    ]
    seen: set[str] = set()
    found: set[str] = set()
    while waiting:
        node_id = waiting.pop()
        if node_id in planned or node_id in seen:
            found.add(node_id)
            continue
        seen.add(node_id)
        for value in graph.nodes[node_id].links.values():
            waiting.extend(link.node for link in links_of(value))
    return found


def _has_lazy(graph: Graph) -> bool:
    return any(spec.has_lazy for spec in graph.specs)


def _reachable(graph: Graph, roots: Iterable[str], done: Container[str]) -> set[str]:
    nodes = graph.nodes
    found = {node_id for node_id in roots if node_id not in done}
    waiting = list(found)
    while waiting:
        node = nodes[waiting.pop()]
        links = _eager_links(node) if node.spec.has_lazy else node.links
        for value in links.values():
            for link in (value,) if type(value) is Link else links_of(value):
                source = link.node
                if source not in found and source in nodes and source not in done:
                    found.add(source)
                    waiting.append(source)
    return found


def _eager_links(node: GraphNode) -> Mapping[str, Link | tuple[Link, ...]]:
    """The links that must have run before the body can be called."""
    lazy = {slot.name for slot in node.spec.inputs if slot.lazy}
    return {name: value for name, value in node.links.items() if name not in lazy}


def _ordered(graph: Graph, found: set[str]) -> tuple[str, ...]:
    if 2 * len(found) > len(graph.order):
        return tuple(node_id for node_id in graph.order if node_id in found)
    return tuple(sorted(found, key=graph.rank.__getitem__))


def _unknown_target(name: str, graph: Graph) -> Problem:
    close = listed(nearest(name, graph.nodes))
    return Problem("unknown_target", got=name, details={"nearest": close})

"""A graph: a workflow whose every node has its spec, every value is checked, every link typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphengine.errors import Problem, ProblemsFound
from graphengine.nearest import listed, nearest
from graphengine.parameters import DRAW_SEED, SEED_MAX, Seed
from graphengine.spec import NodeSpec
from graphengine.validation import Source, Validation
from graphengine.workflow import Link, Workflow, links_of, to_api

if TYPE_CHECKING:
    from random import Random

    from graphengine.folders import Folders
    from graphengine.registry import Registry

LONGEST_PATH = 12
"""A longer cycle's path is shown in part."""

Links = Mapping[str, Link | tuple[Link, ...]]
"""A node's links by input."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A checked node. ``values``: literals and defaults; ``links``: a tuple for a list input.

    An input that is in neither was left out and has no default, or None. ``parent``: the node
    that grew into this one while running.
    """

    id: str
    spec: NodeSpec
    title: str
    values: Mapping[str, Any]
    links: Mapping[str, Link | tuple[Link, ...]]
    parent: str | None = None


@dataclass(frozen=True)
class Graph:
    """Checked nodes by id, in the workflow's order; ``problems`` are warnings only.

    ``order``: every node after those that it links to; what the first sink needs comes first.
    Nodes that are broken, but that no target needs, are left out with all else that none needs.
    """

    nodes: Mapping[str, GraphNode]
    order: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def rank(self) -> Mapping[str, int]:
        """Each node's place in ``order``."""
        return {node_id: place for place, node_id in enumerate(self.order)}

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The nodes that are run for what they show or write."""
        return tuple(node.id for node in self.nodes.values() if node.spec.sink)


def build_graph(
    workflow: Workflow,
    registry: Registry,
    folders: Folders,
    *,
    targets: Collection[str] | None = None,
    allow_objects: bool = False,
    outside: Mapping[str, GraphNode] | None = None,
) -> Graph:
    """As `check_graph`; raises ProblemsFound with errors and warnings if there is an error."""
    graph, problems = check_graph(
        workflow,
        registry,
        folders,
        targets=targets,
        allow_objects=allow_objects,
        outside=outside,
    )
    if graph is None:
        raise ProblemsFound(problems)
    return graph


def check_graph(
    workflow: Workflow,
    registry: Registry,
    folders: Folders,
    *,
    targets: Collection[str] | None = None,
    allow_objects: bool = False,
    outside: Mapping[str, GraphNode] | None = None,
) -> tuple[Graph | None, tuple[Problem, ...]]:
    """The graph, or None if there is an error; and all problems, errors first.

    What is wrong with nodes that no target (by default: no sink) needs is only a warning.
    ``allow_objects``: inputs without a widget take any Python object that is not JSON.
    ``outside``: for a piece of graph: nodes around it to which links may go. A piece needs no
    sink, and all of it counts as needed.
    """
    around = {key: Source(node.title, node.spec) for key, node in (outside or {}).items()}
    validation = Validation(
        workflow, registry, folders, outside=around, allow_objects=allow_objects
    )
    nodes: dict[str, GraphNode] = {}
    links: dict[str, Links] = {}
    for node in workflow.nodes.values():
        values, links[node.id] = validation.check(node)
        spec = validation.specs[node.id]
        if spec is not None:
            title = node.title or spec.title or spec.id
            nodes[node.id] = GraphNode(node.id, spec, title, values, links[node.id])
    problems = validation.problems
    if targets is not None:
        problems += [_unknown_target(name, workflow) for name in targets if name not in links]
        roots = [name for name in targets if name in links]
    elif outside is not None:
        roots = list(links)
    else:
        roots = _possible_sinks(nodes, links)
        if not roots:
            problems.append(_no_output(registry))
    order, cycles = _order(links, roots)
    problems += [_cycle_problem(path, workflow, validation) for path in cycles]
    if not any(problem.severity == "error" for problem in problems):
        return Graph(nodes, order, tuple(problems)), tuple(problems)
    needed = _needed(links, roots)
    problems = [_weighed(problem, needed) for problem in problems]
    problems.sort(key=lambda problem: problem.severity)
    if problems[0].severity == "error":
        return None, tuple(problems)
    order, _ = _order({key: links[key] for key in links if key in needed}, roots)
    kept = {key: node for key, node in nodes.items() if key in needed}
    return Graph(kept, order, tuple(problems)), tuple(problems)


def draw_seeds(graph: Graph, random: Random) -> Graph:
    """The graph with a drawn seed, 0 … 2^64 - 1, wherever a seed is -1."""
    names = _seed_names({node.spec.id: node.spec for node in graph.nodes.values()}.values())
    drawn: dict[str, GraphNode] = {}
    for node in graph.nodes.values():
        asked = [n for n in names.get(node.spec.id, ()) if node.values.get(n) == DRAW_SEED]
        if asked:
            seeds = {name: random.randint(0, SEED_MAX) for name in asked}
            drawn[node.id] = dataclasses.replace(node, values={**node.values, **seeds})
    if not drawn:
        return graph
    return dataclasses.replace(graph, nodes={**graph.nodes, **drawn})


def executed_prompt(graph: Graph, workflow: Workflow) -> dict[str, Any]:
    """The workflow in API format as it is run: defaults filled in, seeds drawn, values checked."""
    nodes = {}
    for node in workflow.nodes.values():
        run = graph.nodes.get(node.id)
        if run is not None:
            values = {n: run.values[n] for n in run.values if run.spec.input[n].widget is not None}
            node = dataclasses.replace(node, inputs={**node.inputs, **values}, extra={})
        nodes[node.id] = node
    return to_api(Workflow(nodes))


# --- the order ------------------------------------------------------------------------------------


def _order(
    links: Mapping[str, Links], roots: Sequence[str]
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Every node after those that it links to, the first root's first; and the cycles."""
    import networkx as nx

    dependencies = nx.DiGraph()
    dependencies.add_nodes_from(roots)
    dependencies.add_nodes_from(links)
    dependencies.add_edges_from(_edges(links))
    order = tuple(nx.dfs_postorder_nodes(dependencies))
    rank = {node_id: place for place, node_id in enumerate(order)}
    if all(rank[source] < rank[node_id] for node_id, source in dependencies.edges):
        return order, []
    knots = [
        knot
        for knot in nx.strongly_connected_components(dependencies)
        if len(knot) > 1 or dependencies.has_edge(*knot, *knot)
    ]
    return order, [_cycle(dependencies.adj, knot, rank) for knot in knots]


def _edges(links: Mapping[str, Links]) -> Iterator[tuple[str, str]]:
    """(node, source) for every link between two of the nodes."""
    for node_id, named in links.items():
        for value in named.values():
            for link in (value,) if type(value) is Link else links_of(value):
                if link.node in links:
                    yield node_id, link.node


def _cycle(
    sources: Mapping[str, Iterable[str]], knot: Collection[str], rank: Mapping[str, int]
) -> list[str]:
    """One cycle of a strongly connected set of nodes, in the direction in which data would flow.

    Within such a set every node has a source, so walking from source to source comes round.
    """
    node_id = min(knot, key=rank.__getitem__)
    path: dict[str, None] = {}
    while node_id not in path:
        path[node_id] = None
        node_id = next(source for source in sources[node_id] if source in knot)
    walked = list(path)
    return walked[walked.index(node_id) :][::-1]


def _needed(links: Mapping[str, Links], roots: Iterable[str]) -> set[str]:
    """The roots and everything that they link to, directly or not."""
    needed = set(roots)
    waiting = list(needed)
    while waiting:
        for value in links[waiting.pop()].values():
            for link in links_of(value):
                if link.node in links and link.node not in needed:
                    needed.add(link.node)
                    waiting.append(link.node)
    return needed


def _possible_sinks(nodes: Mapping[str, GraphNode], links: Mapping[str, Links]) -> list[str]:
    """The sinks, and nodes of unknown type that nothing links to: they may be sinks too."""
    if len(nodes) == len(links):
        return [node.id for node in nodes.values() if node.spec.sink]
    linked = {source for _, source in _edges(links)}
    return [key for key in links if (nodes[key].spec.sink if key in nodes else key not in linked)]


# --- problems of the whole ------------------------------------------------------------------------


def _weighed(problem: Problem, needed: Collection[str]) -> Problem:
    """A problem of a node that no target needs does not keep the rest from running."""
    if problem.node_id is None or problem.node_id in needed:
        return problem
    return dataclasses.replace(problem, severity="warning")


def _no_output(registry: Registry) -> Problem:
    specs = (registry.get(node_id) for node_id in registry.ids())
    sinks = [spec.title or spec.id for spec in specs if spec is not None and spec.sink]
    return Problem("no_output", details={"sinks": listed(sinks[:5])})


def _unknown_target(name: str, workflow: Workflow) -> Problem:
    return Problem(
        "unknown_target", got=name, details={"nearest": listed(nearest(name, workflow.nodes))}
    )


def _cycle_problem(path: list[str], workflow: Workflow, validation: Validation) -> Problem:
    shown = path if len(path) <= LONGEST_PATH else path[: LONGEST_PATH - 1]
    names = [f"{validation.title(workflow.nodes[key])} (#{key})" for key in shown]
    if len(shown) < len(path):
        names.append(f"… ({len(path) - len(shown)})")
    first = workflow.nodes[path[0]]
    return Problem(
        "cycle",
        first.id,
        validation.title(first),
        details={"path": " → ".join([*names, names[0]]), "length": len(path)},
    )


def _seed_names(specs: Iterable[NodeSpec]) -> dict[str, tuple[str, ...]]:
    """The seeds among each node type's inputs."""
    return {
        spec.id: tuple(slot.name for slot in spec.inputs if isinstance(slot.widget, Seed))
        for spec in specs
    }

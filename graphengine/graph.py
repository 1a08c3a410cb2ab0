"""A graph: a workflow whose every node has its spec, every value is checked, every link typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from graphengine.collecting import collector_paused
from graphengine.errors import ByLanguage, Problem, ProblemsFound
from graphengine.nearest import listed, nearest
from graphengine.parameters import DRAW_SEED, SEED_MAX, Seed
from graphengine.spec import Bridge, NodeSpec
from graphengine.validation import Validation, listed_titles
from graphengine.workflow import Link, Workflow, links_of, new_tuple, node_to_api

if TYPE_CHECKING:
    from random import Random

    from graphengine.folders import Folders
    from graphengine.registry import Registry

LONGEST_PATH = 12
"""A longer cycle's path is shown in part."""

Links = Mapping[str, Link | tuple[Link, ...]]
"""A node's links by input."""


class GraphNode(NamedTuple):
    """A checked node. ``values``: literals and defaults; ``links``: a tuple for a list input.

    An input that is in neither was left out and has no default, or None. ``parent``: the node
    that grew into this one while running; ``display``: the one in whose place it is shown.
    """

    id: str
    spec: NodeSpec
    title: str
    values: Mapping[str, Any]
    links: Mapping[str, Link | tuple[Link, ...]]
    parent: str | None = None
    display: str | None = None


@dataclass(frozen=True)
class Graph:
    """Checked nodes by id, in the workflow's order; ``problems`` are warnings only.

    ``order``: every node after those that it links to; what the first sink needs comes first.
    ``roots``: the targets that it was checked for; they need the first ``needed`` of ``order``.
    Nodes that are broken, but that no target needs, are left out with all else that none needs.
    ``bridge``: what lets nodes of ours take what hosted ones give, if there are any.
    """

    nodes: Mapping[str, GraphNode]
    order: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    bridge: Bridge | None = None
    roots: tuple[str, ...] = ()
    needed: int = 0

    @cached_property
    def rank(self) -> Mapping[str, int]:
        """Each node's place in ``order``."""
        return {node_id: place for place, node_id in enumerate(self.order)}

    @cached_property
    def specs(self) -> tuple[NodeSpec, ...]:
        """What its nodes are, one of each type."""
        return tuple({node.spec.id: node.spec for node in self.nodes.values()}.values())

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
    bridge: Bridge | None = None,
) -> Graph:
    """As `check_graph`; raises ProblemsFound with errors and warnings if there is an error."""
    graph, problems = check_graph(
        workflow,
        registry,
        folders,
        targets=targets,
        allow_objects=allow_objects,
        outside=outside,
        bridge=bridge,
    )
    if graph is None:
        raise ProblemsFound(problems)
    return graph


@collector_paused()
def check_graph(
    workflow: Workflow,
    registry: Registry,
    folders: Folders,
    *,
    targets: Collection[str] | None = None,
    allow_objects: bool = False,
    outside: Mapping[str, GraphNode] | None = None,
    bridge: Bridge | None = None,
) -> tuple[Graph | None, tuple[Problem, ...]]:
    """The graph, or None if there is an error; and all problems, errors first.

    What is wrong with nodes that no target (by default: no sink) needs is only a warning.
    ``allow_objects``: inputs without a widget take any Python object that is not JSON.
    ``outside``: for a piece of graph: nodes around it to which links may go. A piece needs no
    sink, and all of it counts as needed. ``bridge``: that of the surrounding graph.
    """
    validation = Validation(
        workflow, registry, folders, outside=outside or {}, allow_objects=allow_objects
    )
    nodes, sources = _checked_nodes(workflow, validation)
    bridge = bridge or _bridge(nodes)
    if bridge is not None:
        nodes = {key: _bridged(node, bridge) for key, node in nodes.items()}
    problems = validation.problems
    if targets is not None:
        problems += [_unknown_target(name, workflow) for name in targets if name not in sources]
        roots = [name for name in targets if name in sources]
    else:
        roots = _possible_sinks(nodes, sources) if outside is None else list(sources)
        if not roots and outside is None:
            problems.append(_no_output(registry, nodes, sources))
    order, needed, cycles = _order(sources, roots)
    problems += [_cycle_problem(path, workflow, validation) for path in cycles]
    graph = Graph(nodes, order, tuple(problems), bridge, tuple(roots), needed)
    if any(problem.severity == "error" for problem in problems):
        return _without_unneeded(graph)
    return graph, graph.problems


def draw_seeds(graph: Graph, random: Random) -> Graph:
    """The graph with a drawn seed, 0 … 2^64 - 1, wherever a seed is -1."""
    names = _seed_names(graph.specs)
    if not any(names.values()):
        return graph
    drawn: dict[str, GraphNode] = {}
    for node in graph.nodes.values():
        asked = [n for n in names.get(node.spec.id, ()) if node.values.get(n) == DRAW_SEED]
        if asked:
            seeds = {name: random.randint(0, SEED_MAX) for name in asked}
            drawn[node.id] = node._replace(values={**node.values, **seeds})
    if not drawn:
        return graph
    return dataclasses.replace(graph, nodes={**graph.nodes, **drawn})


def executed_prompt(graph: Graph, workflow: Workflow) -> dict[str, Any]:
    """The workflow in API format as it is run: defaults filled in, seeds drawn, values checked."""
    return {
        node.id: node_to_api(node) if run is None else node_to_api(node, _widget_values(run))
        for node in workflow.nodes.values()
        for run in (graph.nodes.get(node.id),)
    }


def _widget_values(node: GraphNode) -> dict[str, Any]:
    names = node.spec.widget_names
    return {name: value for name, value in node.values.items() if name in names}


# --- the nodes ------------------------------------------------------------------------------------


def _checked_nodes(
    workflow: Workflow, validation: Validation
) -> tuple[dict[str, GraphNode], dict[str, tuple[str, ...]]]:
    """The nodes of a known type, and for every node those that it links to."""
    nodes: dict[str, GraphNode] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for node in workflow.nodes.values():
        values, links = validation.check(node)
        sources[node.id] = _sources(links, workflow.nodes)
        spec = validation.specs[node.id]
        if spec is not None:
            title = node.title or spec.title or spec.id
            nodes[node.id] = new_tuple(GraphNode, (node.id, spec, title, values, links, None, None))
    return nodes, sources


def _sources(links: Links, nodes: Container[str]) -> tuple[str, ...]:
    """The nodes that a node links to, as far as they exist."""
    found = []
    for value in links.values():
        for link in (value,) if type(value) is Link else links_of(value):
            if link.node in nodes:
                found.append(link.node)
    return tuple(found)


def _possible_sinks(
    nodes: Mapping[str, GraphNode], sources: Mapping[str, Sequence[str]]
) -> list[str]:
    """The sinks, and nodes of unknown type that nothing links to: they may be sinks too."""
    sinks = [node.id for node in nodes.values() if node.spec.sink]
    if len(nodes) == len(sources):
        return sinks
    linked = {source for found in sources.values() for source in found}
    return sinks + [key for key in sources if key not in nodes and key not in linked]


def _without_unneeded(whole: Graph) -> tuple[Graph | None, tuple[Problem, ...]]:
    """The graph of what is needed, if there is nothing wrong with that; problems, errors first."""
    order = whole.order[: whole.needed]
    needed = set(order)
    weighed = sorted(
        (_weighed(problem, needed) for problem in whole.problems),
        key=lambda problem: problem.severity,
    )
    if weighed[0].severity == "error":
        return None, tuple(weighed)
    kept = {key: node for key, node in whole.nodes.items() if key in needed}
    graph = dataclasses.replace(whole, nodes=kept, order=order, problems=tuple(weighed))
    return graph, graph.problems


def _bridge(nodes: Mapping[str, GraphNode]) -> Bridge | None:
    """The bridge of the first hosted node."""
    for node in nodes.values():
        if node.spec.hosted is not None:
            return node.spec.hosted.bridge
    return None


def _bridged(node: GraphNode, bridge: Bridge) -> GraphNode:
    if node.spec.hosted is not None:
        return node
    return node._replace(spec=bridge(node.spec))


# --- the order ------------------------------------------------------------------------------------


def _order(
    sources: Mapping[str, Sequence[str]], roots: Sequence[str]
) -> tuple[tuple[str, ...], int, list[list[str]]]:
    """Every node after its sources, what the first root needs first; how many of them the roots
    need; and the cycles.

    Depth first with a stack of its own. networkx gives the same order in ten times the time and
    takes 0.2 s to import, so that it is asked only once there is a cycle.
    """
    ordered: list[str] = []
    met: dict[str, bool] = {}
    cyclic = _walk(roots, sources, ordered, met)
    needed = len(ordered)
    if needed < len(sources):
        cyclic = _walk(sources, sources, ordered, met) or cyclic
    return tuple(ordered), needed, _cycles(sources) if cyclic else []


def _walk(
    starts: Iterable[str],
    sources: Mapping[str, Sequence[str]],
    ordered: list[str],
    met: dict[str, bool],
) -> bool:
    """Put some nodes and all that they need into the order; whether there is a cycle among them.

    ``met``: the nodes that were met, and whether they are in the order or still on the path.
    """
    cyclic = False
    for start in starts:
        if start in met:
            continue
        met[start] = False
        path = [(start, iter(sources[start]))]
        while path:
            node_id, left = path[-1]
            for source in left:
                is_ordered = met.get(source)
                if is_ordered is None:
                    met[source] = False
                    path.append((source, iter(sources[source])))
                    break
                if not is_ordered:
                    cyclic = True
            else:
                ordered.append(node_id)
                met[node_id] = True
                path.pop()
    return cyclic


def _cycles(sources: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One cycle of each strongly connected set, in the direction in which data would flow."""
    import networkx as nx

    links = nx.DiGraph({key: list(sources[key]) for key in sources})
    place = {key: index for index, key in enumerate(sources)}
    firsts = {
        min(knot, key=place.__getitem__): knot
        for knot in nx.strongly_connected_components(links)
        if len(knot) > 1 or any(node_id in links.adj[node_id] for node_id in knot)
    }
    return [
        _cycle(sources, first, firsts[first]) for first in sorted(firsts, key=place.__getitem__)
    ]


def _cycle(sources: Mapping[str, Sequence[str]], first: str, knot: Collection[str]) -> list[str]:
    """Within such a set every node has a source, so walking from source to source comes round."""
    node_id = first
    path: dict[str, None] = {}
    while node_id not in path:
        path[node_id] = None
        node_id = next(source for source in sources[node_id] if source in knot)
    walked = list(path)
    entry, *rest = walked[walked.index(node_id) :]
    return [entry, *reversed(rest)]


# --- problems of the whole ------------------------------------------------------------------------


def _weighed(problem: Problem, needed: Collection[str]) -> Problem:
    """A problem of a node that no target needs does not keep the rest from running."""
    if problem.node_id is None or problem.node_id in needed:
        return problem
    return dataclasses.replace(problem, severity="warning")


def _no_output(
    registry: Registry, nodes: Mapping[str, GraphNode], sources: Mapping[str, Sequence[str]]
) -> Problem:
    """Names sinks, first those that take what nothing in the workflow uses, simplest first."""
    linked = {source for found in sources.values() for source in found}
    unused = {
        output.type
        for key, node in nodes.items()
        if key not in linked
        for output in node.spec.outputs
    }
    sinks = [spec for spec in registry.specs() if spec.sink]
    sinks.sort(
        key=lambda spec: (unused.isdisjoint(slot.type for slot in spec.inputs), len(spec.inputs))
    )
    return Problem("no_output", details={"sinks": listed_titles(sinks[:5])})


def _unknown_target(name: str, workflow: Workflow) -> Problem:
    return Problem(
        "unknown_target", got=name, details={"nearest": listed(nearest(name, workflow.nodes))}
    )


def _cycle_problem(path: list[str], workflow: Workflow, validation: Validation) -> Problem:
    shown = path if len(path) <= LONGEST_PATH else path[: LONGEST_PATH - 1]
    more = [f"… ({len(path) - len(shown)})"] if len(shown) < len(path) else []
    first = workflow.nodes[path[0]]

    def drawn(language: str) -> str:
        names = [validation.name(workflow.nodes[key], language) for key in shown]
        return " → ".join([*names, *more, names[0]])

    return Problem(
        "cycle",
        first.id,
        validation.title(first),
        details={"path": ByLanguage.each(drawn)},
        type_title=validation.type_title(first),
    )


def _seed_names(specs: Iterable[NodeSpec]) -> dict[str, tuple[str, ...]]:
    """The seeds among each node type's inputs."""
    return {
        spec.id: tuple(slot.name for slot in spec.inputs if isinstance(slot.widget, Seed))
        for spec in specs
    }

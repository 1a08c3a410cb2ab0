"""The order in which nodes run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.errors import ProblemsFound
from graphengine.folders import Folders
from graphengine.graph import Graph, build_graph
from graphengine.plan import make_plan, needed_by
from graphengine.registry import Registry
from graphengine.spec import InputSpec, NodeSpec, OutputSpec
from graphengine.workflow import Link, Workflow, WorkflowNode

NOWHERE = Folders(Path("in"), Path("out"), Path("temp"), Path("user"))
ANY_NUMBER = OutputSpec("INT", "INT")
JOIN = NodeSpec("Join", sum, (InputSpec("of", "INT", default=None, many=True),), (ANY_NUMBER,))
SHOW = NodeSpec("Show", print, (InputSpec("of", "INT", many=True),), sink=True)
CHOOSE = NodeSpec(
    "Choose",
    max,
    (
        InputSpec("which", "INT"),
        InputSpec("yes", "INT", lazy=True),
        InputSpec("no", "INT", lazy=True),
    ),
    (ANY_NUMBER,),
)
REGISTRY = Registry((JOIN, SHOW, CHOOSE))


def graph_of(*nodes: tuple[str, str, dict[str, Any]]) -> Graph:
    """A graph from (id, type, {input: source ids})."""
    found = {}
    for node_id, node_type, inputs in nodes:
        links = {
            name: Link(ids, 0) if isinstance(ids, str) else tuple(Link(key, 0) for key in ids)
            for name, ids in inputs.items()
        }
        found[node_id] = WorkflowNode(node_id, node_type, links)
    return build_graph(Workflow(found), REGISTRY, NOWHERE)


DIAMOND = (
    ("out", "Show", {"of": ["left", "right"]}),
    ("right", "Join", {"of": ["top"]}),
    ("left", "Join", {"of": ["top"]}),
    ("top", "Join", {}),
    ("unused", "Join", {"of": ["top"]}),
)
LAZY = (
    ("number", "Join", {}),
    ("a", "Join", {"of": ["number"]}),
    ("b1", "Join", {}),
    ("b2", "Join", {"of": ["b1", "number"]}),
    ("choose", "Choose", {"which": "number", "yes": "a", "no": "b2"}),
    ("out", "Show", {"of": ["choose"]}),
)


def test_sources_come_first_and_what_nobody_needs_is_left_out() -> None:
    plan = make_plan(graph_of(*DIAMOND))
    assert plan.order == ("top", "left", "right", "out")
    assert plan.targets == ("out",)


def test_the_order_follows_the_links_not_the_file() -> None:
    assert make_plan(graph_of(*reversed(DIAMOND))).order == ("top", "left", "right", "out")


def test_the_first_output_is_finished_before_the_second_is_begun() -> None:
    graph = graph_of(
        ("a1", "Join", {}),
        ("b1", "Join", {}),
        ("a2", "Join", {"of": ["a1"]}),
        ("b2", "Join", {"of": ["b1"]}),
        ("A", "Show", {"of": ["a2"]}),
        ("B", "Show", {"of": ["b2"]}),
    )
    assert make_plan(graph).order == ("a1", "a2", "A", "b1", "b2", "B")


def test_only_what_the_targets_need_is_planned() -> None:
    graph = graph_of(*DIAMOND)
    plan = make_plan(graph, ["left", "unused"])
    assert plan.order == ("top", "left", "unused")
    assert plan.targets == ("left", "unused")


def test_an_unknown_target_is_told() -> None:
    with pytest.raises(ProblemsFound) as found:
        make_plan(graph_of(*DIAMOND), ["lefd"])
    assert found.value.problems[0].code == "unknown_target"
    assert '"left"' in found.value.problems[0].hint()


def test_lazy_links_are_not_followed_until_they_are_pulled() -> None:
    graph = graph_of(*LAZY)
    assert make_plan(graph).order == ("number", "choose", "out")
    done = {"number"}
    assert needed_by(graph, "b2", done) == ("b1", "b2")
    assert needed_by(graph, "a", done) == ("a",)
    assert needed_by(graph, "a", {"a"}) == ()
    assert needed_by(graph, "out", ()) == ("number", "choose", "out")


def test_a_lazy_branch_that_something_else_needs_is_planned() -> None:
    graph = graph_of(*LAZY, ("out2", "Show", {"of": ["a"]}))
    assert set(make_plan(graph).order) == {"number", "a", "choose", "out", "out2"}


def test_a_chain_of_100_000_nodes_is_planned() -> None:
    count = 100_000
    chain = [(str(i), "Join", {"of": [str(i - 1)] if i else []}) for i in reversed(range(count))]
    graph = graph_of(("out", "Show", {"of": [str(count - 1)]}), *chain)
    order = make_plan(graph).order
    assert order == (*map(str, range(count)), "out")
    assert needed_by(graph, str(count - 1), {str(count - 3)}) == (str(count - 2), str(count - 1))


def test_checking_and_planning_import_neither_networkx_nor_torch() -> None:
    code = "import sys, graphengine.plan; print({'networkx', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Links go from a node to those of lower rank; the file has them in any order."""
    count = draw(st.integers(1, 12))
    nodes = []
    for index in range(count):
        sources = draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else []
        nodes.append((f"n{index}", "Join", {"of": [f"n{source}" for source in sources]}))
    nodes.append(("out", "Show", {"of": [f"n{draw(st.integers(0, count - 1))}"]}))
    return graph_of(*draw(st.permutations(nodes)))


@given(acyclic(), st.data())
def test_any_order_respects_all_links(graph: Graph, data: st.DataObject) -> None:
    targets = data.draw(st.lists(st.sampled_from(sorted(graph.nodes)), min_size=1, unique=True))
    order = make_plan(graph, targets).order
    assert len(set(order)) == len(order)
    assert set(targets) <= set(order)
    place = {node_id: index for index, node_id in enumerate(order)}
    for node_id in order:
        for link in graph.nodes[node_id].links.get("of", ()):
            assert place[link.node] < place[node_id]
    used = {link.node for key in order for link in graph.nodes[key].links.get("of", ())}
    assert set(order) == used | set(targets)


@given(acyclic(), st.data())
def test_what_is_needed_and_what_is_done_make_up_the_plan(
    graph: Graph, data: st.DataObject
) -> None:
    order = make_plan(graph).order
    done = order[: data.draw(st.integers(0, len(order)))]
    assert set(needed_by(graph, order[-1], set(done))) | set(done) == set(order)

"""Why nodes run or not: every kind of reason, after a run and before one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphengine.api import node
from graphengine.trace import Reason
from graphengine.workflow import parse_api
from tests.toy_engine import Toy, n

CHAIN = {
    "a": n("Number", value=1),
    "b": n("Add", a=["a", 0], b=2),
    "s": n("Show", value=["b", 0]),
}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def edited(nodes: dict[str, Any], node_id: str, **inputs: Any) -> dict[str, Any]:
    """Nodes in which inputs of one have other values; None takes one away."""
    old = nodes[node_id]
    changed = {**old["inputs"], **inputs}
    kept = {name: value for name, value in changed.items() if value is not None}
    return {**nodes, node_id: {**old, "inputs": kept}}


def reasons(toy: Toy, nodes: dict[str, Any]) -> dict[str, Reason]:
    """Why each node would run, which must be what a run then says."""
    before = toy.engine.explain(parse_api(nodes))
    assert toy.run(nodes).reasons == before
    return before


def kinds(found: dict[str, Reason]) -> dict[str, str]:
    return {node_id: reason.kind for node_id, reason in found.items()}


def test_the_first_run_is_a_reason(toy: Toy) -> None:
    assert kinds(reasons(toy, CHAIN)) == dict.fromkeys(CHAIN, "first_run")


def test_what_is_cached_does_not_run_and_nothing_before_it_is_needed(toy: Toy) -> None:
    toy.run(CHAIN)
    found = reasons(toy, CHAIN)

    assert kinds(found) == {"a": "not_needed", "b": "not_needed", "s": "cached"}
    assert not any(reason.runs for reason in found.values())


def test_a_changed_value_says_before_and_after_and_what_follows_names_its_source(
    toy: Toy,
) -> None:
    toy.run(CHAIN)

    assert reasons(toy, edited(CHAIN, "b", b=5)) == {
        "a": Reason("cached"),
        "b": Reason("value_changed", "b", before=2, after=5),
        "s": Reason("upstream_changed", "value", "b"),
    }


def test_an_input_that_is_added_or_taken_away_says_so(tmp_path: Path) -> None:
    @node("Two")
    def two(a: int, b: int | None = None) -> int:
        """The sum."""
        return a + (b or 0)

    toy = Toy(tmp_path, two)
    nodes = {"a": n("Number", value=1), "x": n("Two", a=1), "s": n("Show", value=["x", 0])}
    toy.run(nodes)

    assert reasons(toy, edited(nodes, "x", b=3))["x"] == Reason("input_added", "b", after=3)
    assert reasons(toy, edited(nodes, "x", a=5))["x"] == Reason(
        "value_changed", "a", before=1, after=5
    )
    toy.run(edited(nodes, "x", a=7, b=3))
    assert reasons(toy, edited(nodes, "x", a=7))["x"] == Reason("input_removed", "b", before=3)
    linked = edited(nodes, "x", a=7, b=["a", 0])
    assert reasons(toy, linked)["x"] == Reason("input_added", "b", "a")
    assert reasons(toy, edited(nodes, "x", a=8, b=4))["x"].input == "a"


def test_a_link_in_the_place_of_a_value_and_back(toy: Toy) -> None:
    toy.run(CHAIN)
    linked = edited(CHAIN, "b", b=["a", 0])

    assert reasons(toy, linked)["b"] == Reason("upstream_changed", "b", "a")
    assert reasons(toy, edited(CHAIN, "b", b=9))["b"] == Reason("value_changed", "b", after=9)


def test_a_clock_is_never_cached_and_what_follows_says_so(toy: Toy) -> None:
    nodes = {"c": n("Clock"), "s": n("Show", value=["c", 0])}
    toy.run(nodes)

    assert kinds(reasons(toy, nodes)) == {"c": "never_cached", "s": "upstream_changed"}


def test_what_was_not_kept_says_so(toy: Toy) -> None:
    toy.run(CHAIN)
    toy.engine.cache.clear()

    assert kinds(reasons(toy, CHAIN)) == dict.fromkeys(CHAIN, "not_kept")


def test_another_version_of_a_node_says_so(tmp_path: Path) -> None:
    def engine(version: int) -> Toy:
        @node("Versioned", version=version)
        def body() -> int:
            """A number."""
            return version

        return Toy(tmp_path, body)

    nodes = {"v": n("Versioned"), "s": n("Show", value=["v", 0])}
    old, new = engine(1), engine(2)
    old.run(nodes)
    new.engine._traces = old.engine._traces

    assert kinds(reasons(new, nodes)) == {"v": "node_changed", "s": "upstream_changed"}


def test_before_a_lazy_node_ran_nobody_knows_what_it_needs(toy: Toy) -> None:
    nodes = {
        "y": n("Number", value=1),
        "z": n("Number", value=2),
        "x": n("Choose", first=True, yes=["y", 0], no=["z", 0]),
        "s": n("Show", value=["x", 0]),
    }

    assert kinds(toy.engine.explain(parse_api(nodes))) == {
        "y": "unknown_yet",
        "z": "unknown_yet",
        "x": "first_run",
        "s": "unknown_yet",
    }
    assert kinds(toy.run(nodes).reasons)["z"] == "not_needed"
    assert kinds(toy.engine.explain(parse_api(nodes))) == {
        "y": "not_needed",
        "z": "not_needed",
        "x": "not_needed",
        "s": "cached",
    }


def test_a_blocked_node_says_so(toy: Toy) -> None:
    result = toy.run({"m": n("Maybe", value=1, open=False), "s": n("Show", value=["m", 0])})

    assert kinds(result.reasons) == {"m": "first_run", "s": "blocked"}


def test_a_failed_node_ran_and_what_did_not_run_is_compared_with_its_last_success(
    toy: Toy,
) -> None:
    nodes = {
        "c": n("Crash", value=1),
        "b": n("Add", a=["c", 0], b=2),
        "s": n("Show", value=["b", 0]),
    }

    assert kinds(toy.run(nodes).reasons) == {"c": "first_run", "b": "not_needed", "s": "not_needed"}
    assert kinds(toy.engine.explain(parse_api(nodes))) == {
        "c": "not_kept",
        "b": "first_run",
        "s": "first_run",
    }


def test_explaining_runs_nothing_and_remembers_nothing(toy: Toy) -> None:
    toy.engine.explain(parse_api(CHAIN))

    assert kinds(toy.engine.explain(parse_api(CHAIN))) == dict.fromkeys(CHAIN, "first_run")

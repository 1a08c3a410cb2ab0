"""Nodes that grow into pieces of graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphengine.api import Block, Expand, Items, node
from graphengine.errors import NodeFailed
from graphengine.events import NodeFinished, NodeStarted
from graphengine.expansion import find_cycle
from graphengine.workflow import Link
from tests.toy_engine import Toy, n, texts


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def growing(piece: dict[str, Any], *outputs: Any, unique_ids: bool = False) -> Any:
    """A node that grows into a piece of graph."""

    @node("Grow")
    def grow(value: int = 0) -> int | Expand:
        """Grows."""
        return Expand(piece, outputs, unique_ids=unique_ids)

    return grow


def cause(toy: Toy, nodes: dict[str, Any]) -> Any:
    error = toy.run(nodes, targets=("grow",)).error
    assert isinstance(error, NodeFailed)
    assert error.node_id == "grow"
    return error.cause


def test_a_loop_of_2_000_steps_needs_no_recursion(toy: Toy) -> None:
    assert toy.value({"x": n("CountDown", value=2000)}) == 2000 * 2001 // 2


def test_a_grown_result_is_cached_as_the_nodes_own(toy: Toy) -> None:
    nodes = {"c": n("CountDown", value=4), "s": n("Show", value=["c", 0])}
    toy.run(nodes)
    nodes["t"] = n("Divide", a=["c", 0], b=3)
    result = toy.run(nodes)

    assert texts(result) == {"s": ("10",), "t": ("10/3",)}
    assert [event.node_id for event in toy.of(NodeStarted)] == ["t"]


def test_what_a_node_grew_into_names_it_as_its_parent(toy: Toy) -> None:
    toy.value({"x": n("CountDown", value=2)})

    assert {event.parent for event in toy.of(NodeStarted) if event.node_id != "x"} == {"x"}
    assert toy.of(NodeFinished)[-1].node_id == "x"


def test_sinks_in_a_piece_run_and_show(toy: Toy) -> None:
    result = toy.run({"g": n("GrowShow", text="hello")}, targets=("g",))

    assert result.outputs == {"g": (5,)}
    assert list(texts(result).values()) == [("hello",)]


def test_each_item_of_a_mapped_node_grows_by_itself(toy: Toy) -> None:
    nodes = {"i": n("Numbers", count=4), "x": n("CountDown", value=["i", 0])}

    assert toy.value(nodes) == Items((0, 1, 3, 6))


def test_items_that_pieces_of_a_mapped_node_give_are_laid_in_one_row(tmp_path: Path) -> None:
    @node("GrowNumbers")
    def grow_numbers(count: int) -> int | Expand:
        """Grows into several numbers."""
        return Expand({"a": n("Numbers", count=count)}, (Link("a", 0),))

    toy = Toy(tmp_path, grow_numbers)
    nodes = {"i": n("Numbers", count=4), "x": n("GrowNumbers", count=["i", 0])}

    assert toy.value(nodes) == Items((0, 0, 1, 0, 1, 2))


def test_a_piece_may_link_to_nodes_around_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"a": n("Add", a=["outer", 0], b=1)}, Link("a", 0)))

    assert toy.value({"outer": n("Number", value=41), "x": n("Grow")}) == 42


def test_a_piece_sees_the_same_time_on_a_clock_around_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"a": n("Add", a=["clock", 0], b=0)}, Link("a", 0)))
    nodes = {
        "clock": n("Clock"),
        "eager": n("Add", a=["clock", 0], b=0),
        "later": n("Grow", value=["eager", 0]),
    }
    result = toy.run(nodes, targets=("later", "eager"))

    assert result.outputs["later"] == result.outputs["eager"]


def test_values_of_any_kind_may_stand_in_a_piece(tmp_path: Path) -> None:
    thing = object()
    toy = Toy(tmp_path, growing({"s": n("Show", value=thing)}, 7))
    result = toy.run({"x": n("Grow")}, targets=("x",))

    assert result.outputs == {"x": (7,)}
    assert list(texts(result).values()) == [(str(thing),)]


def test_an_output_may_be_blocked(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({}, Block("no")))

    assert toy.run({"g": n("Grow"), "s": n("Show", value=["g", 0])}).artifacts == {}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("unknown", "expansion_problems"),
        ("dangling", "expansion_problems"),
        ("cycle", "expansion_cycle"),
        ("itself", "expansion_cycle"),
    ],
)
def test_a_wrong_piece_fails_and_says_why(toy: Toy, kind: str, code: str) -> None:
    assert cause(toy, {"grow": n("GrowWrong", kind=kind)}).code == code


def test_a_piece_that_waits_for_what_is_behind_it_is_a_cycle_with_its_path(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"a": n("Add", a=["behind", 0], b=1)}, Link("a", 0)))
    result = toy.run(
        {"grow": n("Grow"), "behind": n("Add", a=["grow", 0], b=1)}, targets=("behind",)
    )

    assert isinstance(result.error, NodeFailed)
    path = result.error.cause.details["path"]  # type: ignore[attr-defined]
    assert path.count("→") == 3
    assert all(name in path for name in ("(#grow)", "(#behind)", "(#grow.0.0.a)"))


def test_a_node_that_grows_into_itself_for_ever_is_a_cycle(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"g": n("Grow", value=0)}, Link("g", 0)))

    assert cause(toy, {"grow": n("Grow", value=0)}).code == "expansion_cycle"


def test_ids_that_are_taken_are_refused(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"other": n("Number", value=1)}, Link("other", 0), unique_ids=True))
    found = cause(toy, {"grow": n("Grow"), "other": n("Number", value=2)})

    assert (found.code, found.details["id"]) == ("expansion_bad_id", "other")


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ((), "wrong_result"),
        ((1, 2), "wrong_result"),
        ((Link("nowhere", 0),), "expansion_bad_output"),
        ((Link("a", 1),), "expansion_bad_output"),
    ],
    ids=["none", "too many", "dangling", "slot"],
)
def test_wrong_outputs_of_a_piece_fail_the_node(
    tmp_path: Path, outputs: tuple[Any, ...], code: str
) -> None:
    toy = Toy(tmp_path, growing({"a": n("Number", value=1)}, *outputs))
    found = cause(toy, {"grow": n("Grow")})

    assert found.code == code
    assert "?" not in found.text("ja")


def test_a_node_with_something_volatile_inside_runs_every_time_with_all_behind_it(
    tmp_path: Path,
) -> None:
    toy = Toy(tmp_path, growing({"c": n("Clock")}, Link("c", 0)))
    nodes = {
        "g": n("Grow"),
        "behind": n("Add", a=["g", 0], b=0),
        "far": n("Add", a=["behind", 0], b=0),
        "x": n("Choose", first=True, yes=["far", 0], no=0),
    }

    assert len({toy.value(nodes) for _ in range(3)}) == 3
    assert len(toy.of(NodeStarted)) == 5


def test_two_equal_nodes_grow_once(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"c": n("Counted", name="inside", value=2)}, Link("c", 0)))
    nodes = {"a": n("Grow"), "b": n("Grow"), "x": n("Add", a=["a", 0], b=["b", 0])}

    assert toy.value(nodes) == 4
    assert toy.calls.counts == {"inside": 1}


def test_two_equal_nodes_with_a_clock_inside_grow_each(tmp_path: Path) -> None:
    toy = Toy(tmp_path, growing({"c": n("Clock")}, Link("c", 0)))
    result = toy.run({"a": n("Grow"), "b": n("Grow")}, targets=("a", "b"))

    assert result.outputs["a"] != result.outputs["b"]


def test_a_circle_is_named_from_source_to_what_waits() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["a"]}, {"a", "b", "c"})[0] in "abc"
    path = find_cycle({"a": ["b"], "b": ["a"], "z": ["q"]}, {"a", "b"})
    assert path in (["a", "b", "a"], ["b", "a", "b"])

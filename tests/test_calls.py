"""One node's calls: arguments of each, blocks among them, and what their results may be."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from graphengine.api import Artifacts, Block, Items, Lazy, node
from graphengine.calls import (
    WrongResult,
    blocked_by,
    join_outputs,
    plan_calls,
    read_result,
    with_lazy,
)
from graphengine.graph import GraphNode
from graphengine.node import describe
from graphengine.results import NeedsInputs, Outputs
from graphengine.workflow import Link


class Two(NamedTuple):
    """Two outputs and something to show."""

    number: int
    shown: Artifacts
    text: str


@node("Two")
def two(a: int, all: Items[int], many: list[int]) -> Two:
    """Two outputs."""
    raise NotImplementedError


@node("Ratio")
def ratio() -> float:
    """A number."""
    raise NotImplementedError


@node("Perhaps")
def perhaps() -> int | None:
    """A number or nothing."""
    raise NotImplementedError


@node("Words")
def words() -> Items[str]:
    """Texts."""
    raise NotImplementedError


@node("LazyOne")
def lazy_one(linked: Lazy[int], literal: Lazy[int], absent: Lazy[int | None]) -> int:
    """A number."""
    raise NotImplementedError


def of(function: Any, **links: Link) -> GraphNode:
    return GraphNode("1", describe(function), "Title", {}, links)


def test_arguments_are_mapped_over_items_but_for_items_inputs() -> None:
    inputs = {"a": Items((1, 2, 3)), "all": Items((7, 8)), "many": [5, 6]}
    arguments, mapped = plan_calls(of(two), inputs)

    assert mapped
    assert [each["a"] for each in arguments] == [1, 2, 3]
    assert all(each["all"] == Items((7, 8)) and each["many"] == [5, 6] for each in arguments)


def test_one_value_is_one_item() -> None:
    arguments, mapped = plan_calls(of(two), {"a": 1, "all": 2, "many": []})

    assert (arguments, mapped) == (({"a": 1, "all": Items((2,)), "many": []},), False)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"a": 1}, None),
        ({"a": Block("x")}, "x"),
        ({"a": 1, "b": Items((1, Block("y")))}, "y"),
        ({"a": [1, Block("z")]}, "z"),
    ],
)
def test_the_first_block_among_arguments_is_found(arguments: Any, found: str | None) -> None:
    block = blocked_by(arguments)

    assert (None if block is None else block.reason) == found


def test_lazy_inputs_give_what_is_there_and_ask_for_what_is_not() -> None:
    arguments = with_lazy(of(lazy_one, linked=Link("2", 0)), {"literal": 5})

    assert (arguments["literal"](), arguments["literal"].evaluated) == (5, True)
    assert arguments["absent"]() is None
    assert not arguments["linked"].evaluated
    with pytest.raises(NeedsInputs) as raised:
        arguments["linked"]()
    assert raised.value.names == ("linked",)


def test_artifacts_are_taken_out_of_the_outputs_wherever_they_stand() -> None:
    shown = Artifacts(texts=("x",))
    called = read_result(of(two), Two(1, shown, "a"))

    assert (called.outputs, called.artifacts) == ((1, "a"), shown)


@pytest.mark.parametrize(
    ("function", "result", "outputs"),
    [
        (ratio, 1.5, (1.5,)),
        (ratio, 2, (2,)),
        (perhaps, None, (None,)),
        (perhaps, 3, (3,)),
        (words, Items(("a", "b")), (Items(("a", "b")),)),
        (words, ["a", Block()], (["a", Block()],)),
        (two, Outputs((1, "a")), (1, "a")),
        (ratio, Block("no"), (Block("no"),)),
    ],
)
def test_right_results_are_taken(function: Any, result: Any, outputs: Any) -> None:
    assert read_result(of(function), result).outputs == outputs


@pytest.mark.parametrize(
    ("function", "result", "code"),
    [
        (ratio, None, "wrong_output_type"),
        (ratio, "1.5", "wrong_output_type"),
        (perhaps, 1.5, "wrong_output_type"),
        (words, Items((1,)), "wrong_output_type"),
        (words, ["a", None], "wrong_output_type"),
        (two, (1, "a"), "wrong_result"),
        (two, (1, Artifacts(), "a"), "wrong_result"),
        (two, 1, "wrong_result"),
        (two, Outputs((1,)), "wrong_result"),
        (two, Outputs((1, "a", 2)), "wrong_result"),
    ],
)
def test_wrong_results_are_refused(function: Any, result: Any, code: str) -> None:
    with pytest.raises(WrongResult) as raised:
        read_result(of(function), result)

    assert raised.value.code == code
    assert "Title (#1)" in raised.value.text()
    assert "?" not in raised.value.text("ja")


def test_outputs_of_several_calls_become_items() -> None:
    spec = describe(ratio)

    assert join_outputs(spec, ((1.0,), (2.0,)), True) == (Items((1.0, 2.0)),)
    assert join_outputs(spec, ((1.0,),), True) == (Items((1.0,)),)
    assert join_outputs(spec, ((1.0,),), False) == (1.0,)
    assert join_outputs(spec, (), True) == (Items(()),)
    assert join_outputs(describe(words), ((["a", "b"],), (Items(("c",)),)), True) == (
        Items(("a", "b", "c")),
    )

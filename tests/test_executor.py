"""Runs of every form of node: what is called, how often, in which order, and what comes out."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest

from graphengine.api import (
    Artifacts,
    Block,
    Cancelled,
    Context,
    InputError,
    Items,
    Lazy,
    SavedFile,
    Seed,
    node,
    socket,
)
from graphengine.cache import Cache
from graphengine.context import CancelFlag
from graphengine.errors import NodeFailed
from graphengine.events import (
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodeProgress,
    NodesCached,
    NodeStarted,
    RunFinished,
    RunStarted,
)
from tests.toy_engine import Toy, n, texts


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


@node("Optional")
def optional(first: Annotated[int, Seed()] | None, second: int | None = None) -> str:
    """What it got."""
    return f"{first} {second}"


@socket("BIG")
class Big:
    """A value whose lifetime can be watched."""


class Route(NamedTuple):
    """Two ways."""

    left: int
    right: int


class Pair(NamedTuple):
    """Two outputs."""

    left: int
    right: str


@node("Pair")
def pair(value: int) -> Pair:
    """Two outputs of different types."""
    return Pair(value, str(value))


# --- inputs and outputs ---------------------------------------------------------------------------


def test_an_optional_input_without_a_default_is_none_when_absent(tmp_path: Path) -> None:
    toy = Toy(tmp_path, optional)

    assert toy.value({"x": n("Optional")}) == "None None"
    assert toy.value({"x": n("Optional", first=1)}) == "1 None"
    assert toy.value({"a": n("Number", value=2), "x": n("Optional", second=["a", 0])}) == "None 2"


def test_each_of_several_outputs_goes_where_it_is_linked(tmp_path: Path) -> None:
    toy = Toy(tmp_path, pair)

    result = toy.run(
        {
            "p": n("Pair", value=7),
            "number": n("Add", a=["p", 0], b=1),
            "text": n("Show", value=["p", 1]),
        },
        targets=("number", "text", "p"),
    )

    assert result.outputs["number"] == (8,)
    assert result.outputs["p"] == (7, "7")
    assert texts(result) == {"text": ("7",)}


def test_a_list_input_gets_its_links_in_order_also_items_one_by_one(toy: Toy) -> None:
    nodes = {
        "a": n("Number", value=1),
        "b": n("Number", value=2),
        "i": n("Numbers", count=4),
        "x": n("Sum", values=[["a", 0], ["b", 0], ["a", 0]]),
        "y": n("Sum", values=[["i", 0], ["b", 0]]),
    }

    assert toy.value(nodes) == 4
    assert toy.value(nodes, "y") == 0 + 1 + 2 + 3 + 2


def test_a_sink_with_outputs_shows_and_hands_on(toy: Toy) -> None:
    result = toy.run({"d": n("Divide", a=17, b=5), "s": n("Show", value=["d", 1])})

    assert texts(result) == {"d": ("17/5",), "s": ("2",)}


# --- items ----------------------------------------------------------------------------------------


def test_a_node_behind_items_runs_once_for_each_and_shows_all_of_it(toy: Toy) -> None:
    result = toy.run({"i": n("Numbers", count=3), "s": n("Show", value=["i", 0])})

    assert texts(result) == {"s": ("0", "1", "2")}


def test_shorter_lists_repeat_their_last_item(toy: Toy) -> None:
    nodes = {
        "long": n("Numbers", count=4),
        "short": n("Numbers", count=2),
        "x": n("Add", a=["long", 0], b=["short", 0]),
    }

    assert toy.value(nodes) == Items((0, 2, 3, 4))


def test_an_items_input_gets_all_in_one_call_and_one_value_as_one_item(toy: Toy) -> None:
    assert toy.value({"w": n("Split", text="a b c"), "x": n("Join", words=["w", 0])}) == "a b c"

    @node("Text")
    def text() -> str:
        """A text."""
        return "ab"

    toy.engine.registry.add_functions(text)
    assert toy.value({"w": n("Text"), "x": n("Join", words=["w", 0])}) == "ab"


def test_a_mapped_node_with_an_items_output_lays_all_items_one_after_the_other(toy: Toy) -> None:
    nodes = {"i": n("Numbers", count=4), "x": n("Numbers", count=["i", 0])}

    assert toy.value(nodes) == Items((0, 0, 1, 0, 1, 2))


def test_an_items_input_is_given_whole_to_each_call_of_a_mapped_node(tmp_path: Path) -> None:
    @node("Nth")
    def nth(words: Items[str], index: int) -> str:
        """One of the words."""
        return words[index]

    toy = Toy(tmp_path, nth)
    nodes = {
        "w": n("Split", text="a b c"),
        "i": n("Numbers", count=3),
        "x": n("Nth", words=["w", 0], index=["i", 0]),
    }

    assert toy.value(nodes) == Items(("a", "b", "c"))


def test_no_items_make_no_calls_and_no_items(toy: Toy) -> None:
    nodes = {
        "i": n("Numbers", count=0),
        "c": n("Counted", name="c", value=["i", 0]),
        "x": n("Sum", values=[["c", 0]]),
        "s": n("Show", value=["c", 0]),
    }

    assert toy.value(nodes, "x") == 0
    assert toy.calls.counts == {}
    assert toy.run(nodes).status == "done"


def test_an_empty_list_beside_items_fails_and_names_the_input(toy: Toy) -> None:
    result = toy.run(
        {
            "none": n("Numbers", count=0),
            "some": n("Numbers", count=2),
            "x": n("Add", a=["some", 0], b=["none", 0]),
        },
        targets=("x",),
    )

    assert isinstance(result.error, NodeFailed)
    assert isinstance(result.error.cause, InputError)
    assert (result.error.cause.code, result.error.cause.details["input"]) == ("mapping_empty", "b")


# --- lazy -----------------------------------------------------------------------------------------


def choice(first: Any, yes: Any = 1, no: Any = 2) -> dict[str, Any]:
    return {
        "yes": n("Counted", name="yes", value=yes),
        "no": n("Counted", name="no", value=no),
        "x": n("Choose", first=first, yes=["yes", 0], no=["no", 0]),
        "s": n("Show", value=["x", 0]),
    }


def test_only_the_branch_that_the_body_asks_for_runs(toy: Toy) -> None:
    assert texts(toy.run(choice(True))) == {"s": ("1",)}
    assert toy.calls.counts == {"yes": 1}
    assert texts(toy.run(choice(False))) == {"s": ("2",)}
    assert toy.calls.counts == {"no": 1}


def test_editing_an_untaken_branch_reruns_nothing(toy: Toy) -> None:
    toy.run(choice(True))

    assert texts(toy.run(choice(True, no=99))) == {"s": ("1",)}
    assert toy.calls.counts == {}
    assert toy.of(NodeStarted) == []


def test_editing_the_taken_branch_reruns_it(toy: Toy) -> None:
    toy.run(choice(True))

    assert texts(toy.run(choice(True, yes=5))) == {"s": ("5",)}
    assert toy.calls.counts == {"yes": 1}


def test_lazy_inputs_may_be_literals_or_left_to_their_default(tmp_path: Path) -> None:
    @node("Or")
    def either(first: Lazy[int], second: Lazy[int | None] = None, third: Lazy[int] = 3) -> str:
        """All three."""
        return f"{first()} {second()} {third()}"

    toy = Toy(tmp_path, either)

    assert toy.value({"x": n("Or", first=1)}) == "1 None 3"
    assert toy.value({"x": n("Or", first=1, second=2, third=4)}) == "1 2 4"


@node("IfPositive")
def if_positive(test: Lazy[int], yes: Lazy[int], no: Lazy[int]) -> int:
    """Asks twice: first for the test."""
    return yes() if test() > 0 else no()


def positive(test: int, yes: int = 10, no: int = 20) -> dict[str, Any]:
    return {
        "test": n("Counted", name="test", value=test),
        "yes": n("Counted", name="yes", value=yes),
        "no": n("Counted", name="no", value=no),
        "x": n("IfPositive", test=["test", 0], yes=["yes", 0], no=["no", 0]),
    }


def test_a_body_may_ask_in_several_rounds_depending_on_what_it_got(tmp_path: Path) -> None:
    toy = Toy(tmp_path, if_positive)

    assert toy.value(positive(1)) == 10
    assert toy.calls.counts == {"test": 1, "yes": 1}
    assert toy.value(positive(-1)) == 20
    assert toy.calls.counts == {"test": 1, "no": 1}
    assert toy.value(positive(1, no=77)) == 10
    assert toy.of(NodeStarted) == []
    assert toy.value(positive(-1, yes=77)) == 20
    assert toy.of(NodeStarted) == []


def test_a_lazy_node_that_is_mapped_pulls_what_any_item_needs(toy: Toy) -> None:
    nodes = {
        "i": n("Numbers", count=3),
        "even": n("IsEven", value=["i", 0]),
        "yes": n("Counted", name="yes", value=1),
        "no": n("Counted", name="no", value=0),
        "x": n("Choose", first=["even", 0], yes=["yes", 0], no=["no", 0]),
    }

    @node("IsEven")
    def is_even(value: int) -> bool:
        """Whether it is even."""
        return value % 2 == 0

    toy.engine.registry.add_functions(is_even)

    assert toy.value(nodes) == Items((1, 0, 1))
    assert toy.calls.counts == {"yes": 1, "no": 1}


def test_a_chain_of_lazy_nodes_needs_no_recursion_fresh_or_cached(toy: Toy) -> None:
    nodes = {"0": n("Number", value=1)}
    for index in range(1, 1500):
        nodes[str(index)] = n("Choose", first=True, yes=[str(index - 1), 0], no=0)

    assert toy.value(nodes, "1499") == 1
    assert toy.value(nodes, "1499") == 1
    assert toy.of(NodeStarted) == []
    nodes["0"] = n("Number", value=2)
    assert toy.value(nodes, "1499") == 2


def test_a_result_that_was_let_go_is_there_for_a_lazy_branch_that_needs_it_later(
    tmp_path: Path,
) -> None:
    toy = Toy(tmp_path, cache=Cache(host_bytes=0))
    nodes = {
        "shared": n("Counted", name="shared", value=3),
        "first": n("Add", a=["shared", 0], b=0),
        "test": n("IsPositive", value=["first", 0]),
        "later": n("Add", a=["shared", 0], b=100),
        "x": n("Choose", first=["test", 0], yes=["later", 0], no=0),
    }

    @node("IsPositive")
    def is_positive(value: int) -> bool:
        """Whether it is positive."""
        return value > 0

    toy.engine.registry.add_functions(is_positive)

    assert toy.value(nodes) == 103
    assert toy.calls.counts == {"shared": 1}


def test_a_clock_says_one_thing_in_one_run_also_to_a_lazy_branch(tmp_path: Path) -> None:
    toy = Toy(tmp_path, if_positive)
    nodes = {
        "clock": n("Clock"),
        "eager": n("Add", a=["clock", 0], b=0),
        "lazy": n("Add", a=["clock", 0], b=0),
        "x": n("IfPositive", test=["eager", 0], yes=["lazy", 0], no=0),
        "y": n("Add", a=["eager", 0], b=0),
    }

    result = toy.run(nodes, targets=("x", "y"))

    assert result.outputs["x"] == result.outputs["y"]


def test_asking_for_an_input_that_is_not_there_fails(tmp_path: Path) -> None:
    from graphengine.results import NeedsInputs

    @node("Asks")
    def asks(value: Lazy[int]) -> int:
        """Asks for something else, again and again."""
        raise NeedsInputs(("other",))

    toy = Toy(tmp_path, asks)
    result = toy.run({"x": n("Asks", value=1)}, targets=("x",))

    assert isinstance(result.error, NodeFailed)
    assert "lazy_unknown" in repr(result.error.cause)


# --- blocks ---------------------------------------------------------------------------------------


def blocked(reason: str) -> dict[str, Any]:
    return {
        "m": n("Maybe", value=1, open=False, reason=reason),
        "a": n("Add", a=["m", 0], b=1),
        "s": n("Show", value=["a", 0]),
        "t": n("Show", value=["m", 0]),
    }


def test_nothing_behind_a_block_runs_and_its_reason_is_told_once(toy: Toy) -> None:
    result = toy.run(blocked("closed"))

    assert (result.status, result.artifacts) == ("done", {})
    assert sorted(event.node_id for event in toy.of(NodeBlocked)) == ["a", "s", "t"]
    assert sorted(event.reason or "" for event in toy.of(NodeBlocked)) == ["", "", "closed"]
    assert {event.node_id for event in toy.of(NodeFinished)} == {"m"}


def test_a_block_without_a_reason_is_silent(toy: Toy) -> None:
    toy.run(blocked(""))

    assert [event.reason for event in toy.of(NodeBlocked)] == [None, None, None]


def test_the_reason_is_told_again_in_the_next_run(toy: Toy) -> None:
    toy.run(blocked("closed"))
    toy.run(blocked("closed"))

    assert toy.of(NodeStarted) == []
    assert [event.reason for event in toy.of(NodeBlocked) if event.reason] == ["closed"]


def test_of_two_equal_nodes_behind_a_block_neither_counts_as_finished(toy: Toy) -> None:
    nodes = {
        "m": n("Maybe", value=1, open=False),
        "s": n("Show", value=["m", 0]),
        "t": n("Show", value=["m", 0]),
    }
    result = toy.run(nodes)

    assert {event.node_id for event in toy.of(NodeBlocked)} == {"s", "t"}
    assert {event.node_id for event in toy.of(NodeFinished)} == {"m"}
    assert result.reasons["t"].kind == "blocked"


def test_opening_a_block_runs_what_is_behind_it(toy: Toy) -> None:
    nodes = blocked("closed")
    toy.run(nodes)
    nodes["m"]["inputs"]["open"] = True

    assert texts(toy.run(nodes)) == {"s": ("2",), "t": ("1",)}


def test_blocked_items_are_skipped_and_the_others_go_on(toy: Toy) -> None:
    nodes = {
        "i": n("Numbers", count=4),
        "e": n("OnlyEven", value=["i", 0]),
        "s": n("Show", value=["e", 0]),
        "j": n("Sum", values=[["e", 0]]),
        "t": n("Show", value=["j", 0]),
    }
    result = toy.run(nodes)

    assert texts(result) == {"s": ("0", "2")}
    assert [e.reason for e in toy.of(NodeBlocked) if e.reason] == ["odd", "odd"]
    assert {e.node_id for e in toy.of(NodeBlocked)} == {"s", "j", "t"}


def test_one_blocked_output_leaves_the_others_open(tmp_path: Path) -> None:
    @node("Route")
    def route(value: int) -> Route:
        """To the left only."""
        return Route(value, Block("not right"))  # type: ignore[arg-type]

    toy = Toy(tmp_path, route)
    result = toy.run(
        {
            "r": n("Route", value=1),
            "l": n("Show", value=["r", 0]),
            "s": n("Show", value=["r", 1]),
        }
    )

    assert texts(result) == {"l": ("1",)}
    assert [(e.node_id, e.reason) for e in toy.of(NodeBlocked)] == [("s", "not right")]


# --- async and concurrent -------------------------------------------------------------------------


def meeting(kind: str, parties: int) -> Any:
    """A node that returns only when ``parties`` of its kind are under way at the same time."""
    arrived = threading.Barrier(parties)

    if kind == "async":
        inside: list[int] = []

        @node("Meet")
        async def meet(value: int) -> int:
            """The value."""
            inside.append(value)
            while len(inside) < parties:
                await asyncio.sleep(0.001)
            return value

    else:

        @node("Meet", concurrent=True)
        def meet(value: int) -> int:  # type: ignore[misc]
            """The value."""
            arrived.wait(timeout=30)
            return value

    return meet


@pytest.mark.parametrize("kind", ["async", "concurrent"])
def test_independent_waiting_nodes_overlap(tmp_path: Path, kind: str) -> None:
    toy = Toy(tmp_path, meeting(kind, 3))
    nodes = {str(index): n("Meet", value=index) for index in range(3)}
    nodes["x"] = n("Sum", values=[["0", 0], ["1", 0], ["2", 0]])

    assert toy.value(nodes) == 3


def test_a_waiting_node_overlaps_with_work_in_the_loop(tmp_path: Path) -> None:
    done = threading.Event()

    @node("WaitFor", concurrent=True)
    def wait_for() -> bool:
        """Whether the other node has run."""
        return done.wait(timeout=30)

    @node("Work")
    def work() -> int:
        """Lets the other one go on."""
        done.set()
        return 1

    toy = Toy(tmp_path, wait_for, work)
    result = toy.run({"w": n("WaitFor"), "x": n("Work")}, targets=("x", "w"))

    assert result.outputs == {"x": (1,), "w": (True,)}


def test_items_of_an_async_node_overlap(tmp_path: Path) -> None:
    toy = Toy(tmp_path, meeting("async", 4))

    assert toy.value({"i": n("Numbers", count=4), "x": n("Meet", value=["i", 0])}) == Items(
        range(4)
    )


def test_an_async_node_may_pull_lazy_inputs(tmp_path: Path) -> None:
    @node("AsyncChoose")
    async def async_choose(first: bool, yes: Lazy[int], no: Lazy[int]) -> int:
        """One of two."""
        await asyncio.sleep(0)
        return yes() if first else no()

    toy = Toy(tmp_path, async_choose)
    nodes = choice(True)
    nodes["x"]["class_type"] = "AsyncChoose"

    assert texts(toy.run(nodes)) == {"s": ("1",)}
    assert toy.calls.counts == {"yes": 1}


@pytest.mark.parametrize("how", ["async", "concurrent", "plain"])
@pytest.mark.parametrize("error", [SystemExit, ValueError])
def test_a_body_that_raises_fails_the_run_wherever_it_runs(
    tmp_path: Path, how: str, error: type[BaseException]
) -> None:
    @node("Async")
    async def asynchronous() -> int:
        """Raises."""
        raise error(3)

    @node("Concurrent", concurrent=True)
    def concurrent() -> int:
        """Raises."""
        raise error(3)

    @node("Plain")
    def plain() -> int:
        """Raises."""
        raise error(3)

    toy = Toy(tmp_path, asynchronous, concurrent, plain)
    result = toy.run({"x": n(how.capitalize())}, targets=("x",))

    assert isinstance(result.error, NodeFailed)
    assert type(result.error.cause) is error
    assert toy.events[-1].status == "failed"


def test_ctrl_c_in_a_body_cancels_the_run(tmp_path: Path) -> None:
    @node("Interrupted")
    def interrupted() -> int:
        """As if the person pressed Ctrl-C."""
        raise KeyboardInterrupt

    toy = Toy(tmp_path, interrupted)

    assert toy.run({"x": n("Interrupted")}, targets=("x",)).status == "cancelled"


def test_a_failure_stops_what_is_under_way_beside_it(tmp_path: Path) -> None:
    started = threading.Event()
    stopped = threading.Event()

    @node("Endless", concurrent=True)
    def endless(context: Context) -> int:
        """Goes on until it is told to stop."""
        started.set()
        try:
            while not context.run.cancel.wait(0.001):
                context.progress(0, 1)
        finally:
            stopped.set()
        return 0

    @node("FailLater")
    def fail_later() -> int:
        """Fails once the other one is under way."""
        assert started.wait(timeout=30)
        raise ValueError

    toy = Toy(tmp_path, endless, fail_later)
    cancel = CancelFlag()
    result = toy.run({"e": n("Endless"), "f": n("FailLater")}, targets=("e", "f"), cancel=cancel)

    assert result.status == "failed"
    assert stopped.is_set()
    assert not cancel.is_set()
    assert isinstance(toy.events[-1], RunFinished)


# --- cancelling -----------------------------------------------------------------------------------


def test_a_run_is_cancelled_within_a_nodes_progress(toy: Toy) -> None:
    cancel = CancelFlag()

    def stop_at_three(event: Any) -> None:
        toy.events.append(event)
        if isinstance(event, NodeProgress) and event.value == 3:
            cancel.set()

    result = toy.run(
        {"x": n("Steps", count=1000)}, targets=("x",), cancel=cancel, on_event=stop_at_three
    )

    assert (result.status, result.error, result.outputs) == ("cancelled", None, {})
    assert [event.value for event in toy.of(NodeProgress)] == [1, 2, 3]
    assert toy.events[-1].status == "cancelled"


def test_a_run_is_cancelled_while_it_waits_for_async_nodes(toy: Toy) -> None:
    cancel = CancelFlag()

    def stop(event: Any) -> None:
        if isinstance(event, NodeStarted):
            cancel.set()

    nodes = {"x": n("Wait", value=1, seconds=1000.0)}

    assert toy.run(nodes, targets=("x",), cancel=cancel, on_event=stop).status == "cancelled"


def test_a_body_that_never_looks_is_stopped_also_where_nothing_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = CancelFlag()

    @node("Deaf")
    def deaf() -> int:
        """Goes on for ten seconds whatever happens."""
        cancel.set()
        for _ in range(1000):
            time.sleep(0.01)
        return 1

    monkeypatch.setattr("graphengine.stopping.PATIENCE_S", 0.01)
    monkeypatch.setitem(sys.modules, "ctypes", None)
    result = Toy(tmp_path, deaf).run({"x": n("Deaf")}, targets=("x",), cancel=cancel)

    assert result.status == "cancelled"
    assert result.seconds < 9


def test_a_run_that_is_cancelled_before_it_begins_calls_nothing(toy: Toy) -> None:
    cancel = CancelFlag()
    cancel.set()
    result = toy.run({"x": n("Counted", name="x", value=1)}, targets=("x",), cancel=cancel)

    assert (result.status, toy.calls.counts) == ("cancelled", {})


def test_a_run_is_cancelled_between_the_items_of_a_mapped_node(tmp_path: Path) -> None:
    cancel = CancelFlag()
    seen: list[int] = []

    @node("StopAt")
    def stop_at(value: int) -> int:
        """Somebody stops the run at 2."""
        seen.append(value)
        if value == 2:
            cancel.set()
        return value

    toy = Toy(tmp_path, stop_at)
    nodes = {"i": n("Numbers", count=10), "x": n("StopAt", value=["i", 0])}

    assert toy.run(nodes, targets=("x",), cancel=cancel).status == "cancelled"
    assert seen == [0, 1, 2]


def test_a_body_may_cancel_the_run_itself(tmp_path: Path) -> None:
    @node("GiveUp")
    def give_up() -> int:
        """Ends the run."""
        raise Cancelled

    assert Toy(tmp_path, give_up).run({"x": n("GiveUp")}, targets=("x",)).status == "cancelled"


def test_what_was_finished_before_a_cancel_is_not_run_again(toy: Toy) -> None:
    cancel = CancelFlag()
    nodes = {
        "a": n("Counted", name="a", value=3),
        "x": n("Steps", count=["a", 0]),
    }
    toy.run(
        nodes,
        targets=("x",),
        cancel=cancel,
        on_event=lambda event: cancel.set() if isinstance(event, NodeProgress) else None,
    )

    assert toy.value(nodes) == 3
    assert toy.calls.counts == {}


# --- the cache ------------------------------------------------------------------------------------


def chain(value: int, last: int) -> dict[str, Any]:
    return {
        "a": n("Counted", name="a", value=value),
        "b": n("Counted", name="b", value=["a", 0]),
        "c": n("Add", a=["b", 0], b=last),
        "s": n("Show", value=["c", 0]),
    }


def test_a_second_run_calls_nothing_and_announces_the_artifacts_again(toy: Toy) -> None:
    toy.run(chain(1, 2))
    result = toy.run(chain(1, 2))

    assert texts(result) == {"s": ("3",)}
    assert toy.events[1:-1] == [
        NodesCached(("s", "a", "b", "c")),
        NodeFinished("s", Artifacts(texts=("3",)), cached=True),
    ]


def test_editing_one_literal_near_the_end_reruns_only_what_follows(toy: Toy) -> None:
    toy.run(chain(1, 2))
    result = toy.run(chain(1, 5))

    assert texts(result) == {"s": ("6",)}
    assert [event.node_id for event in toy.of(NodeStarted)] == ["c", "s"]
    assert toy.of(NodesCached) == [NodesCached(("b", "a"))]


def counts_of_runs(toy: Toy, *values: int) -> list[dict[str, int]]:
    """What each of several runs of a chain calls; runs of the same value are the same."""
    counted = []
    for value in values:
        toy.run(chain(value, 2)).raise_for_status()
        counted.append(dict(toy.calls.counts))
    return counted


def test_what_another_run_used_is_kept_unless_only_the_last_ones_are_wanted(tmp_path: Path) -> None:
    both, nothing = {"a": 1, "b": 1}, dict[str, int]()

    for cache, counted in (
        (Cache(), [both, both, nothing, nothing]),
        (Cache(last_run_only=True), [both, both, both, nothing]),
        (Cache(most_entries=4), [both, both, both, nothing]),
        (Cache(most_entries=8), [both, both, nothing, nothing]),
        (Cache(host_bytes=0), [both, both, both, both]),
    ):
        assert counts_of_runs(Toy(tmp_path, cache=cache), 1, 5, 1, 1) == counted


def test_what_the_last_run_took_from_the_cache_without_looking_stays(tmp_path: Path) -> None:
    toy = Toy(tmp_path, cache=Cache(last_run_only=True))
    toy.run(chain(1, 2))
    toy.run(chain(1, 2))
    toy.run(chain(1, 5))

    assert toy.calls.counts == {}


def test_a_run_that_is_cancelled_before_it_begins_drops_nothing(tmp_path: Path) -> None:
    toy = Toy(tmp_path, cache=Cache(last_run_only=True))
    toy.run(chain(1, 2))
    cancel = CancelFlag()
    cancel.set()
    toy.run(chain(9, 9), cancel=cancel)

    assert counts_of_runs(toy, 1) == [{}]


def test_a_few_entries_are_enough_for_a_run_of_many_nodes(tmp_path: Path) -> None:
    toy = Toy(tmp_path, cache=Cache(most_entries=2))
    nodes: dict[str, Any] = {"0": n("Counted", name="0", value=1)}
    for index in range(1, 50):
        nodes[str(index)] = n("Add", a=[str(index - 1), 0], b=["0", 0])

    assert toy.value(nodes, "49") == 50
    assert toy.engine.cache.statistics().entries == 2


def test_two_identical_subgraphs_run_once(toy: Toy) -> None:
    nodes = {
        "a": n("Counted", name="same", value=1),
        "b": n("Counted", name="same", value=1),
        "c": n("Counted", name="then", value=["a", 0]),
        "d": n("Counted", name="then", value=["b", 0]),
        "x": n("Add", a=["c", 0], b=["d", 0]),
    }

    assert toy.value(nodes) == 2
    assert toy.calls.counts == {"same": 1, "then": 1}


def test_identical_nodes_run_once_also_when_nothing_can_be_cached(tmp_path: Path) -> None:
    toy = Toy(tmp_path, cache=Cache(host_bytes=0))
    nodes = {
        "a": n("Counted", name="same", value=1),
        "b": n("Counted", name="same", value=1),
        "x": n("Add", a=["a", 0], b=["b", 0]),
    }

    assert toy.value(nodes) == 2
    assert toy.calls.counts == {"same": 1}


@pytest.mark.parametrize("cache", [Cache(), Cache(host_bytes=0)], ids=["cache", "no cache"])
def test_identical_async_nodes_that_are_under_way_run_once(tmp_path: Path, cache: Cache) -> None:
    seen: list[int] = []

    @node("Slow")
    async def slow(value: int) -> int:
        """The value, after everything else had a chance to run."""
        seen.append(value)
        await asyncio.sleep(0.02)
        return value

    toy = Toy(tmp_path, slow, cache=cache)
    nodes = {str(index): n("Slow", value=5) for index in range(4)}
    nodes["x"] = n("Sum", values=[[str(index), 0] for index in range(4)])

    assert toy.value(nodes) == 20
    assert seen == [5]


def test_what_is_never_cached_runs_every_time_with_all_behind_it(toy: Toy) -> None:
    nodes = {
        "clock": n("Clock"),
        "behind": n("Add", a=["clock", 0], b=0),
        "beside": n("Counted", name="beside", value=1),
        "x": n("Add", a=["behind", 0], b=["beside", 0]),
    }
    first = toy.value(nodes)
    second = toy.value(nodes)

    assert first != second
    assert [event.node_id for event in toy.of(NodeStarted)] == ["clock", "behind", "x"]


def test_nodes_that_want_results_of_their_own_do_not_share_them(tmp_path: Path) -> None:
    seen: list[str] = []

    @node("Own", per_node=True)
    def own(value: int, context: Context) -> int:
        """The value."""
        seen.append(context.node_id)
        return value

    toy = Toy(tmp_path, own)
    nodes = {"a": n("Own", value=1), "b": n("Own", value=1), "x": n("Add", a=["a", 0], b=["b", 0])}
    toy.value(nodes)
    toy.value(nodes)

    assert sorted(seen) == ["a", "b"]


def test_a_node_whose_file_vanished_runs_again(tmp_path: Path) -> None:
    @node("Write")
    def write(context: Context) -> Artifacts:
        """Writes a file."""
        folder = context.folders.output / "sub"
        folder.mkdir(exist_ok=True)
        (folder / "a.txt").write_text("hello")
        return Artifacts(images=(SavedFile("a.txt", "sub"),))

    toy = Toy(tmp_path, write)
    nodes = {"x": n("Write")}
    path = toy.folders.output / "sub" / "a.txt"

    assert toy.run(nodes).files == (path,)
    assert toy.run(nodes).files == (path,)
    assert toy.of(NodeStarted) == []
    path.unlink()
    assert toy.run(nodes).files == (path,)
    assert toy.of(NodeStarted) == [NodeStarted("x")]
    assert path.is_file()


def test_a_result_is_let_go_after_its_last_use(tmp_path: Path) -> None:
    kept: list[weakref.ref[Big]] = []
    alive: list[bool] = []

    @node("MakeBig")
    def make_big() -> Big:
        """Something large."""
        big = Big()
        kept.append(weakref.ref(big))
        return big

    @node("UseBig")
    def use_big(big: Big) -> int:
        """A number from it."""
        return 1

    @node("Look")
    def look(value: int) -> int:
        """Whether it is still there."""
        gc.collect()
        alive.append(kept[0]() is not None)
        return value

    toy = Toy(tmp_path, make_big, use_big, look, cache=Cache(host_bytes=0))
    toy.value({"b": n("MakeBig"), "u": n("UseBig", big=["b", 0]), "x": n("Look", value=["u", 0])})

    assert alive == [False]


# --- failures -------------------------------------------------------------------------------------


def test_a_failed_node_says_which_it_is_what_it_got_and_why(toy: Toy) -> None:
    nodes = {
        "a": n("Counted", name="a", value=3),
        "x": {**n("Crash", value=["a", 0]), "_meta": {"title": "Divider"}},
        "s": n("Show", value=["x", 0]),
    }
    result = toy.run(nodes)
    error = result.error

    assert isinstance(error, NodeFailed)
    assert (error.node_id, error.title, error.node_type) == ("x", "Divider", "Crash")
    assert error.inputs == {"value": "3", "how": "'error'"}
    assert isinstance(error.cause, ZeroDivisionError)
    assert error.__cause__ is error.cause
    assert toy.of(NodeError) == [NodeError("x", error)]
    assert toy.events[-1].status == "failed"
    with pytest.raises(NodeFailed):
        result.raise_for_status()


def test_what_ran_before_a_failure_stays_cached(toy: Toy) -> None:
    nodes = {"a": n("Counted", name="a", value=3), "x": n("Crash", value=["a", 0])}
    toy.run(nodes, targets=("x",))
    toy.run(nodes, targets=("x",))

    assert toy.calls.counts == {}
    assert [event.node_id for event in toy.of(NodeStarted)] == ["x"]


def test_a_lazy_node_that_fails_reports_what_it_had_pulled(tmp_path: Path) -> None:
    @node("PullAndFail")
    def pull_and_fail(value: Lazy[int], other: Lazy[int]) -> int:
        """Fails after one pull."""
        raise ValueError(value())

    toy = Toy(tmp_path, pull_and_fail)
    nodes = {
        "a": n("Number", value=7),
        "x": n("PullAndFail", value=["a", 0], other=["a", 0]),
    }
    error = toy.run(nodes, targets=("x",)).error

    assert isinstance(error, NodeFailed)
    assert error.inputs == {"value": "7"}


@pytest.mark.parametrize("result", ["text", None, 1.5, True], ids=repr)
def test_a_body_that_returns_another_type_fails(tmp_path: Path, result: Any) -> None:
    @node("Wrong")
    def wrong() -> int:
        """Something else than it says."""
        return result  # type: ignore[no-any-return]

    error = Toy(tmp_path, wrong).run({"x": n("Wrong")}, targets=("x",)).error

    assert isinstance(error, NodeFailed)
    assert error.cause.code == "wrong_output_type"  # type: ignore[attr-defined]


def test_a_listener_that_raises_ends_the_run_with_its_own_error(toy: Toy) -> None:
    def broken(event: Any) -> None:
        if isinstance(event, NodeProgress):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        toy.run({"x": n("Steps", count=3)}, targets=("x",), on_event=broken)


def test_a_listener_that_raises_in_a_thread_ends_the_run_with_its_own_error(
    tmp_path: Path,
) -> None:
    @node("Report", concurrent=True)
    def report(context: Context) -> int:
        """Reports, and does not care if it fails."""
        try:
            context.progress(1, 1)
        except OSError:
            return 0
        return 1

    def broken(event: Any) -> None:
        if isinstance(event, NodeProgress):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Toy(tmp_path, report).run({"x": n("Report")}, targets=("x",), on_event=broken)


# --- order and size -------------------------------------------------------------------------------


def test_events_come_in_order(toy: Toy) -> None:
    toy.run({"a": n("Number", value=1), "s": n("Show", value=["a", 0])})

    assert [type(event) for event in toy.events] == [
        RunStarted, NodeStarted, NodeFinished, NodeStarted, NodeFinished, RunFinished,
    ]  # fmt: skip
    assert toy.events[0].nodes == ("a", "s")
    assert [getattr(event, "node_id", None) for event in toy.events[1:5]] == ["a", "a", "s", "s"]


def test_one_picture_is_finished_before_the_next_is_begun(toy: Toy) -> None:
    nodes = {}
    for name in "ab":
        nodes[f"{name}1"] = n("Counted", name=name, value=1)
        nodes[f"{name}2"] = n("Add", a=[f"{name}1", 0])
        nodes[f"{name}3"] = n("Show", value=[f"{name}2", 0])
    toy.run(nodes)

    assert [e.node_id for e in toy.of(NodeStarted)] == ["a1", "a2", "a3", "b1", "b2", "b3"]


def test_a_chain_of_100_000_nodes_runs(toy: Toy) -> None:
    nodes = {"0": n("Number", value=0)}
    for index in range(1, 100_001):
        nodes[str(index)] = n("Add", a=[str(index - 1), 0])
    result = toy.run(nodes, targets=("100000",), on_event=None)

    assert result.outputs == {"100000": (100_000,)}

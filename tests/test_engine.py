"""The Python API: building, running, results, seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from graphengine.api import Context, Seed, node
from graphengine.context import CancelFlag
from graphengine.describe import describe_value
from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.workflow import Workflow, WorkflowBuilder, parse_api
from tests.toy_engine import Toy, n


@node("Random")
def random_number(seed: Annotated[int, Seed()]) -> int:
    """The seed."""
    return seed


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path, random_number)


def test_a_seed_of_minus_one_is_drawn_for_each_run_and_recorded(toy: Toy) -> None:
    nodes = {"r": n("Random", seed=-1), "s": n("Show", value=["r", 0])}
    first, second = toy.run(nodes), toy.run(nodes)
    drawn = [result.prompt["r"]["inputs"]["seed"] for result in (first, second)]

    assert first.artifacts["s"].texts == (str(drawn[0]),)
    assert second.artifacts["s"].texts == (str(drawn[1]),)
    assert drawn[0] != drawn[1]
    assert all(0 <= seed < 2**64 for seed in drawn)
    assert toy.run(first.prompt).artifacts["s"].texts == (str(drawn[0]),)


def test_a_body_reads_the_prompt_as_it_is_run(tmp_path: Path) -> None:
    seen: list[Any] = []

    @node("Look")
    def look(value: int, context: Context) -> int:
        """The value."""
        seen.append((context.run.prompt, dict(context.run.pnginfo)))
        return value

    toy = Toy(tmp_path, random_number, look)
    workflow = Workflow(
        parse_api({"r": n("Random", seed=-1), "x": n("Look", value=["r", 0])}).nodes,
        ui={"nodes": []},
    )
    result = toy.engine.run(workflow, targets=("x",), pnginfo={"more": 1})

    assert seen == [(result.prompt, {"workflow": {"nodes": []}, "more": 1})]
    assert result.prompt["r"]["inputs"]["seed"] == result.outputs["x"][0]


def test_a_workflow_built_in_code_runs(toy: Toy) -> None:
    build = WorkflowBuilder()
    number = build.add("Number", value=20)
    total = build.add("Sum", values=[number, number[0], number])
    build.add("Show", value=total)
    result = toy.engine.run(build.workflow()).raise_for_status()

    assert [shown.texts for shown in result.artifacts.values()] == [("60",)]
    assert result.status == "done"
    assert result.seconds > 0


def test_targets_run_what_they_need_and_no_sink(toy: Toy) -> None:
    nodes = {
        "a": n("Counted", name="a", value=1),
        "b": n("Counted", name="b", value=2),
        "s": n("Show", value=["b", 0]),
    }
    result = toy.run(nodes, targets=("a",))

    assert (result.outputs, toy.calls.counts) == ({"a": (1,)}, {"a": 1})


def test_a_workflow_with_problems_raises_before_anything_runs(toy: Toy) -> None:
    with pytest.raises(ProblemsFound):
        toy.run({"a": n("Counted", name="a", value="x"), "s": n("Show", value=["a", 0])})

    assert (toy.calls.counts, toy.events) == ({}, [])


def test_an_engine_without_networks_says_so(toy: Toy) -> None:
    with pytest.raises(GraphEngineError) as raised:
        _ = toy.engine.models

    assert raised.value.code == "no_models"
    assert raised.value.text("ja") != raised.value.text("en")


def test_what_decided_the_keys_is_remembered_for_the_last_workflow_only(toy: Toy) -> None:
    toy.run({"a": n("Number", value=1), "g": n("CountDown", value=["a", 0])}, targets=("g",))
    assert set(toy.engine._traces) == {"a", "g"}
    toy.run({"b": n("Number", value=1)}, targets=("b",))

    assert set(toy.engine._traces) == {"b"}


def test_a_cancel_flag_counts_as_set_when_its_parent_is() -> None:
    parent = CancelFlag()
    child = CancelFlag(parent)
    assert not child.wait(0.001)
    parent.set()

    assert child.is_set()
    assert child.wait(1000)
    other = CancelFlag(CancelFlag())
    other.set()
    assert other.wait(1000)


class Unshowable:
    """Fails whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"),
        ("a", "'a'"),
        ([1, 2, 3, 4], "[1, 2, 3, … 4 items]"),
        ((1, "x"), "[1, 'x']"),
        (Unshowable(), "Unshowable"),
        ("x" * 10_000, "'" + "x" * 199 + "…"),
    ],
    ids=["float", "text", "list", "tuple", "unshowable", "long"],
)
def test_values_are_described_in_a_few_words(value: Any, shown: str) -> None:
    assert describe_value(value) == shown

"""What an axis may be written as."""

from __future__ import annotations

from typing import Any

import pytest

from graphengine.errors import GraphEngineError
from graphengine.plot.axes import Axis, parse_axis
from tests.plot.conftest import Plots, picture_workflow


def axis(toy: Plots, text: str) -> Axis:
    return parse_axis(text, picture_workflow(), toy.engine.registry, toy.folders)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Canvas.gray=1,2,30", (1, 2, 30)),
        ("1.gray=5..20:5", (5, 10, 15, 20)),
        ("1.gray=1..3,10", (1, 2, 3, 10)),
        ("1.gray=9..1:-4", (9, 5, 1)),
        ("2.factor=0..0.3:0.1", (0.0, 0.1, 0.2, 0.3)),
        ("2.how=*.a", ("warm.a", "cold.a")),
        ("2.how=none.b,w*", ("none.b", "warm.a")),
        ('1.text="a, b",c', ("a, b", "c")),
        ("1.text=1..3,5", ("1..3", "5")),
        ('1.text=["x","y"]', ("x", "y")),
    ],
)
def test_values_ranges_and_patterns_are_read(
    toy: Plots, text: str, values: tuple[Any, ...]
) -> None:
    assert axis(toy, text).values == values


def test_words_of_a_prompt_are_replaced(toy: Plots) -> None:
    workflow = picture_workflow().set("1.text", "a red, red cat")
    text = "Canvas.text~red,blue,very green"
    found = parse_axis(text, workflow, toy.engine.registry, toy.folders)
    texts = [found.put(workflow, i).nodes["1"].inputs["text"] for i in range(3)]

    assert found.labels == ("red", "blue", "very green")
    assert texts == ["a red, red cat", "a blue, blue cat", "a very green, very green cat"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("gray", "plot_axis_form"),
        ("gray=1", "set_form"),
        ("9.gray=1", "set_unknown_node"),
        ("1.grey=1", "plot_unknown_input"),
        ("2.image=1", "plot_unknown_input"),
        ("1.gray=1..5:0", "plot_range"),
        ("1.gray=1..5:-1", "plot_range"),
        ("1.gray=0..1000000", "plot_range_long"),
        ("2.how=*.c", "plot_no_match"),
        ("1.text~green,blue", "plot_search_absent"),
        ("1.gray=[]", "plot_axis_form"),
    ],
)
def test_what_does_not_fit_is_said(toy: Plots, text: str, code: str) -> None:
    with pytest.raises(GraphEngineError) as caught:
        axis(toy, text)
    assert caught.value.code == code

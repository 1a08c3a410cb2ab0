"""Seeds stay, count or are drawn anew after a run, as their control says."""

from __future__ import annotations

import random

import pytest

from graphengine.opening import open_data
from graphengine.parameters import SEED_MAX
from graphengine.seed_control import LARGEST_DRAWN, after_run, next_seed
from tests.comfy.drawing import LAYOUTS, drawn, file, slot, subgraph


@pytest.mark.parametrize(
    ("seed", "control", "then"),
    [
        (5, "fixed", 5),
        (5, "increment", 6),
        (5, "decrement", 4),
        (0, "decrement", 0),
        (SEED_MAX, "increment", SEED_MAX),
        (SEED_MAX, "increment-wrap", 0),
        (5, "increment-wrap", 6),
        (-1, "increment", -1),
        (5, "unheard of", 5),
    ],
)
def test_counting(seed: int, control: str, then: int) -> None:
    assert next_seed(seed, control, random.Random(1)) == then


def test_drawing_takes_the_whole_range_that_javascript_keeps() -> None:
    source = random.Random(1)
    seeds = [next_seed(5, "randomize", source) for _ in range(200)]

    assert len(set(seeds)) == 200
    assert all(0 <= seed <= LARGEST_DRAWN for seed in seeds)
    assert max(seeds) > LARGEST_DRAWN * 0.9
    assert {next_seed(5, "randomize", source, low=1, high=2) for _ in range(50)} == {1, 2}


def test_the_next_run_of_a_workflow() -> None:
    inner = drawn(7, "RandomNoise", outputs="NOISE", values=[10, "decrement"])
    nodes = [
        drawn(1, "KSampler", values=[3, "increment", 20, 8, "euler", "normal", 1]),
        drawn(2, "RandomNoise", values=[3, "fixed"]),
        drawn(3, "PrimitiveNode", outputs="INT", values=[9, "increment"]),
        drawn(4, "RandomNoise", [slot("noise_seed", "INT", 1, widget=True)], values=[0, "fixed"]),
        drawn(5, "noise"),
        drawn(6, "Plugin", values=["a", 7, "decrement", 1.5, "increment"]),
    ]
    opened = open_data(
        file(
            nodes,
            [[1, 3, 0, 4, 0, "INT"]],
            definitions={"subgraphs": [subgraph("noise", [inner], [])]},
        ),
        LAYOUTS,
    )

    again = opened.after_run(random.Random(1))

    found = {key: node.inputs for key, node in again.workflow.nodes.items()}
    assert found["1"]["seed"] == 4
    assert found["2"]["noise_seed"] == 3
    assert found["4"]["noise_seed"] == 10
    assert found["5:7"]["noise_seed"] == 9
    assert again.ui()["nodes"][5]["widgets_values"] == ["a", 6, "decrement", 1.5, "increment"]
    assert again.ui()["nodes"][0]["widgets_values"][:2] == [4, "increment"]
    assert after_run(opened.canvas, random.Random(1)) == again.canvas


def test_a_workflow_without_controls_stays() -> None:
    opened = open_data({"1": {"class_type": "RandomNoise", "inputs": {"noise_seed": 3}}}, LAYOUTS)

    assert opened.after_run(random.Random(1)) is opened

"""Saved widget values find their names, whatever version of the editor saved them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.canvas import Slot
from graphengine.comfy.layouts import InputLayout, Layouts, NodeLayout
from graphengine.comfy.widget_values import NamedValues, name_values
from graphengine.registry import Registry
from tests import toy_nodes
from tests.comfy.drawing import LAYOUTS

SAMPLER = {
    "seed": 5,
    "steps": 20,
    "cfg": 8.0,
    "sampler_name": "euler",
    "scheduler": "normal",
    "denoise": 1.0,
}


def named(kind: str, saved: Any, by_name: Any = None) -> NamedValues:
    return name_values(LAYOUTS.get(kind), (), saved, by_name)


@pytest.mark.parametrize("control", ["fixed", "increment", "decrement", "randomize", True, None])
def test_a_control_value_may_follow_the_seed(control: Any) -> None:
    saved = [5, *([] if control is None else [control]), 20, 8.0, "euler", "normal", 1.0]

    found = named("KSampler", saved)

    assert found.values == SAMPLER
    word = {True: "randomize"}.get(control, control)
    assert found.controls == ({} if control is None else {"seed": word})


def test_a_switch_before_a_seed_is_no_control() -> None:
    found = named("SamplerCustom", [True, 9, "fixed", 1.5])

    assert found.values == {"add_noise": True, "noise_seed": 9, "cfg": 1.5}


def test_the_value_of_an_upload_button_is_none_of_the_node() -> None:
    assert named("LoadImageMask", ["a.png", "red", "image"]).values["channel"] == "red"
    assert named("LoadImageMask", ["a.png", "image", "red"]).values["channel"] == "red"
    assert named("LoadImage", ["a.png", "image"]) == NamedValues({"image": "a.png"})


def test_an_object_is_taken_by_name_and_an_old_one_by_number() -> None:
    assert named("EmptyImage", {"width": 8, "videopreview": 1}).values == {"width": 8}
    assert named("CLIPSetLastLayer", {"0": -2}).values == {"stop_at_clip_layer": -2}


def test_named_values_win_over_the_list() -> None:
    found = named("KSampler", [1, "fixed", 2], {"steps": 30, "control_after_generate": "fixed"})

    assert found.values == {"seed": 1, "steps": 30}
    assert found.controls == {"seed": "fixed"}


def test_values_of_sockets_in_very_old_files_are_left_out() -> None:
    layout = NodeLayout(
        (
            InputLayout("a", "INT", widget=True),
            InputLayout("text", "STRING", forced=True),
            InputLayout("b", "INT", widget=True),
        )
    )

    assert name_values(layout, (), [1, "old", 2], None).values == {"a": 1, "b": 2}
    assert name_values(layout, (), [1, 2], None).values == {"a": 1, "b": 2}


def test_a_node_that_nobody_knows_has_the_names_of_its_slots_if_they_are_enough() -> None:
    slots = (
        Slot("image", "IMAGE"),
        Slot("seed", "INT", widget="seed"),
        Slot("mode", "COMBO", widget="mode"),
    )

    assert name_values(None, slots, [4, "randomize", "fast"], None) == NamedValues(
        {"seed": 4, "mode": "fast"}, {"seed": "randomize"}
    )
    assert name_values(None, slots, [4, "randomize", "fast", 9], None).unnamed == (
        4,
        "randomize",
        "fast",
        9,
    )


def test_a_value_of_another_kind_is_told() -> None:
    assert named("CLIPSetLastLayer", ["deep"]).misfits == ("stop_at_clip_layer",)


def test_the_registry_adds_its_own_nodes() -> None:
    registry = Registry()
    registry.add_functions(toy_nodes.add)

    assert name_values(Layouts(registry).get("Add"), (), [1, 2], None).values == {"a": 1, "b": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["KSampler", "LoadImage", "SamplerCustom", "Unknown"]), JSON, JSON)
def test_no_saved_value_breaks_the_reading(kind: str, saved: Any, by_name: Any) -> None:
    slots = (Slot("seed", "INT", widget="seed"),)

    found = name_values(LAYOUTS.get(kind), slots, saved, by_name)

    assert set(found.controls) <= set(found.values) | {"seed", "noise_seed"}

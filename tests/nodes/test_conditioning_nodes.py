from collections.abc import Callable
from typing import Any

import pytest
import torch

from graphengine.errors import GraphEngineError, InputError
from graphengine.registry import Registry
from graphengine.sockets import Area, Condition, Conditioning, Mask

Call = Callable[..., Any]


class Told:
    """A context of which only ``warn`` is asked."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def warn(self, warning: GraphEngineError) -> None:
        self.codes.append(warning.code)


def filled(*values: float, rows: int = 2, pooled: float | None = None) -> Conditioning:
    """One condition for each value: [1, rows, 3], every number of it the value."""
    state = None if pooled is None else torch.full((1, 4), pooled)
    return Conditioning(tuple(Condition(torch.full((1, rows, 3), v), state) for v in values))


def rows(conditioning: Conditioning) -> list[list[float]]:
    """Each condition's rows by their first number."""
    return [condition.embedding[0, :, 0].tolist() for condition in conditioning.conditions]


INPUTS = {
    "CLIPTextEncode": ["text", "clip"],
    "CLIPSetLastLayer": ["clip", "stop_at_clip_layer"],
    "EmbeddingLoader": ["clip", "embedding_name", "trigger_word"],
    "CLIPTextEncodeSDXL": [
        "clip", "width", "height", "crop_w", "crop_h", "target_width", "target_height",
        "text_g", "text_l",
    ],
    "CLIPTextEncodeSDXLRefiner": ["ascore", "width", "height", "text", "clip"],
    "ConditioningCombine": ["conditioning_1", "conditioning_2"],
    "ConditioningConcat": ["conditioning_to", "conditioning_from"],
    "ConditioningAverage": ["conditioning_to", "conditioning_from", "conditioning_to_strength"],
    "ConditioningSetArea": ["conditioning", "width", "height", "x", "y", "strength"],
    "ConditioningSetAreaPercentage": ["conditioning", "width", "height", "x", "y", "strength"],
    "ConditioningSetAreaStrength": ["conditioning", "strength"],
    "ConditioningSetMask": ["conditioning", "mask", "strength", "set_cond_area"],
    "ConditioningSetTimestepRange": ["conditioning", "start", "end"],
    "ConditioningZeroOut": ["conditioning"],
}  # fmt: skip


@pytest.mark.parametrize("node_id", INPUTS)
def test_inputs_stand_in_the_fields_order_and_are_explained_twice(
    builtins: Registry, node_id: str
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [entry.name for entry in spec.inputs] == INPUTS[node_id]
    assert all(entry.help for entry in spec.inputs)
    assert set(spec.texts["ja"].inputs) == set(INPUTS[node_id])
    assert spec.texts["ja"].title
    assert spec.texts["ja"].description


def test_combining_keeps_all_conditions(call: Call) -> None:
    found = call("ConditioningCombine", conditioning_1=filled(1, 2), conditioning_2=filled(3))
    assert rows(found) == [[1, 1], [2, 2], [3, 3]]


def test_concatenating_puts_rows_behind_every_condition(call: Call) -> None:
    told = Told()
    found = call(
        "ConditioningConcat",
        conditioning_to=filled(1, 2),
        conditioning_from=filled(3, 4, rows=1),
        context=told,
    )
    assert rows(found) == [[1, 1, 3], [2, 2, 3]]
    assert told.codes == ["conditioning_first_only"]


@pytest.mark.parametrize(
    ("far_rows", "expected"), [(2, [1.5, 1.5]), (1, [1.5, 0.75]), (3, [1.5, 1.5])]
)
def test_averaging_blends_row_by_row(call: Call, far_rows: int, expected: list[float]) -> None:
    found = call(
        "ConditioningAverage",
        conditioning_to=filled(1.0, pooled=10.0),
        conditioning_from=filled(3.0, rows=far_rows, pooled=20.0),
        conditioning_to_strength=0.75,
        context=Told(),
    )
    assert rows(found) == [expected]
    assert found.conditions[0].pooled.tolist() == [[12.5] * 4]


@pytest.mark.parametrize(
    ("near", "far", "expected"), [(None, 2.0, 2.0), (1.0, None, 1.0), (None, None, None)]
)
def test_a_pooled_state_that_only_one_has_is_taken(
    call: Call, near: float | None, far: float | None, expected: float | None
) -> None:
    found = call(
        "ConditioningAverage",
        conditioning_to=filled(1.0, pooled=near),
        conditioning_from=filled(1.0, pooled=far),
        conditioning_to_strength=0.5,
        context=Told(),
    )
    pooled = found.conditions[0].pooled
    assert (None if pooled is None else pooled[0, 0].item()) == expected


@pytest.mark.parametrize("node_id", ["ConditioningConcat", "ConditioningAverage"])
@pytest.mark.parametrize(
    ("other", "code"),
    [
        (Conditioning((Condition(torch.zeros(1, 2, 5)),)), "conditioning_widths_differ"),
        (Conditioning(()), "conditioning_is_empty"),
    ],
)
def test_conditionings_that_do_not_fit_are_refused(
    call: Call, node_id: str, other: Conditioning, code: str
) -> None:
    strength = {} if node_id == "ConditioningConcat" else {"conditioning_to_strength": 0.5}
    with pytest.raises(InputError) as caught:
        call(
            node_id, conditioning_to=filled(1), conditioning_from=other, context=Told(), **strength
        )
    assert caught.value.code == code
    assert caught.value.text("ja") != caught.value.text("en")


def test_an_area_is_given_in_latent_pixels(call: Call) -> None:
    found = call(
        "ConditioningSetArea",
        conditioning=filled(1, 2),
        width=512, height=256, x=64, y=8, strength=0.5,
    )  # fmt: skip
    for condition in found.conditions:
        assert vars(condition.area) == vars(Area(height=32, width=64, y=1, x=8))
        assert condition.strength == 0.5


def test_an_area_is_given_in_parts(call: Call) -> None:
    found = call(
        "ConditioningSetAreaPercentage",
        conditioning=filled(1),
        width=0.5, height=0.25, x=0.1, y=0.2, strength=2.0,
    )  # fmt: skip
    (condition,) = found.conditions
    assert vars(condition.area) == vars(Area(height=0.25, width=0.5, y=0.2, x=0.1, fraction=True))
    assert condition.strength == 2.0


def test_strength_alone_leaves_the_area(call: Call) -> None:
    placed = call("ConditioningSetArea", conditioning=filled(1), width=64, height=64)
    (condition,) = call("ConditioningSetAreaStrength", conditioning=placed, strength=3.0).conditions
    assert condition.strength == 3.0
    assert condition.area is placed.conditions[0].area


@pytest.mark.parametrize(("choice", "sets_area"), [("default", False), ("mask bounds", True)])
def test_a_mask_acts_with_its_strength(call: Call, choice: str, sets_area: bool) -> None:
    mask = Mask(torch.ones(1, 8, 8))
    found = call(
        "ConditioningSetMask",
        conditioning=filled(1, 2),
        mask=mask,
        strength=0.7,
        set_cond_area=choice,
    )
    for condition in found.conditions:
        assert condition.mask is mask.values
        assert condition.mask_strength == 0.7
        assert condition.mask_sets_area is sets_area


def test_a_range_of_time_is_set(call: Call) -> None:
    found = call("ConditioningSetTimestepRange", conditioning=filled(1), start=0.2, end=0.6)
    assert (found.conditions[0].start, found.conditions[0].end) == (0.2, 0.6)


def test_zeroing_out_leaves_nothing_and_the_given_one_alone(call: Call) -> None:
    given = filled(1.0, pooled=2.0)
    (found,) = call("ConditioningZeroOut", conditioning=given).conditions
    assert not found.embedding.any()
    assert found.embedding.shape == (1, 2, 3)
    assert not found.pooled.any()
    assert rows(given) == [[1, 1]]
    assert call("ConditioningZeroOut", conditioning=filled(1)).conditions[0].pooled is None

"""Where, when and how strongly conditions apply."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphengine.diffusion.conditions import (
    Box,
    Place,
    Residuals,
    area_box,
    bounding_box,
    fade,
    prepare,
    resize_mask,
)
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.errors import InputError
from graphengine.sockets import (
    Area,
    Condition,
    Conditioning,
    ControlApplication,
    ControlNet,
    Family,
    FileRef,
    Model,
    Sampling,
    Weights,
)

WEIGHTS = Weights(FileRef("m", 1, 1), "unet")
LEVELS = model_sampling(Sampling())


def place(height: int = 32, width: int = 32) -> Place:
    return Place(
        model=Model(WEIGHTS, Family("sd1")),
        levels=LEVELS,
        shape=(1, 4, height, width),
        device=torch.device("cpu"),
        dtype=torch.float32,
        vector_width=0,
        context_width=3,
        concat_of=lambda _: None,
        open_control=lambda application: application,
    )


def words(value: float = 1.0, **fields: object) -> Condition:
    return Condition(torch.full((1, 2, 3), value), **fields)


def ready(*conditions: Condition, others: tuple[Condition, ...] = (words(),)):
    return prepare([Conditioning(conditions), Conditioning(others)], place())


def test_a_plain_condition_counts_everywhere_and_always():
    (condition,), _ = ready(words(strength=0.5))
    assert condition.box is None
    assert condition.weight == 0.5
    assert condition.active(1000.0)
    assert condition.active(0.0)


def test_the_range_of_a_condition_is_in_sigma():
    (condition,), _ = ready(words(start=0.25, end=0.5))
    assert not condition.active(LEVELS.percent_to_sigma(0.24))
    assert condition.active(LEVELS.percent_to_sigma(0.25))
    assert condition.active(LEVELS.percent_to_sigma(0.5))
    assert not condition.active(LEVELS.percent_to_sigma(0.51))


def test_areas_are_latent_pixels_or_fractions():
    assert area_box(Area(8, 16, 4, 2), 32, 64) == Box(8, 16, 4, 2)
    assert area_box(Area(0.5, 0.25, 0.25, 0.5, fraction=True), 32, 64) == Box(16, 16, 8, 32)


@given(height=st.floats(0, 100), width=st.floats(0, 100), y=st.floats(0, 100), x=st.floats(0, 100))
def test_an_area_never_leaves_the_latent(height, width, y, x):
    box = area_box(Area(height, width, y, x), 24, 40)
    assert 0 <= box.y <= box.y + box.height <= 24
    assert 0 <= box.x <= box.x + box.width <= 40


def test_an_area_fades_over_eight_pixels_at_edges_inside_the_picture():
    weights = fade(Box(32, 32, 0, 16), 64, 64)[0, 0]
    assert weights[0, 16] == 1.0  # the upper edge is the picture's
    assert weights[0, :9].tolist() == pytest.approx([i / 8 for i in range(1, 9)] + [1.0])
    assert weights[31, 16] == pytest.approx(1 / 8)
    assert weights[31, 31] == pytest.approx(1 / 64)


def test_a_small_area_fades_over_a_quarter_of_its_side():
    weights = fade(Box(8, 64, 4, 0), 64, 64)[0, 0, :, 0]
    assert weights.tolist() == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.5])


def test_a_mask_is_resized_and_weighed_without_fading():
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1.0
    (condition,), _ = ready(words(mask=mask, mask_strength=0.5, strength=0.5))
    assert condition.weight.shape == (1, 1, 32, 32)
    assert condition.weight[0, 0, 0, 0] == 0.0
    assert condition.weight[0, 0, 0, 31] == 0.25


def test_mask_bounds_cut_the_box_around_the_mask():
    mask = torch.zeros(1, 32, 32)
    mask[:, 4:20, 10:12] = 1.0
    (condition,), _ = ready(words(mask=mask, mask_sets_area=True))
    assert condition.box == Box(16, 8, 4, 10)
    assert condition.weight.shape == (1, 1, 16, 8)


def test_an_empty_mask_still_has_a_box():
    assert bounding_box(torch.zeros(1, 1, 16, 16), 16, 16) == Box(8, 8, 0, 0)


def test_masks_of_any_rank_reach_the_latents_size():
    assert resize_mask(torch.ones(2, 64, 64), 8, 8).shape == (2, 1, 8, 8)
    assert resize_mask(torch.ones(2, 1, 8, 8), 8, 8).shape == (2, 1, 8, 8)


def test_the_other_side_speaks_about_an_area_too():
    positive, negative = ready(words(1, area=Area(8, 8, 4, 4)), others=(words(2),))
    assert len(positive) == 1
    assert [condition.box for condition in negative] == [None, Box(8, 8, 4, 4)]
    assert negative[1].context[0, 0, 0] == 2
    again = ready(words(1, area=Area(8, 8, 4, 4)), others=(words(2, area=Area(8, 8, 4, 4)),))
    assert [len(group) for group in again] == [1, 1]


def test_every_side_of_three_speaks_about_every_area():
    sides = ((words(1),), (words(2),), (words(3), words(4, area=Area(8, 8, 4, 4))))
    groups = prepare([Conditioning(side) for side in sides], place())
    assert [[condition.context[0, 0, 0] for condition in group] for group in groups] == [
        [1, 1],
        [2, 2],
        [3, 4],
    ]


def control(**fields: object) -> ControlApplication:
    return ControlApplication(ControlNet(WEIGHTS), torch.zeros(1, 8, 8, 3), **fields)


def test_controls_act_on_the_negative_side_unless_told_otherwise():
    hint = control(start=0.1, end=0.5)
    _, (negative,) = ready(words(control=(hint,)))
    assert [timed.control for timed in negative.controls] == [hint]
    assert negative.controls[0].sigma_start == LEVELS.percent_to_sigma(0.1)
    _, (alone,) = ready(words(control=(hint,), control_on_negative=False))
    assert alone.controls == ()
    own = control()
    _, (kept,) = ready(words(control=(hint,)), others=(words(control=(own,)),))
    assert [timed.control for timed in kept.controls] == [own]


def test_residuals_of_control_networks_add_up():
    one = Residuals((torch.ones(1), torch.ones(1)), None)
    other = Residuals((torch.ones(1), torch.ones(1)), torch.ones(1))
    both = one + other
    assert [float(tensor) for tensor in both.down] == [2.0, 2.0]
    assert both.middle == 1.0
    assert (both + Residuals(None, None)).down == both.down


def test_an_empty_conditioning_is_refused():
    with pytest.raises(InputError) as caught:
        prepare([Conditioning(())], place())
    assert caught.value.code == "no_conditioning"

"""Tensors at another size."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphengine.diffusion.resize import Crop, Method, resize, slerp, wanted_size
from graphengine.errors import InputError

SIDES = st.integers(1, 20)
METHODS: list[Method] = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos", "bislerp"]
CROPS: list[Crop] = ["disabled", "center"]


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(METHODS), st.sampled_from(CROPS))
def test_every_mode_gives_every_size_and_keeps_an_even_colour(
    width: int, height: int, new_width: int, new_height: int, method: Method, crop: Crop
) -> None:
    x = torch.full((2, 3, height, width), 0.2)
    resized = resize(x, new_width, new_height, method=method, crop=crop)
    assert resized.shape == (2, 3, new_height, new_width)
    assert torch.allclose(resized, torch.tensor(0.2), atol=1e-5)


def test_what_has_the_size_stays_as_it_is() -> None:
    x = torch.rand(1, 4, 5, 7)
    for method in METHODS:
        assert torch.equal(resize(x, 7, 5, method=method, crop="center"), x)


def test_bislerp_takes_vectors_where_bilinear_takes_values() -> None:
    x = torch.rand(1, 1, 6, 5) + 0.5  # vectors of one positive number all point the same way
    bilinear = resize(x, 13, 9, method="bilinear")
    assert torch.allclose(resize(x, 13, 9, method="bislerp"), bilinear, atol=1e-6)
    assert torch.allclose(
        resize(x, 2, 3, method="bislerp"), resize(x, 2, 3, method="bilinear"), atol=1e-6
    )


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 3.1), st.floats(0, 1))
def test_slerp_turns_by_its_share_of_the_angle(angle: float, share: float) -> None:
    first = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    second = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
    between = slerp(first, second, torch.tensor([[share]], dtype=torch.float64))
    expected = [math.cos(angle * share), math.sin(angle * share)]
    assert between[0].tolist() == pytest.approx(expected, abs=1e-9)


def test_a_wanted_size_has_a_least_side() -> None:
    assert wanted_size(1000, 10, 5, 0) == (5, 1)
    assert wanted_size(1000, 10, 0, 8, least=64) == (6400, 64)
    assert wanted_size(40, 30, 0, 0, least=64) == (40, 30)


def test_a_latent_with_frames_is_explained() -> None:
    with pytest.raises(InputError, match=r"\[1, 4, 2, 8, 8\]"):
        resize(torch.zeros(1, 4, 2, 8, 8), 4, 4)

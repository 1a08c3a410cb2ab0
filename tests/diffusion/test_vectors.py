"""The vector conditions of SDXL, its refiner and unCLIP."""

from __future__ import annotations

import math

import pytest
import torch

from graphengine.diffusion.vectors import size_embedding, vector_of
from graphengine.sockets import Condition, Family

POOLED = torch.full((1, 8), 0.5)
WORDS = Condition(torch.zeros(1, 2, 3), pooled=POOLED)


def vector(family: Family, condition: Condition = WORDS, *, negative: bool = False):
    return vector_of(condition, family, width=64, height=32, negative=negative, total=8 + 6 * 256)


def test_families_without_a_vector_have_none():
    assert vector(Family("sd1")) is None


def test_an_embedded_size_begins_with_cosines():
    embedded = size_embedding([100.0])[0]
    assert embedded.shape == (256,)
    assert embedded[0] == pytest.approx(math.cos(100.0), abs=1e-4)
    assert embedded[128] == pytest.approx(math.sin(100.0), abs=1e-4)
    assert embedded[64] == pytest.approx(math.cos(1.0), abs=1e-5)  # 10000^(-1/2) · 100


def test_sdxl_has_pooled_words_and_six_sizes_of_the_latent():
    y = vector(Family("sdxl", vector="sdxl"))
    assert y.shape == (1, 8 + 6 * 256)
    torch.testing.assert_close(y[:, :8], POOLED)
    torch.testing.assert_close(y[:, 8:], size_embedding([32, 64, 0, 0, 32, 64]))


def test_sdxl_takes_the_sizes_that_the_condition_names():
    size = {"width": 10, "height": 11, "crop_w": 1, "crop_h": 2, "target_width": 3}
    condition = Condition(torch.zeros(1, 2, 3), pooled=POOLED, size=size)
    y = vector(Family("sdxl", vector="sdxl"), condition)
    torch.testing.assert_close(y[:, 8:], size_embedding([11, 10, 2, 1, 11, 3]))


def test_the_refiner_knows_good_and_bad_pictures():
    family = Family("refiner", vector="refiner")
    good, bad = vector(family), vector(family, negative=True)
    torch.testing.assert_close(good[:, 8:], size_embedding([32, 64, 0, 0, 6.0]))
    torch.testing.assert_close(bad[:, 8:], size_embedding([32, 64, 0, 0, 2.5]))


def test_words_without_a_pooled_state_count_as_zero():
    y = vector(Family("sdxl", vector="sdxl"), Condition(torch.zeros(1, 2, 3)))
    assert y.shape == (1, 8 + 6 * 256)
    assert not y[:, :8].any()

"""Initial noise, sampler noise and the Brownian tree against reference numbers."""

from __future__ import annotations

import json

import pytest
import torch

from graphengine.diffusion.brownian import BrownianTree
from graphengine.diffusion.noise import SamplerNoise, initial_noise
from tests.diffusion.reference import sampling_reference

REFERENCE = sampling_reference()


BATCH_INDEX_CASE = "42|[2,4,8,8]|batch_index[1,3]"


@pytest.mark.parametrize("case", sorted(REFERENCE["noise"].keys() - {BATCH_INDEX_CASE}))
def test_initial_noise_equals_the_reference(case):
    seed, shape = case.split("|")
    noise = initial_noise(torch.zeros(json.loads(shape)), int(seed))
    expected = REFERENCE["noise"][case]
    torch.testing.assert_close(noise.flatten()[:8], torch.tensor(expected["first8"]))
    torch.testing.assert_close(
        noise[-1].flatten()[:4], torch.tensor(expected["second_item_first4"])
    )
    assert float(noise.sum()) == pytest.approx(expected["sum"], abs=1e-3)


def test_noise_by_batch_index_equals_the_reference():
    noise = initial_noise(torch.zeros(2, 4, 8, 8), 42, (1, 3))
    expected = REFERENCE["noise"][BATCH_INDEX_CASE]
    torch.testing.assert_close(noise[0].flatten()[:4], torch.tensor(expected["first4"]))
    torch.testing.assert_close(noise[1].flatten()[:4], torch.tensor(expected["item1_first4"]))


def test_equal_batch_indices_share_their_noise():
    noise = initial_noise(torch.zeros(3, 4, 2, 2), 5, (2, 0, 2))
    torch.testing.assert_close(noise[0], noise[2], rtol=0, atol=0)
    torch.testing.assert_close(noise[1:2], initial_noise(torch.zeros(1, 4, 2, 2), 5))


def test_the_first_ancestral_noise_is_the_initial_noise():
    x = torch.zeros(1, 4, 8, 8)
    draw = SamplerNoise(9).independent(x)
    first, second = draw(x.new_tensor(2.0), x.new_tensor(1.0)), draw(x, x)
    torch.testing.assert_close(first, initial_noise(x, 9), rtol=0, atol=0)
    assert not torch.equal(first, second)


def test_initial_noise_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    initial_noise(torch.zeros(1, 4, 2, 2), 1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("seed", sorted(REFERENCE["brownian"]))
def test_the_brownian_tree_equals_torchsde_bit_for_bit(seed):
    tree = BrownianTree(0.03, 14.6, torch.zeros(1, 1, 2, 2), int(seed))
    for start, end, expected in REFERENCE["brownian"][seed]:
        assert tree.increment(start, end).flatten().tolist() == expected


def test_brownian_increments_add_up_and_depend_on_no_order():
    like = torch.zeros(1, 4, 4, 4)
    forwards, backwards = BrownianTree(0.0, 8.0, like, 1), BrownianTree(0.0, 8.0, like, 1)
    spans = [(0.0, 1.5), (1.5, 4.125), (4.125, 8.0)]
    parts = [forwards.increment(*span) for span in spans]
    again = [backwards.increment(*span) for span in reversed(spans)][::-1]
    for part, other in zip(parts, again, strict=True):
        torch.testing.assert_close(part, other, rtol=0, atol=0)
    torch.testing.assert_close(sum(parts), forwards.increment(0.0, 8.0))


def test_brownian_increments_have_the_variance_of_their_length():
    tree = BrownianTree(0.0, 10.0, torch.zeros(1, 4, 64, 64), 2)
    assert float(tree.increment(2.0, 5.0).var()) == pytest.approx(3.0, rel=0.05)
    assert not tree.increment(4.0, 4.0).any()


def test_brownian_noise_changes_sign_with_direction():
    x = torch.zeros(1, 4, 4, 4)
    noise = SamplerNoise(4).brownian(x, torch.tensor([4.0, 2.0, 1.0, 0.0]))
    down = noise(torch.tensor(4.0), torch.tensor(2.0))
    up = noise(torch.tensor(2.0), torch.tensor(4.0))
    torch.testing.assert_close(down, -up, rtol=0, atol=0)

"""HyperTile and token merging: what attention sees, and that all is undone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.hypertile import HyperTile, add_hypertile
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.self_attention import Grid
from graphengine.diffusion.token_merging import TokenMerging, add_token_merging, match, targets
from graphengine.sockets import Latent, Model

RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_tiles_attend_to_themselves_alone():
    x = torch.arange(2 * 8 * 12.0).reshape(2, 96, 1)
    seen = []

    def attend(tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return tokens.mean(dim=1, keepdim=True).expand_as(tokens)

    found = HyperTile(32, 1, 0, scale_depth=False).attend_within(
        seeded(), x, attend, Grid(8, 12, 0)
    )
    assert seen[0].shape == (2 * 2 * 3, 16, 1)
    assert seen[0][1, :5, 0].tolist() == [4, 5, 6, 7, 16]
    picture = x.reshape(2, 8, 12)
    means = torch.nn.functional.avg_pool2d(picture, 4)
    expected = means.repeat_interleave(4, 1).repeat_interleave(4, 2)
    torch.testing.assert_close(found.reshape(2, 8, 12), expected)


@pytest.mark.parametrize(
    ("option", "grid", "sizes"),
    [
        (HyperTile(32, 3, 0, scale_depth=False), Grid(24, 24, 0), {4, 6, 8}),
        (HyperTile(32, 2, 1, scale_depth=True), Grid(24, 24, 1), {8, 12}),
        (HyperTile(1, 1, 0, scale_depth=False), Grid(7, 7, 0), {7}),
    ],
)
def test_tile_sizes_are_drawn_among_the_smallest_that_fit(option, grid, sizes):
    x, generator, tokens = torch.zeros(1, grid.height * grid.width, 1), seeded(), set()
    for _ in range(60):
        option.attend_within(generator, x, lambda t: tokens.add(t.shape[1]) or t, grid)
    assert tokens == {height * width for height in sizes for width in sizes}


def test_one_of_each_square_is_a_target():
    found = targets(Grid(5, 8, 0), seeded()).reshape(5, 8)
    squares = found[:4].reshape(2, 2, 4, 2).sum(dim=(1, 3))
    assert squares.tolist() == [[1] * 4] * 2
    assert not found[4].any()


def test_the_most_similar_tokens_become_the_mean_of_their_target():
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 0.1], [0.5, 0.5]]])
    matching = match(x, torch.tensor([True, True, False, False]), 1)
    assert (matching.merged.tolist(), matching.into.tolist()) == ([[2]], [[0]])
    merged = matching.merge(x)
    torch.testing.assert_close(merged, torch.tensor([[[0.5, 0.5], [1.5, 0.05], [0.0, 1.0]]]))
    back = torch.tensor([[[1.5, 0.05], [0.0, 1.0], [1.5, 0.05], [0.5, 0.5]]])
    torch.testing.assert_close(matching.unmerge(merged), back)


def test_merging_equal_tokens_loses_nothing():
    x = noise(1, 2, 4, 8).repeat_interleave(4, dim=1)  # rows of a 4 × 4 grid
    seen = []
    found = TokenMerging(0.5).attend_merged(
        seeded(), x, lambda tokens: seen.append(tokens.shape[1]) or 2 * tokens, Grid(4, 4, 0)
    )
    assert seen == [8]
    torch.testing.assert_close(found, 2 * x)


def test_both_change_a_sampling_and_leave_the_network_as_it_was(tiny_store, tiny_model, words):
    model, latent = tiny_model("sd1"), Latent(torch.zeros(1, 4, 8, 8))

    def run(each: Model) -> Tensor:
        return sample(tiny_store, each, latent, words(1), words(2), **RUN).samples

    plain = run(model)
    small = add_hypertile(model, tile_size=32, swap_size=1, max_depth=0, scale_depth=False)
    large = add_hypertile(model, tile_size=64, swap_size=2, max_depth=2, scale_depth=False)
    merging = add_token_merging(model, 0.5)
    changed = run(small), run(merging), run(add_token_merging(small, 0.5))
    assert all((each - plain).abs().max() > 1e-4 for each in changed)
    assert torch.equal(run(merging), changed[1])
    for same in (large, add_token_merging(model, 0.0), model):
        torch.testing.assert_close(run(same), plain)

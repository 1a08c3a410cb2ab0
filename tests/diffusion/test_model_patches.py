"""FreeU, perturbed attention and differential masks against their formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from graphengine.diffusion.differential import DifferentialMask, add_differential_mask
from graphengine.diffusion.freeu import FreeU, Stage, add_freeu, scale_low_frequencies
from graphengine.diffusion.guidance import Look
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.networks import build_unet
from graphengine.diffusion.perturbed_attention import PerturbedAttention, add_perturbed_attention
from graphengine.diffusion.sampling import sample
from graphengine.sockets import Latent, Model, Sampling
from tests.diffusion import tiny_models as tiny

RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))
LEVELS = model_sampling(Sampling())


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hooks_of(unet: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules())


@pytest.mark.parametrize("sides", [(8, 8), (5, 7), (1, 2)])
def test_the_filter_scales_the_frequencies_around_zero(sides):
    height, width = sides
    x = noise(1, 2, 3, *sides)
    y, z = torch.arange(height)[:, None], torch.arange(width)
    low = torch.zeros(2, 3, height, width, dtype=torch.complex64)
    # One point has no frequency but 0.
    for f in {-1 % height, 0}:
        for g in {-1 % width, 0}:
            wave = torch.exp(2j * torch.pi * (f * y / height + g * z / width))
            part = (x * wave.conj()).sum(dim=(-2, -1), keepdim=True) / (height * width)
            low = low + part * wave
    torch.testing.assert_close(
        scale_low_frequencies(x, 0.3), x - 0.7 * low.real, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(scale_low_frequencies(x, 1.0), x)


def test_an_even_skip_is_scaled_and_half_of_the_backbone_too():
    backbone, skip = noise(1, 1, 4, 2, 2), torch.full((1, 3, 2, 2), 2.0)
    x = torch.cat([backbone, skip], dim=1)
    found, time = Stage(4, 1.5, 0.5, by_mean=False)(nn.Identity(), (x, "time"))
    torch.testing.assert_close(found[:, :2], 1.5 * backbone[:, :2])
    assert torch.equal(found[:, 2:4], backbone[:, 2:])
    torch.testing.assert_close(found[:, 4:], 0.5 * skip)
    assert time == "time"
    assert torch.equal(x[:, :4], backbone)


def test_the_second_version_strengthens_what_stands_out():
    backbone = torch.tensor([0.0, 1.0, 3.0, 4.0]).reshape(1, 1, 2, 2).repeat(1, 2, 1, 1)
    x = torch.cat([backbone, torch.ones(1, 1, 2, 2)], dim=1)
    (found,) = Stage(2, 2.0, 1.0, by_mean=True)(nn.Identity(), (x,))
    assert found[0, 0].flatten().tolist() == pytest.approx([0.0, 1.25, 3 * 1.75, 8.0])
    assert torch.equal(found[:, 1], backbone[:, 1])
    even = torch.ones(1, 3, 2, 2)
    torch.testing.assert_close(Stage(2, 2.0, 1.0, by_mean=True)(nn.Identity(), (even,))[0], even)


def test_stages_are_those_of_four_and_two_times_the_base_width():
    layout = replace(tiny.REFINER_UNET, channels=(64, 128, 256, 256), vector_width=128 + 5 * 256)
    found = [
        stage for _, stage in FreeU(1.1, 1.2, 0.9, 0.2, by_mean=False).stages(build_unet(layout))
    ]
    deep, next_ = Stage(256, 1.1, 0.9, by_mean=False), Stage(128, 1.2, 0.2, by_mean=False)
    # Two blocks a level; a level's first block still hears the width of the level below.
    assert found == [deep, deep, deep, deep, deep, next_, next_]


@pytest.mark.parametrize("by_mean", [False, True])
def test_freeu_changes_the_picture_unless_all_factors_are_one(
    tiny_store, tiny_model, words, by_mean
):
    model = tiny_model("sd1")

    def run(each: Model) -> Tensor:
        return sample(tiny_store, each, EMPTY, words(1), words(2), **RUN).samples

    plain = run(model)
    ones = run(add_freeu(model, b1=1, b2=1, s1=1, s2=1, by_mean=by_mean))
    torch.testing.assert_close(ones, plain, rtol=1e-3, atol=1e-3)
    changed = run(add_freeu(model, b1=1.1, b2=1.4, s1=0.9, s2=0.2, by_mean=by_mean))
    assert (changed - plain).abs().max() > 0.05
    assert hooks_of(tiny_store.unet(model)) == 0


@torch.no_grad()
def test_perturbed_attention_lets_each_token_answer_with_its_value(tiny_store, tiny_model):
    unet = tiny_store.unet(tiny_model("sd1"))
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    x, plain = noise(3, 1, 5, 64), noise(4, 1, 4, 8, 8)
    before, seen = attention(x), []

    def predict(_x: Tensor, _sigma: Tensor) -> tuple[Tensor, None]:
        seen.append(attention(x))
        return plain - 1, None

    look = Look(plain, torch.tensor(1.0), LEVELS, plain, None, 1.0, predict)
    option = PerturbedAttention(0.5)
    with option.attach(unet, LEVELS, (1, 4, 8, 8)):
        assert torch.equal(attention(x), before)
        guided = option.after_guidance(look, plain)
    out = attention.to_out[0]
    expected = linear(linear(x, attention.to_v.weight), out.weight, out.bias)
    torch.testing.assert_close(seen[0], expected)
    torch.testing.assert_close(guided, plain + 0.5)
    assert torch.equal(attention(x), before)
    assert hooks_of(unet) == 0


def test_perturbed_attention_guides_a_sampling(tiny_store, tiny_model, words):
    model = tiny_model("sd1")

    def run(each: Model) -> Tensor:
        return sample(tiny_store, each, EMPTY, words(1), words(2), **RUN).samples

    plain = run(model)
    assert torch.equal(run(add_perturbed_attention(model, 0.0)), plain)
    assert (run(add_perturbed_attention(model, 3.0)) - plain).abs().max() > 0.01


def test_a_differential_mask_paints_while_it_is_brighter_than_the_time_left():
    mask = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).reshape(1, 1, 1, 5)
    times = torch.tensor([900.0, 600.0, 450.0, 0.0])
    sigmas = torch.cat([torch.stack([LEVELS.sigma(t) for t in times]), torch.zeros(1)])
    option = DifferentialMask()
    found = [
        option.denoise_mask(mask, sigma, sigmas, LEVELS).flatten().tolist() for sigma in sigmas[:4]
    ]
    # Of the time 1, 2/3, 1/2 and nothing is left.
    assert found == [[0, 0, 0, 0, 1], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    half = DifferentialMask(0.5).denoise_mask(mask, sigmas[1], sigmas, LEVELS)
    assert half.flatten().tolist() == pytest.approx([0, 0.125, 0.25, 0.875, 1.0])


def test_differential_masks_change_an_inpainting(tiny_store, tiny_model, words):
    model = tiny_model("sd1")
    mask = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    latent = Latent(noise(9, 1, 4, 8, 8), noise_mask=mask)
    runs = [
        sample(tiny_store, each, latent, words(1), words(2), **RUN).samples
        for each in (model, add_differential_mask(model, 0.0), add_differential_mask(model, 1.0))
    ]
    assert torch.equal(runs[0], runs[1])
    assert (runs[0] - runs[2]).abs().max() > 0.01

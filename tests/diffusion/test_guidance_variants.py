"""Self-attention guidance and other uses of the negative prediction against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphengine.diffusion.filters import gaussian_blur
from graphengine.diffusion.guidance import PRESENT_CALL, Look, NetworkCall, SamplingOption
from graphengine.diffusion.guidance_variants import (
    CfgNorm,
    CfgZeroStar,
    FrequencyScaling,
    RenormCfg,
    TangentialDamping,
    add_option,
    scale_frequencies,
)
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.self_attention_guidance import (
    SelfAttentionGuidance,
    attention_received,
)
from graphengine.sockets import Latent, Sampling

LEVELS = model_sampling(Sampling())
RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def look(cond: Tensor, uncond: Tensor | None, x: Tensor) -> Look:
    return Look(x, torch.tensor(1.0), LEVELS, cond, uncond, 2.0, lambda *_: (x, x))


def test_the_negative_side_is_brought_as_near_to_the_positive_one_as_a_factor_can():
    x, cond, uncond = noise(1, 2, 4, 8, 8), noise(2, 2, 4, 8, 8), noise(3, 2, 4, 8, 8)
    found = CfgZeroStar().before_guidance(look(cond, uncond, x)).uncond
    rest = (x - cond) - (x - found)
    for item in range(2):
        assert float((rest[item] * (x - uncond)[item]).sum()) == pytest.approx(0, abs=1e-3)


def test_tangential_damping_keeps_a_negative_side_that_says_the_same():
    x, cond = noise(1, 1, 4, 8, 8), noise(2, 1, 4, 8, 8)
    same = x - 0.5 * (x - cond)
    found = TangentialDamping().before_guidance(look(cond, same, x)).uncond
    torch.testing.assert_close(found, same, rtol=1e-4, atol=1e-4)


def test_tangential_damping_drops_what_is_at_right_angles_to_a_strong_positive_side():
    x = torch.zeros(1, 2, 1, 1)
    cond, uncond = torch.tensor([[[[-10.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[-1.0]]]])
    found = TangentialDamping().before_guidance(look(cond, uncond, x)).uncond
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-5)


def test_coarse_and_fine_guidance_have_a_strength_each():
    places = torch.arange(16)
    coarse = torch.cos(2 * math.pi * places / 16).expand(1, 1, 16, 16)
    fine = torch.cos(2 * math.pi * 6 * places / 16).expand(1, 1, 16, 16)
    found = scale_frequencies(coarse + fine, low=0.5, high=2.0, cutoff=3)
    torch.testing.assert_close(found, 0.5 * coarse + 2 * fine, rtol=1e-4, atol=1e-5)
    x, uncond = noise(1, 1, 1, 16, 16), noise(2, 1, 1, 16, 16)
    seen = FrequencyScaling(0.5, 2.0, 3).before_guidance(look(uncond + coarse, uncond, x))
    torch.testing.assert_close(seen.cond - uncond, 0.5 * coarse, rtol=1e-4, atol=1e-5)


def test_a_guided_prediction_is_no_longer_at_any_place_than_the_positive_one():
    cond = torch.tensor([3.0, 4.0, 0.6, 0.8]).reshape(1, 2, 1, 2).contiguous()
    # Over the channels the two places are (3, 0.6) and (4, 0.8) long.
    guided = torch.stack([cond[0, :, :, 0] * 2, cond[0, :, :, 1] / 2], dim=-1)[None]
    found = CfgNorm(0.5).after_guidance(look(cond, cond, cond), guided)
    expected = torch.stack([cond[0, :, :, 0], cond[0, :, :, 1] / 2], dim=-1)[None] * 0.5
    torch.testing.assert_close(found, expected)


def test_renormalised_guidance_is_as_long_as_it_may_be():
    x, cond, uncond = noise(1, 2, 4, 8, 8), noise(2, 2, 4, 8, 8), noise(3, 2, 4, 8, 8)
    plain = uncond + 2 * (cond - uncond)
    seen = look(cond, uncond, x)
    found = RenormCfg(100.0, 1.0).combine(seen)
    for item in range(2):
        torch.testing.assert_close(found[item].norm(), cond[item].norm())
        torch.testing.assert_close(
            found[item] / found[item].norm(), plain[item] / plain[item].norm()
        )
    torch.testing.assert_close(RenormCfg(100.0, 50.0).combine(seen), plain)
    torch.testing.assert_close(RenormCfg(100.0, 0.0).combine(seen), plain)
    # The look's sigma is 1: too much noise is left for guidance.
    assert RenormCfg(1.0, 1.0).combine(seen) is cond


def test_without_a_negative_side_nothing_changes():
    x, cond = noise(1, 1, 4, 8, 8), noise(2, 1, 4, 8, 8)
    alone = look(cond, None, x)
    for option in (CfgZeroStar(), TangentialDamping(), FrequencyScaling(0.5, 2.0, 3)):
        assert option.before_guidance(alone) is alone


@torch.no_grad()
def test_the_attention_received_is_that_of_the_network(tiny_store, tiny_model):
    layer = tiny_store.unet(tiny_model("sd1")).mid_block.attentions[0].transformer_blocks[0].attn1
    x = noise(3, 2, 6, 64)
    query, key = layer.to_q(x), layer.to_k(x)
    weights = torch.softmax(
        torch.einsum("bqhd,bkhd->bhqk", query.view(2, 6, 8, 8), key.view(2, 6, 8, 8)) / 8**0.5, -1
    )
    found = attention_received(layer, x)
    torch.testing.assert_close(found, weights.mean(1).sum(1))
    torch.testing.assert_close(found.sum(-1), torch.full((2,), 6.0))


@torch.no_grad()
def test_self_attention_guidance_blurs_what_the_negative_side_looks_at(tiny_store, tiny_model):
    unet = tiny_store.unet(tiny_model("sd1"))
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    tokens, x, uncond = noise(4, 2, 4, 64), noise(5, 1, 4, 8, 8), noise(6, 1, 4, 8, 8)
    asked = []

    def predict(other: Tensor, _sigma: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(other)
        return other, torch.zeros_like(other)

    option = SelfAttentionGuidance(0.5, 2.0)
    seen = Look(x, torch.tensor(1.0), LEVELS, x, uncond, 3.0, predict)
    with option.attach(unet, LEVELS, (1, 4, 8, 8)):
        call = NetworkCall(x.repeat(2, 1, 1, 1), seen.sigma, (1, 0), tokens)
        token = PRESENT_CALL.set(call)
        layer(tokens)
        PRESENT_CALL.reset(token)
        guided = option.after_guidance(seen, x)
    looked_at = (attention_received(layer, tokens[:1]) > 1).float().reshape(1, 1, 2, 2)
    looked_at = interpolate(looked_at, size=(8, 8))
    degraded = gaussian_blur(uncond, 4, 2.0) * looked_at + uncond * (1 - looked_at)
    torch.testing.assert_close(asked[0], degraded + x - uncond)
    torch.testing.assert_close(guided, x + 0.5 * degraded)


@pytest.mark.parametrize(
    "option",
    [
        SelfAttentionGuidance(1.0, 2.0),
        CfgZeroStar(),
        TangentialDamping(),
        FrequencyScaling(0.5, 2.0, 2),
        CfgNorm(0.9),
        RenormCfg(5.0, 1.0),
    ],
)
def test_each_changes_a_sampling_and_leaves_the_network_alone(
    tiny_store, tiny_model, words, option
):
    model = tiny_model("sd1")

    def run(each):
        return sample(tiny_store, each, EMPTY, words(1), words(2), **RUN).samples

    plain = run(model)
    assert (run(add_option(model, option)) - plain).abs().max() > 1e-3
    assert torch.equal(run(model), plain)


def test_a_call_knows_which_rows_are_whose():
    x = torch.zeros(6, 1, 1, 1)
    call = NetworkCall(x, torch.tensor(1.0), (1, 0, 1), x)
    assert call.rows(1) == [0, 1, 4, 5]
    assert call.rows(0) == [2, 3]


def test_an_option_may_stand_around_each_call(tiny_store, tiny_model, words):
    sides = []

    class Around(SamplingOption):
        def around_call(self, call, predict):
            sides.append(call.sides)
            return predict(call) * 0 + 1

    model = add_option(tiny_model("sd1"), Around())
    got = sample(tiny_store, model, EMPTY, words(1), words(2), **RUN).samples
    assert sides == [(1, 0), (1, 0)]
    torch.testing.assert_close(got, torch.full_like(got, 1 / 0.18215))


def test_a_sampling_with_options_changes_modules_of_its_own(tiny_store, tiny_model, words):
    seen = []

    class Watching(SamplingOption):
        def attach(self, unet, levels, shape):
            seen.append(unet)
            return super().attach(unet, levels, shape)

    model = tiny_model("sd1")
    sample(tiny_store, add_option(model, Watching()), EMPTY, words(1), words(2), **RUN)
    shared = tiny_store.unet(model)
    assert seen[0] is not shared
    pairs = zip(seen[0].parameters(), shared.parameters(), strict=True)
    assert all(mine is theirs for mine, theirs in pairs)

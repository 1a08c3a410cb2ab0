"""Guidance rules and options against their formulas."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.guidance import (
    RULES,
    Look,
    RescaleCfg,
    SamplingOption,
    cfg,
    guide,
    rule_of,
)
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.errors import InputError
from graphengine.sockets import (
    Condition,
    Conditioning,
    Family,
    FileRef,
    Guider,
    Model,
    Sampling,
    Weights,
)

A, B, C = torch.randn(3, 1, 4, 2, 2, generator=torch.Generator().manual_seed(1))
LEVELS = model_sampling(Sampling())


def look(cond: Tensor = A, uncond: Tensor | None = B, scale: float = 3.0) -> Look:
    return Look(A * 2, torch.tensor(1.5), LEVELS, cond, uncond, scale, lambda x, s: (A, B))


def plain(cond: Tensor, uncond: Tensor | None, scale: float) -> Tensor:
    return cond if uncond is None else cfg(cond, uncond, scale)


def test_cfg_walks_from_the_negative_past_the_positive():
    torch.testing.assert_close(cfg(A, B, 7.5), B + 7.5 * (A - B))


@pytest.mark.parametrize(
    ("kind", "scales", "needed"),
    [
        ("basic", (), (True,)),
        ("cfg", (7.0,), (True, True)),
        ("cfg", (1.0,), (True, False)),
        ("dual_cfg", (2.0, 3.0), (True, True, True)),
        ("dual_cfg", (2.0, 1.0), (True, True, False)),
        ("dual_cfg", (1.0, 1.0), (True, False, False)),
        ("dual_cfg_nested", (1.0, 3.0), (True, False, True)),
        ("perp_neg", (1.0, 1.0), (True, True, True)),
    ],
)
def test_a_rule_says_which_sides_matter(kind, scales, needed):
    assert RULES[kind].needed(scales) == needed


@pytest.mark.parametrize(
    ("kind", "scales"),
    [
        ("cfg", (4.0,)),
        ("cfg", (1.0,)),
        ("dual_cfg", (2.0, 3.0)),
        ("dual_cfg", (2.0, 1.0)),
        ("dual_cfg", (1.0, 1.0)),
        ("dual_cfg_nested", (2.0, 3.0)),
        ("dual_cfg_nested", (1.0, 3.0)),
        ("dual_cfg_nested", (2.0, 1.0)),
    ],
)
def test_sides_left_out_would_not_have_changed_the_result(kind, scales):
    rule = RULES[kind]
    everything = (A, B, C)[: rule.conditionings]
    needed = [
        one if need else None for one, need in zip(everything, rule.needed(scales), strict=True)
    ]
    torch.testing.assert_close(
        rule.combine(needed, scales, plain), rule.combine(everything, scales, plain)
    )


def test_dual_cfg_adds_both_scales():
    got = RULES["dual_cfg"].combine((A, B, C), (2.0, 3.0), plain)
    torch.testing.assert_close(got, C + 3 * (B - C) + 2 * (A - B))


def test_perp_neg_ignores_a_negative_that_says_the_same():
    got = RULES["perp_neg"].combine((A, C + 2 * (A - C), C), (4.0, 1.0), plain)
    torch.testing.assert_close(got, C + 4 * (A - C))


def test_perp_neg_pushes_off_what_is_perpendicular():
    empty = torch.zeros(1, 1, 1, 2)
    towards, away = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.5, 2.0]]]])
    got = RULES["perp_neg"].combine((towards, away, empty), (3.0, 0.5), plain)
    assert got.flatten().tolist() == pytest.approx([3.0, -3.0])


def test_a_guider_with_other_conditionings_is_refused():
    model = Model(Weights(FileRef("m", 1, 1), "unet"), Family("sd1"))
    with pytest.raises(InputError) as caught:
        rule_of(Guider("cfg", model, (Conditioning((Condition(A),)),), (7.0,)))
    assert caught.value.code == "guider_conditionings"


@dataclass(frozen=True)
class Halve(SamplingOption):
    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        return denoised / 2


@dataclass(frozen=True)
class Fixed(SamplingOption):
    def combine(self, look: Look) -> Tensor | None:
        return look.cond * 10


@dataclass(frozen=True)
class Swap(SamplingOption):
    def before_guidance(self, look: Look) -> Look:
        return Look(
            look.x, look.sigma, look.levels, look.uncond, look.cond, look.scale, look.predict
        )


def test_options_act_before_instead_of_and_after_guidance():
    torch.testing.assert_close(guide(look(), (Halve(),)), cfg(A, B, 3.0) / 2)
    torch.testing.assert_close(guide(look(), (Swap(),)), cfg(B, A, 3.0))
    torch.testing.assert_close(guide(look(), (Swap(), Fixed(), Halve())), B * 5)


def test_rescaled_guidance_keeps_the_spread_of_the_conditional_prediction_in_v():
    def v(denoised: Tensor) -> Tensor:
        sigma, x = 1.5, A * 2
        return (x / (sigma**2 + 1) - denoised) * (sigma**2 + 1) ** 0.5 / sigma

    full = guide(look(scale=12.0), (RescaleCfg(1.0),))
    assert float(v(full).std()) == pytest.approx(float(v(A).std()), rel=1e-4)
    none = guide(look(scale=12.0), (RescaleCfg(0.0),))
    torch.testing.assert_close(none, cfg(A, B, 12.0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(guide(look(uncond=None), (RescaleCfg(1.0),)), A)

"""KSampler's rules, checked against a plain loop written out here and the reference sigmas."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.architectures import prompt_width
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import initial_noise
from graphengine.diffusion.samplers import Step
from graphengine.diffusion.sampling import (
    Watch,
    checked_latent,
    ksampler_sigmas,
    part_of,
    sample,
    sample_custom,
)
from graphengine.diffusion.schedules import normal
from graphengine.errors import Cancelled, InputError
from graphengine.sockets import (
    Conditioning,
    Guider,
    Latent,
    Noise,
    Sampler,
    Sampling,
    Sigmas,
)
from tests.diffusion.reference import sampling_reference

SD = model_sampling(Sampling())
EMPTY = Latent(torch.zeros(1, 4, 8, 8))
KSAMPLER = {"seed": 5, "steps": 4, "cfg": 7.0, "sampler": "euler", "scheduler": "normal"}


@pytest.mark.parametrize("case", sorted(sampling_reference()["ksampler_sigmas"]))
def test_ksampler_visits_the_reference_sigmas(case):
    sampler, scheduler, steps, denoise = case.split("|")
    sigmas = ksampler_sigmas(SD, sampler, scheduler, steps=int(steps), denoise=float(denoise))
    expected = torch.tensor(sampling_reference()["ksampler_sigmas"][case])
    torch.testing.assert_close(sigmas, expected, rtol=1e-6, atol=0)


def plain_euler(unet, latent: Tensor, noise: Tensor, sigmas: Tensor, cond, uncond, scale) -> Tensor:
    """Euler steps of an eps model, written out: what KSampler must give."""
    x = noise * math.sqrt(1 + float(sigmas[0]) ** 2) + latent * 0.18215
    if not math.isclose(float(sigmas[0]), SD.sigma_max, rel_tol=1e-5):
        x = noise * float(sigmas[0]) + latent * 0.18215
    for sigma, after in pairwise(sigmas):
        t = (SD.table.log() - sigma.log()).abs().argmin().float().reshape(1)
        scaled = x / math.sqrt(float(sigma) ** 2 + 1)
        eps = [
            unet(scaled, t, encoder_hidden_states=words.conditions[0].embedding).sample
            for words in (uncond, cond)
        ]
        x = x + (eps[0] + scale * (eps[1] - eps[0])) * (after - sigma)
    return x / 0.18215


@torch.no_grad()
@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_ksampler_equals_a_loop_written_out(tiny_store, tiny_model, words, denoise):
    model, cond, uncond = tiny_model("sd1"), words(1), words(2)
    latent = Latent(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3)))
    got = sample(tiny_store, model, latent, cond, uncond, **KSAMPLER, denoise=denoise)
    sigmas = ksampler_sigmas(SD, "euler", "normal", steps=4, denoise=denoise)
    noise = initial_noise(latent.samples, 5)
    unet = tiny_store.unet(model)
    expected = plain_euler(unet, latent.samples, noise, sigmas, cond, uncond, 7.0)
    torch.testing.assert_close(got.samples, expected, rtol=1e-4, atol=5e-3)


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(tiny_store, tiny_model, words):
    def run(seed):
        options = KSAMPLER | {"seed": seed, "sampler": "euler_ancestral"}
        return sample(tiny_store, tiny_model("sd1"), EMPTY, words(1), words(2), **options).samples

    assert torch.equal(run(1), run(1))
    assert not torch.allclose(run(1), run(2))


def test_items_of_a_batch_depend_on_their_place_in_the_batch(tiny_store, tiny_model, words):
    def run(latent):
        return sample(tiny_store, tiny_model("sd1"), latent, words(1), words(2), **KSAMPLER).samples

    batch = run(Latent(torch.zeros(3, 4, 8, 8)))
    torch.testing.assert_close(batch[:1], run(EMPTY), rtol=1e-3, atol=1e-2)
    picked = Latent(torch.zeros(1, 4, 8, 8), batch_index=(0,))
    torch.testing.assert_close(run(picked), run(EMPTY), rtol=0, atol=0)


def test_cfg_one_never_asks_the_negative_side(tiny_store, tiny_model, words):
    options = KSAMPLER | {"cfg": 1.0}
    broken = Conditioning(
        (replace(words(2).conditions[0], embedding=torch.full((1, 77, 64), float("nan"))),)
    )
    got = sample(tiny_store, tiny_model("sd1"), EMPTY, words(1), broken, **options)
    assert torch.isfinite(got.samples).all()


def test_denoise_zero_returns_the_latent_as_it_is(tiny_store, tiny_model, words):
    latent = Latent(torch.rand(1, 4, 8, 8))
    got = sample(tiny_store, tiny_model("sd1"), latent, words(1), words(2), **KSAMPLER, denoise=0.0)
    assert torch.equal(got.samples, latent.samples)


def test_two_halves_with_leftover_noise_make_the_whole(tiny_store, tiny_model, words):
    def run(latent, **options):
        return sample(
            tiny_store, tiny_model("sd1"), latent, words(1), words(2), **KSAMPLER, **options
        )

    half = run(EMPTY, end=2, leftover_noise=True)
    whole = run(half, start=2, add_noise=False)
    torch.testing.assert_close(whole.samples, run(EMPTY).samples, rtol=1e-3, atol=1e-3)


def test_the_steps_from_start_to_end():
    sigmas = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0])
    assert part_of(sigmas, 1, 3, leftover_noise=True).tolist() == [3.0, 2.0, 1.0]
    assert part_of(sigmas, 1, 3, leftover_noise=False).tolist() == [3.0, 2.0, 0.0]
    assert part_of(sigmas, 0, 10000, leftover_noise=True).tolist() == sigmas.tolist()
    assert len(part_of(sigmas, 4, 10000, leftover_noise=False)) == 0
    assert len(part_of(sigmas, 3, 2, leftover_noise=False)) == 0
    assert sigmas.tolist() == [4.0, 3.0, 2.0, 1.0, 0.0]


def test_an_empty_latent_gets_the_models_channels(tiny_model):
    widened = checked_latent(Latent(torch.zeros(2, 16, 8, 8)), tiny_model("sd1"))
    assert widened.samples.shape == (2, 4, 8, 8)


def test_a_painted_latent_of_another_family_is_refused(tiny_store, tiny_model, words):
    latent = Latent(torch.ones(1, 16, 8, 8))
    with pytest.raises(InputError) as caught:
        sample(tiny_store, tiny_model("sd1"), latent, words(1), words(2), **KSAMPLER)
    assert caught.value.code == "latent_of_other_model"
    assert "has 16 channels, but this model works on 4" in caught.value.text()


def test_words_of_another_width_are_refused(tiny_store, tiny_model, words):
    with pytest.raises(InputError) as caught:
        sample(tiny_store, tiny_model("sd1"), EMPTY, words(1, width=32), words(2), **KSAMPLER)
    assert caught.value.code == "context_width"


def test_widths_of_prompts_are_told_with_the_family_that_has_them():
    told = [prompt_width(width) for width in (768, 2048, 96)]
    assert told == ["768 (SD 1.x)", "2048 (SDXL)", "96"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"steps": 0}, "steps_too_few"),
        ({"sampler": "eular"}, "unknown_sampler"),
        ({"scheduler": "carras"}, "unknown_scheduler"),
    ],
)
def test_what_cannot_be_sampled_is_named(tiny_store, tiny_model, words, options, code):
    with pytest.raises(InputError) as caught:
        sample(tiny_store, tiny_model("sd1"), EMPTY, words(1), words(2), **KSAMPLER | options)
    assert caught.value.code == code


def test_words_with_nan_are_refused_where_they_are_used(tiny_store, tiny_model, words):
    bad = Conditioning(
        (replace(words(2).conditions[0], embedding=torch.full((1, 77, 64), float("nan"))),)
    )
    with pytest.raises(InputError) as caught:
        sample(tiny_store, tiny_model("sd1"), EMPTY, words(1), bad, **KSAMPLER)
    assert caught.value.code == "conditioning_not_finite"


def test_a_sampler_that_cannot_go_upwards_is_blamed_for_it(tiny_store, tiny_model, words):
    guider = Guider("cfg", tiny_model("sd1"), (words(1), words(2)), (1.0,))
    rising = Sigmas(torch.tensor([0.1, 1.0, 5.0, 14.0]))
    latent = Latent(torch.ones(1, 4, 8, 8))
    with pytest.raises(InputError) as caught:
        sample_custom(tiny_store, guider, Noise(None), Sampler("dpmpp_2m_sde"), rising, latent)
    assert caught.value.code == "sampler_not_finite"
    assert caught.value.details["what"] == "NaN"


def test_a_latent_with_nan_is_refused(tiny_store, tiny_model, words):
    latent = Latent(torch.full((1, 4, 8, 8), float("nan")))
    with pytest.raises(InputError) as caught:
        sample(tiny_store, tiny_model("sd1"), latent, words(1), words(2), **KSAMPLER)
    assert caught.value.code == "latent_not_finite"


def test_cancelling_stops_within_a_step(tiny_store, tiny_model, words):
    seen: list[Step] = []

    def check() -> None:
        if len(seen) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(
            tiny_store,
            tiny_model("sd1"),
            EMPTY,
            words(1),
            words(2),
            **KSAMPLER,
            watch=Watch(seen.append, check),
        )
    assert [step.index for step in seen] == [0, 1]


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "refiner", "sd1_inpaint"])
def test_every_family_samples_to_finite_latents(tiny_store, tiny_model, words, family):
    model = tiny_model(family)
    width = tiny_store.unet(model).config.cross_attention_dim
    got = sample(tiny_store, model, EMPTY, words(1, width=width), words(2, width=width), **KSAMPLER)
    assert got.samples.shape == (1, 4, 8, 8)
    assert torch.isfinite(got.samples).all()


def custom(store, model, conditionings, sigmas, *, noise=5, kind="cfg", scales=(7.0,), **options):
    latent = options.pop("latent", EMPTY)
    return sample_custom(
        store,
        Guider(kind, model, conditionings, scales),
        Noise(noise),
        Sampler("euler", tuple(options.items())),
        Sigmas(sigmas),
        latent,
    )


def test_custom_sampling_equals_ksampler(tiny_store, tiny_model, words):
    got = custom(tiny_store, tiny_model("sd1"), (words(1), words(2)), normal(SD, 4))
    expected = sample(tiny_store, tiny_model("sd1"), EMPTY, words(1), words(2), **KSAMPLER)
    assert torch.equal(got.output.samples, expected.samples)


def test_the_denoised_output_is_the_last_guess(tiny_store, tiny_model, words):
    seen: list[Step] = []
    sigmas = normal(SD, 4)[:3]
    result = sample_custom(
        tiny_store,
        Guider("basic", tiny_model("sd1"), (words(1),)),
        Noise(5),
        Sampler("euler"),
        Sigmas(sigmas),
        EMPTY,
        watch=Watch(seen.append),
    )
    torch.testing.assert_close(result.denoised.samples, seen[-1].denoised / 0.18215)
    assert not torch.allclose(result.output.samples, result.denoised.samples)


def test_without_sigmas_the_latent_comes_back(tiny_store, tiny_model, words):
    latent = Latent(torch.rand(1, 4, 8, 8))
    for sigmas in (torch.zeros(0), torch.tensor([1.0])):
        result = custom(tiny_store, tiny_model("sd1"), (words(1), words(2)), sigmas, latent=latent)
        assert torch.equal(result.output.samples, latent.samples)


def test_options_that_a_sampler_does_not_have_are_refused(tiny_store, tiny_model, words):
    with pytest.raises(InputError) as caught:
        custom(tiny_store, tiny_model("sd1"), (words(1), words(2)), normal(SD, 2), rho=7.0)
    assert caught.value.code == "sampler_options"


def test_a_mask_keeps_the_latent_outside_exactly(tiny_store, tiny_model, words):
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(8))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 32:] = 1.0
    for sampler in ("euler", "ddim", "euler_ancestral"):
        got = sample(
            tiny_store,
            tiny_model("sd1"),
            Latent(latent, noise_mask=mask),
            words(1),
            words(2),
            **KSAMPLER | {"sampler": sampler},
        ).samples
        torch.testing.assert_close(got[..., :3], latent[..., :3], rtol=1e-4, atol=1e-5)
        assert (got[..., 5:] - latent[..., 5:]).abs().mean() > 0.1

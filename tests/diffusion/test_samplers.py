"""Samplers against reference end states, closed forms and diffusers."""

from __future__ import annotations

import math
from functools import cache

import numpy
import pytest
import torch
from torch import Tensor

from graphengine.diffusion.model_sampling import ModelSampling, model_sampling
from graphengine.diffusion.noise import SamplerNoise, initial_noise
from graphengine.diffusion.resize import resize
from graphengine.diffusion.samplers import ALL_SAMPLERS, SAMPLERS, Run, Step
from graphengine.diffusion.samplers.unipc import LAST_SIGMA
from graphengine.diffusion.sampling import ksampler_sigmas
from graphengine.diffusion.schedules import flip, karras, simple
from graphengine.errors import InputError
from graphengine.sockets import Sampling
from tests.diffusion.oracle import ORACLES, ListedNoise, by_diffusers
from tests.diffusion.reference import ReferenceDenoiser, sampling_reference

REFERENCE = sampling_reference()["samplers"]
SD = model_sampling(Sampling())


def end_state(name: str, steps: int = 8, seed: int = 7, **options: object) -> Tensor:
    sigmas = karras(SD, steps)
    latent = torch.zeros(1, 4, 8, 8)
    x = SD.add_noise(latent, initial_noise(latent, seed), sigmas[0], from_the_top=True)
    run = Run(ReferenceDenoiser(), SD, SamplerNoise(seed))
    return SAMPLERS[name](run, x, sigmas, **options)


def test_there_are_the_42_samplers_of_the_field():
    assert set(SAMPLERS) == set(REFERENCE)
    assert len(SAMPLERS) == 42


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_ends_where_the_reference_does(name):
    x, expected = end_state(name), REFERENCE[name]
    torch.testing.assert_close(
        x.flatten()[:4], torch.tensor(expected["first4"]), rtol=2e-6, atol=1e-6
    )
    assert float(x.mean()) == pytest.approx(expected["mean"], abs=1e-6)
    assert float(x.std()) == pytest.approx(expected["std"], abs=1e-6)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_samplers_do_not_write_into_what_they_are_given(name):
    sigmas = karras(SD, 4)
    x = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * sigmas[0]
    x_before, sigmas_before = x.clone(), sigmas.clone()
    SAMPLERS[name](Run(ReferenceDenoiser(), SD, SamplerNoise(1)), x, sigmas)
    assert torch.equal(x, x_before)
    assert torch.equal(sigmas, sigmas_before)


@pytest.mark.parametrize(
    ("scale_steps", "sizes"), [(-1, (16, 24, 32)), (1, (16, 32, 32)), (0, (16, 16, 16))]
)
def test_lcm_may_enlarge_the_latent_on_its_way(scale_steps, sizes):
    """Three steps of a denoiser that halves: sizes and noise written out."""
    sigmas = torch.tensor([8.0, 4.0, 2.0, 0.0])
    start = initial_noise(torch.zeros(1, 4, 16, 16), 7)
    seen = []

    def halve(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append(x)
        return x / 2

    run = Run(halve, SD, SamplerNoise(7))
    options = {"scale_ratio": 2.0, "scale_steps": scale_steps, "upscale_method": "bilinear"}
    found = ALL_SAMPLERS["lcm_upscale"](run, start, sigmas, **options)

    stream = torch.Generator().manual_seed(7)
    assert torch.equal(torch.randn(start.shape, generator=stream), start)
    x = start
    grown = {-1: (24, 32), 1: (32, None), 0: (None, None)}[scale_steps]
    for index, sigma_next in enumerate((4.0, 2.0)):
        x, side = x / 2, grown[index]
        x = x if side is None else resize(x, side, side, method="bilinear")
        x = x + sigma_next * torch.randn(x.shape, generator=stream)
    assert tuple(each.shape[-1] for each in seen) == sizes
    torch.testing.assert_close(found, x / 2)


def test_the_callback_sees_every_step_once():
    seen: list[Step] = []
    sigmas = karras(SD, 5)
    run = Run(ReferenceDenoiser(), SD, SamplerNoise(1), seen.append)
    SAMPLERS["euler"](run, torch.randn(1, 4, 2, 2), sigmas)
    assert [(step.index, step.steps) for step in seen] == [(i, 5) for i in range(5)]
    assert [step.sigma for step in seen] == sigmas[:-1].tolist()
    assert seen[0].denoised.shape == (1, 4, 2, 2)


# --- closed forms: data that are normal with deviation SPREAD ---

SPREAD = 0.8
FLOW = model_sampling(Sampling(prediction="flow", levels="flow"))


class NormalData:
    """The exact denoiser of normal data: the ODE's solution scales with the deviation of x."""

    def __init__(self, levels: ModelSampling) -> None:
        self.path = levels.path

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        alpha = self.path.alpha(sigma)
        return alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2) * x

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, denoised


class TwoPoints:
    """The exact denoiser of data that are 1 or -1: the ODE is not linear in x."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return torch.tanh(x / sigma**2)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, denoised


@cache
def exact_end() -> tuple[Tensor, Tensor]:
    """Some starts at level 10, and where the ODE of `TwoPoints` takes them to at level 0.1."""
    from scipy.integrate import solve_ivp

    def slope(sigma: float, x: numpy.ndarray) -> numpy.ndarray:
        return (x - numpy.tanh(x / sigma**2)) / sigma

    start = [0.7, 3.0, -12.0, 8.0]
    found = solve_ivp(slope, (10.0, 0.1), start, method="DOP853", rtol=1e-12, atol=1e-12)
    return torch.tensor(start).double(), torch.from_numpy(found.y[:, -1])


def ode_error(name: str, steps: int, **options: object) -> float:
    """How far a sampler ends from the ODE's solution, over log-even levels, in float64."""
    start, end = exact_end()
    levels = torch.linspace(math.log(10.0), math.log(0.1), steps + 1).double().exp()
    run = Run(TwoPoints(), SD, SamplerNoise(0))
    got = SAMPLERS[name](run, start[None, None, None], levels, **options)
    return float((got.flatten() - end).norm())


NO_NOISE = {"eta": 0.0}


@pytest.mark.parametrize(
    ("name", "options", "order"),
    [
        ("euler", {}, 1),
        ("ddim", {}, 1),
        ("euler_cfg_pp", {}, 1),
        ("euler_ancestral", NO_NOISE, 1),
        ("euler_ancestral_cfg_pp", NO_NOISE, 1),
        ("heun", {}, 2),
        (
            "heunpp2",
            {},
            1,
        ),  # its weights are shares of sigma_max, so the slopes' mean is not Heun's
        ("dpm_2", {}, 2),
        ("dpm_2_ancestral", NO_NOISE, 2),
        ("lms", {}, 3.7),  # 4, begun with the orders below
        ("dpm_fast", {}, 2.9),  # 3, its last steps are of lower order
        ("dpmpp_2s_ancestral", NO_NOISE, 2),
        ("dpmpp_sde", NO_NOISE, 2),
        ("dpmpp_2m", {}, 2),
        ("dpmpp_2m_cfg_pp", {}, 2),
        ("dpmpp_2m_sde", NO_NOISE, 2),
        ("dpmpp_2m_sde_heun", NO_NOISE, 2),
        ("dpmpp_3m_sde", NO_NOISE, 2.3),  # k-diffusion halves the second difference: 2 in the end
        ("ipndm", {}, 2),  # 4 on even steps, which these are not
        ("ipndm_v", {}, 2.5),  # 3 in the end
        ("deis", {}, 2.9),  # 3
        ("res_multistep", {}, 2),
        ("res_multistep_cfg_pp", {}, 2),
        ("res_multistep_ancestral", NO_NOISE, 2),
        ("gradient_estimation", {}, 0.9),  # 1
        ("gradient_estimation_cfg_pp", {}, 0.9),
        ("er_sde", {"solver_type": "ODE"}, 1.7),  # its integrals are sums over 200 points
        ("seeds_2", NO_NOISE, 2),
        ("seeds_3", NO_NOISE, 3),
        ("sa_solver", NO_NOISE, 2.8),  # predictor of order 3
        ("sa_solver_pece", NO_NOISE, 2.5),
        ("uni_pc", {}, 2.8),  # 3, begun with orders 1 and 2, ended with 2 and 1
        ("uni_pc_bh2", {}, 2.8),
    ],
)
def test_errors_fall_with_the_order_of_the_method(name, options, order):
    coarse, fine = (ode_error(name, steps, **options) for steps in (64, 256))
    assert math.log(coarse / fine, 4) == pytest.approx(order, abs=0.2)


def test_an_adaptive_sampler_comes_as_near_as_it_is_told():
    coarse, fine = (ode_error("dpm_adaptive", 8, rtol=tol, atol=tol) for tol in (1e-2, 1e-4))
    assert fine < coarse / 20


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
@pytest.mark.parametrize("scheduler", ["normal", "karras", "simple"])
@pytest.mark.parametrize("name", ["uni_pc", "uni_pc_bh2"])
def test_unipc_is_diffusers_unipc_of_order_three_over_any_levels(name, scheduler):
    """In float64, where the logs of the authors' code do not round; diffusers ends in VP form."""
    sigmas = ksampler_sigmas(SD, name, scheduler, steps=20, denoise=1.0).double()
    x = initial_noise(torch.zeros(1, 4, 8, 8), 11).double() * sigmas[0]
    ours = SAMPLERS[name](Run(ReferenceDenoiser(), SD, SamplerNoise(1)), x, sigmas)
    theirs = by_diffusers(name, ReferenceDenoiser(), x, 20, 1, sigmas=sigmas)
    theirs = theirs * math.sqrt(1 + LAST_SIGMA**2)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


STOCHASTIC = sorted(
    name
    for name in SAMPLERS
    if any(mark in name for mark in ("ancestral", "sde", "seeds", "sa_solver", "ddpm"))
    # It mixes the predictions of two levels, which guidance 1 does not undo.
    and name != "dpmpp_2s_ancestral_cfg_pp"
)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_stochastic_samplers_keep_the_spread_of_the_data(name):
    sigmas = karras(SD, 200)
    noise = initial_noise(torch.zeros(1, 4, 24, 24), 3)
    x = noise * math.sqrt(SPREAD**2 + float(sigmas[0]) ** 2)
    end = SAMPLERS[name](Run(NormalData(SD), SD, SamplerNoise(4)), x, sigmas)
    assert float(end.std()) == pytest.approx(SPREAD, rel=0.06)


# The variance-preserving and CFG++ ones are not made for straight paths.
NO_FLOW = ("cfg_pp", "ddpm", "lcm", "deis", "dpm_", "uni_pc", "res_", "dpmpp_2m", "heunpp2")
FLOW_SAMPLERS = [
    "dpm_2_ancestral",
    "dpmpp_2m_sde",
    *sorted(name for name in SAMPLERS if not any(mark in name for mark in NO_FLOW)),
]


@pytest.mark.parametrize("name", FLOW_SAMPLERS)
def test_samplers_on_a_flow_keep_the_spread_of_the_data(name):
    sigmas = simple(FLOW, 60)
    x = initial_noise(torch.zeros(1, 4, 32, 32), 3)
    end = SAMPLERS[name](Run(NormalData(FLOW), FLOW, SamplerNoise(4)), x, sigmas)
    assert float(end.std()) == pytest.approx(SPREAD, rel=0.06)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_give_finite_latents_near_the_data(name, steps):
    end = end_state(name, steps=steps)
    assert torch.isfinite(end).all()
    assert float(end.std()) < 20


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_part_of_a_schedule_leaves_about_its_last_level_of_noise(name):
    sigmas = karras(SD, 12)[:6]
    x = initial_noise(torch.zeros(1, 4, 16, 16), 3) * sigmas[0]
    end = SAMPLERS[name](Run(NormalData(SD), SD, SamplerNoise(4)), x, sigmas)
    assert float(end.std()) == pytest.approx(float(sigmas[-1]), rel=0.35)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_one_level_is_no_step(name):
    x = torch.randn(1, 4, 2, 2)
    run = Run(ReferenceDenoiser(), SD, SamplerNoise(1))
    torch.testing.assert_close(SAMPLERS[name](run, x, torch.tensor([2.0])), x)


def test_euler_goes_up_the_levels_and_back():
    run = Run(NormalData(SD), SD, SamplerNoise(0))
    x = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    up = SAMPLERS["euler"](run, x, flip(karras(SD, 400)))
    down = SAMPLERS["euler"](run, up, karras(SD, 400))
    torch.testing.assert_close(down, x, rtol=0.05, atol=0.05)


def test_churn_adds_noise_that_the_seed_decides():
    def run(seed, **options):
        return end_state("heun", seed=seed, **options)

    assert torch.equal(run(1, s_churn=20.0), run(1, s_churn=20.0))
    assert not torch.allclose(run(1, s_churn=20.0), run(1))
    torch.testing.assert_close(run(1, s_churn=20.0, s_tmin=50.0), run(1))


@pytest.mark.parametrize(
    ("sampler", "options", "code"),
    [
        ("dpm_adaptive", {"rtol": 0.0, "atol": 0.0}, "sampler_stands_still"),
        ("dpm_adaptive", {"h_init": 0.0}, "sampler_stands_still"),
        ("dpmpp_sde", {"r": 0.0}, "sampler_option"),
    ],
)
def test_options_that_lead_nowhere_are_refused(sampler, options, code):
    with pytest.raises(InputError) as caught:
        end_state(sampler, **options)
    assert caught.value.code == code


def test_the_ode_variant_of_er_sde_adds_no_noise():
    first = end_state("er_sde", solver_type="ODE")
    assert torch.equal(first, end_state("er_sde", solver_type="ODE", s_noise=5.0))
    assert not torch.allclose(first, end_state("er_sde", solver_type="Reverse-time SDE"))


def test_eta_zero_makes_ancestral_samplers_deterministic():
    torch.testing.assert_close(end_state("euler_ancestral", eta=0.0), end_state("euler"))
    torch.testing.assert_close(
        end_state("res_multistep_ancestral", eta=0.0), end_state("res_multistep")
    )
    torch.testing.assert_close(
        end_state("dpmpp_2m_sde", eta=0.0), end_state("dpmpp_2m"), rtol=1e-4, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_samplers_end_where_diffusers_does(name):
    steps, seed = 9, 11
    sigmas = karras(SD, steps)
    x = initial_noise(torch.zeros(1, 4, 8, 8), seed) * sigmas[0]
    run = Run(ReferenceDenoiser(), SD, ListedNoise(seed))
    ours = SAMPLERS[name](run, x, sigmas)
    theirs = by_diffusers(name, ReferenceDenoiser(), x, steps, seed)
    # UniPC rounds near its last level as its authors' code does; diffusers does not.
    atol = 1e-3 if name.startswith("uni_pc") else 2e-5
    torch.testing.assert_close(ours, theirs.to(ours), rtol=0, atol=atol)

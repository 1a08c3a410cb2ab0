"""Noise levels and parametrisations against reference numbers and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from graphengine.diffusion.model_sampling import NoisePath, model_sampling
from graphengine.diffusion.schedules import karras
from graphengine.sockets import Sampling
from tests.diffusion.reference import sampling_reference

REFERENCE = sampling_reference()
SD = model_sampling(Sampling())
EVERY = (
    Sampling(),
    Sampling(prediction="v"),
    Sampling(prediction="edm", levels="continuous"),
    Sampling(prediction="flow", levels="flow"),
)


@pytest.mark.parametrize(
    ("key", "sampling"),
    [
        ("sd_sigmas_1000", Sampling()),
        ("zsnr_sigmas_1000", Sampling(prediction="v", zero_terminal_snr=True)),
    ],
)
def test_the_tables_of_1000_levels_equal_the_reference(key, sampling):
    table = model_sampling(sampling).table
    expected = torch.tensor(REFERENCE["tables_every_37th_and_last"][key])
    assert len(table) == 1000
    torch.testing.assert_close(torch.cat([table[::37], table[-1:]]), expected, rtol=0, atol=0)


def test_lcm_has_every_20th_level():
    table = model_sampling(Sampling(prediction="lcm", levels="lcm")).table
    torch.testing.assert_close(table, torch.tensor(REFERENCE["lcm_table"]), rtol=0, atol=0)


@pytest.mark.parametrize("steps", [10, 20])
def test_timesteps_are_the_nearest_whole_ones(steps):
    timesteps = SD.timestep(karras(SD, steps)[:-1])
    assert timesteps.tolist() == REFERENCE["timestep_of_sigma"][str(steps)]


def test_lcm_tells_the_network_timesteps_of_the_full_table():
    lcm = model_sampling(Sampling(prediction="lcm", levels="lcm"))
    assert lcm.timestep(lcm.table).tolist() == [float(t) for t in range(19, 1000, 20)]
    torch.testing.assert_close(lcm.sigma(torch.tensor([19.0, 999.0])), lcm.table[[0, -1]])


def test_percent_becomes_the_level_at_that_part_of_the_run():
    for percent, sigma in REFERENCE["percent_to_sigma"].items():
        assert SD.percent_to_sigma(float(percent)) == pytest.approx(sigma, rel=2e-7)


@pytest.mark.parametrize("sampling", EVERY, ids=lambda s: s.prediction)
def test_sigma_and_timestep_are_inverse(sampling):
    levels = model_sampling(sampling)
    some = levels.table[[1, 50, 400, 998]]
    torch.testing.assert_close(levels.sigma(levels.timestep(some)), some, rtol=1e-4, atol=0)


def test_continuous_v_numbers_levels_by_the_angle():
    levels = model_sampling(
        Sampling(prediction="v", levels="continuous_v", sigma_min=0.03, sigma_max=500.0)
    )
    assert levels.timestep(torch.tensor(1.0)) == pytest.approx(0.5)
    assert levels.sigma_max == pytest.approx(500.0, rel=1e-5)
    assert levels.percent_to_sigma(0.5) == pytest.approx(math.sqrt(0.03 * 500), rel=1e-5)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_perfect_network_output_gives_back_the_clean_latent(prediction):
    """v = alpha·noise - sigma·x0 on the unit circle; eps = noise."""
    levels = model_sampling(Sampling(prediction=prediction))
    x0, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor(2.5)
    x = levels.add_noise(x0, noise, sigma)
    scale = 1 / math.sqrt(1 + 2.5**2)
    output = noise if prediction == "eps" else scale * noise - 2.5 * scale * x0
    torch.testing.assert_close(levels.denoised(x, output, sigma), x0, rtol=1e-4, atol=1e-5)


def test_a_perfect_edm_network_gives_back_the_clean_latent():
    levels = model_sampling(Sampling(prediction="edm", levels="continuous"))
    x0, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor(1.5)
    x = x0 + 1.5 * noise
    skip, out = 0.25 / (0.25 + 2.25), 1.5 * 0.5 / math.sqrt(0.25 + 2.25)
    torch.testing.assert_close(
        levels.denoised(x, (x0 - skip * x) / out, sigma), x0, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(levels.network_input(x, sigma), x / math.sqrt(2.5))


def test_a_perfect_flow_network_gives_back_the_clean_latent():
    levels = model_sampling(Sampling(prediction="flow", levels="flow", shift=3.0))
    x0, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor(0.7)
    x = levels.add_noise(x0, noise, sigma)
    torch.testing.assert_close(x, 0.7 * noise + 0.3 * x0)
    torch.testing.assert_close(levels.denoised(x, noise - x0, sigma), x0, rtol=1e-4, atol=1e-5)
    assert levels.percent_to_sigma(0.5) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))


def test_lcm_trusts_the_network_at_high_levels():
    levels = model_sampling(Sampling(prediction="lcm", levels="lcm"))
    x, output = torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 1.0)
    sigma = levels.table[25]
    torch.testing.assert_close(
        levels.denoised(x, output, sigma), x - sigma * output, rtol=1e-5, atol=1e-5
    )


def test_noise_at_the_highest_level_has_the_variance_of_training():
    noise, latent = torch.ones(1, 4, 2, 2), torch.full((1, 4, 2, 2), 0.5)
    sigma = torch.tensor(SD.sigma_max)
    top = SD.add_noise(latent, noise, sigma, from_the_top=True)
    assert top[0, 0, 0, 0] == pytest.approx(math.sqrt(1 + SD.sigma_max**2) + 0.5)
    assert SD.is_max(SD.sigma_max * (1 - 5e-6))
    assert not SD.is_max(SD.sigma_max * (1 - 5e-5))


@pytest.mark.parametrize("flow", [False, True])
def test_log_snr_and_sigma_are_inverse(flow):
    path = NoisePath(flow=flow)
    sigma = torch.tensor([0.05, 0.3, 0.9])
    torch.testing.assert_close(path.sigma_of(path.log_snr(sigma)), sigma)
    torch.testing.assert_close((path.alpha(sigma) / sigma).log(), path.log_snr(sigma))

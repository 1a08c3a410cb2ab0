"""Schedules against ComfyUI's numbers, and their rules at the edges."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphengine.diffusion import schedules
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.errors import InputError
from graphengine.sockets import Sampling
from tests.diffusion.reference import sampling_reference

REFERENCE = sampling_reference()
SD = model_sampling(Sampling())
LCM = model_sampling(Sampling(prediction="lcm", levels="lcm"))
ZERO_SNR = model_sampling(Sampling(prediction="v", zero_terminal_snr=True))


def cases(key: str) -> list[tuple[str, int]]:
    return [(name, int(steps)) for name, rows in REFERENCE[key].items() for steps in rows]


@pytest.mark.parametrize(
    ("key", "levels"), [("schedules", SD), ("schedules_lcm", LCM), ("schedules_zsnr", ZERO_SNR)]
)
def test_every_schedule_at_every_step_count_equals_the_reference(key, levels):
    assert cases(key)
    for name, steps in cases(key):
        expected = torch.tensor(REFERENCE[key][name][str(steps)])
        sigmas = schedules.schedule_sigmas(name, levels, steps)
        # Exp differs in the last places between processors.
        torch.testing.assert_close(sigmas, expected, rtol=1e-6, atol=0, msg=f"{name} {steps}")
        assert sigmas.dtype == torch.float32


def test_levels_between_two_of_the_table_are_the_references_to_the_last_bit():
    """But where exp rounds in another way: the Brownian path of a sampling hangs on every bit."""
    rows = [
        (schedules.schedule_sigmas(name, levels, int(steps)), torch.tensor(expected))
        for key, levels in (("schedules", SD), ("schedules_zsnr", ZERO_SNR))
        for name in ("normal", "sgm_uniform")
        for steps, expected in REFERENCE[key][name].items()
    ]
    equal = torch.cat([sigmas == expected for sigmas, expected in rows])
    assert equal.float().mean() > 0.98


@given(
    name=st.sampled_from(sorted(schedules.SCHEDULES)),
    steps=st.integers(1, 120),
    zero_snr=st.booleans(),
)
def test_every_schedule_falls_from_the_top_to_zero(name, steps, zero_snr):
    levels = ZERO_SNR if zero_snr else SD
    sigmas = schedules.schedule_sigmas(name, levels, steps)
    assert sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()
    assert sigmas[0] <= levels.sigma_max * 1.00001


@pytest.mark.parametrize("name", sorted(schedules.SCHEDULES.keys() - {"ddim_uniform"}))
def test_one_step_goes_from_the_highest_level_to_zero(name):
    sigmas = schedules.schedule_sigmas(name, SD, 1)
    assert len(sigmas) == 2
    assert float(sigmas[0]) == pytest.approx(SD.sigma_max, rel=1e-6)


def test_no_steps_is_an_error_that_says_so():
    with pytest.raises(InputError) as caught:
        schedules.schedule_sigmas("normal", SD, 0)
    assert caught.value.code == "steps_too_few"
    assert "at least 1 step, got 0" in caught.value.text()


def test_an_unknown_scheduler_names_those_there_are():
    with pytest.raises(InputError) as caught:
        schedules.schedule_sigmas("carras", SD, 5)
    assert "karras" in caught.value.text()


def test_denoise_keeps_the_number_of_steps_and_starts_lower():
    def schedule(steps):
        return schedules.normal(SD, steps)

    sigmas = schedules.denoise_sigmas(schedule, 10, 0.5)
    torch.testing.assert_close(sigmas, schedule(20)[-11:])
    assert len(schedules.denoise_sigmas(schedule, 10, 0.0)) == 0
    torch.testing.assert_close(schedules.denoise_sigmas(schedule, 10, 1.0), schedule(10))


def test_turbo_takes_the_ten_distilled_levels():
    sigmas = schedules.turbo_sigmas(SD, 10, 1.0)
    expected = SD.table[[999, 899, 799, 699, 599, 499, 399, 299, 199, 99]]
    torch.testing.assert_close(sigmas[:-1], expected, rtol=1e-6, atol=0)
    assert len(schedules.turbo_sigmas(SD, 1, 1.0)) == 2
    half = schedules.turbo_sigmas(SD, 2, 0.5)
    torch.testing.assert_close(half[:2], SD.table[[499, 399]], rtol=1e-6, atol=0)


def test_align_your_steps_gives_the_published_levels_at_ten_steps():
    sigmas = schedules.align_your_steps_sigmas("SDXL", 10, 1.0)
    assert sigmas[1] == pytest.approx(6.3184485287)
    assert len(sigmas) == 11
    assert sigmas[-1] == 0


def test_align_your_steps_interpolates_in_log_sigma():
    sigmas = schedules.align_your_steps_sigmas("SD1", 20, 1.0)
    assert len(sigmas) == 21
    assert sigmas[1] == pytest.approx(math.sqrt(14.6146412293 * 6.4745760956))
    assert len(schedules.align_your_steps_sigmas("SD1", 20, 0.5)) == 11


def test_polyexponential_of_rho_one_is_exponential():
    torch.testing.assert_close(
        schedules.polyexponential_sigmas(12, 0.03, 14.6, rho=1.0),
        schedules.exponential_sigmas(12, 0.03, 14.6),
        rtol=1e-6,
        atol=0,
    )


def test_vp_levels_follow_the_closed_form():
    sigmas = schedules.vp_sigmas(3)
    assert sigmas[0] == pytest.approx(math.sqrt(math.exp(19.9 / 2 + 0.1) - 1), rel=1e-6)
    assert sigmas[-1] == 0


def test_laplace_is_symmetric_in_log_sigma_and_stays_in_range():
    sigmas = schedules.laplace_sigmas(11, 0.03, 14.6, mu=0.0, beta=0.5)
    assert sigmas[5] == pytest.approx(1.0, abs=1e-4)
    assert float(sigmas[3] * sigmas[7]) == pytest.approx(1.0, rel=1e-4)
    assert sigmas.min() >= 0.03
    assert sigmas.max() <= 14.6


@given(steps=st.integers(1, 60), at=st.integers(0, 80))
def test_both_parts_of_a_split_make_up_the_whole(steps, at):
    sigmas = schedules.karras(SD, steps)
    high, low = schedules.split(sigmas, at)
    whole = torch.cat([high, low[1:]])
    torch.testing.assert_close(whole, sigmas, rtol=0, atol=0)


def test_split_by_denoise_counts_steps_from_the_end():
    sigmas = schedules.karras(SD, 10)
    high, low = schedules.split_denoise(sigmas, 0.3)
    assert (len(high), len(low)) == (8, 4)
    high, low = schedules.split_denoise(sigmas, 0.0)
    assert (len(high), len(low)) == (11, 1)


def test_flipped_sigmas_rise_from_a_tiny_level():
    flipped = schedules.flip(schedules.karras(SD, 4))
    assert flipped[0] == pytest.approx(0.0001)
    assert (flipped.diff() > 0).all()


def test_extend_puts_levels_between_those_in_range():
    sigmas = torch.tensor([10.0, 6.0, 2.0, 0.0])
    linear = schedules.extend(sigmas, 2, 7.0, 1.0, spacing="linear")
    assert linear.tolist() == [10.0, 6.0, 4.0, 2.0, 1.0, 0.0]
    sine = schedules.extend(sigmas, 2, -1.0, 9.0, spacing="sine")
    assert sine[1] == pytest.approx(10 - 4 * (1 - math.cos(math.pi / 4)))


def test_set_first_changes_only_the_first():
    assert schedules.set_first(torch.tensor([3.0, 1.0, 0.0]), 5.0).tolist() == [5.0, 1.0, 0.0]

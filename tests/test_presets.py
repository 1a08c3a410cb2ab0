"""The LCM switch's table."""

import typing

import pytest

from graphengine.methods import SamplerName, SchedulerName
from graphengine.presets import LCM_PRESETS, lcm_preset


@pytest.mark.parametrize(
    ("checkpoint", "family"),
    [
        ("graphengine-starter.safetensors", "starter"),
        ("sub/SD_XL_base_1.0.safetensors", "sdxl"),
        ("dreamshaper_8.safetensors", "sd15"),
        ("", "sd15"),
    ],
)
def test_a_checkpoints_name_tells_its_row(checkpoint: str, family: str) -> None:
    assert lcm_preset(checkpoint).family == family


def test_every_row_names_a_method_and_a_schedule_of_ours() -> None:
    assert {preset.sampler_name for preset in LCM_PRESETS} <= set(typing.get_args(SamplerName))
    assert {preset.scheduler for preset in LCM_PRESETS} <= set(typing.get_args(SchedulerName))


def test_what_a_row_sets_lies_in_its_ranges() -> None:
    for preset in LCM_PRESETS:
        assert preset.steps_range[0] <= preset.steps <= preset.steps_range[1]
        assert preset.cfg_range[0] <= preset.cfg <= preset.cfg_range[1]

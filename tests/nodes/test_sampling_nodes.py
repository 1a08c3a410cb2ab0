"""The sampling nodes: ComfyUI's inputs, and results that equal the torch layer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from graphengine.api import Context, SamplerName, SchedulerName
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.samplers import SAMPLERS
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.schedules import SCHEDULES
from graphengine.errors import InputError
from graphengine.events import Event, NodeProgress
from graphengine.parameters import Float, Int
from graphengine.registry import Registry
from graphengine.sockets import Condition, Conditioning, Latent, Model, Sampling
from tests.diffusion.tiny_models import make_checkpoint

Call = Callable[..., Any]
SD = model_sampling(Sampling())
INPUTS = {
    "EmptyLatentImage": ["width", "height", "batch_size"],
    "KSampler": [
        "model", "seed", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative",
        "latent_image", "denoise",
    ],
    "KSamplerAdvanced": [
        "model", "add_noise", "noise_seed", "steps", "cfg", "sampler_name", "scheduler",
        "positive", "negative", "latent_image", "start_at_step", "end_at_step",
        "return_with_leftover_noise",
    ],
    "ModelSamplingDiscrete": ["model", "sampling", "zsnr"],
    "ModelSamplingContinuousEDM": ["model", "sampling", "sigma_max", "sigma_min"],
    "ModelSamplingContinuousV": ["model", "sampling", "sigma_max", "sigma_min"],
    "RescaleCFG": ["model", "multiplier"],
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path: Path = tmp_path_factory.mktemp("sampling") / "tiny.safetensors"
    return load_checkpoint(make_checkpoint(path))[0]


def words(seed: int) -> Conditioning:
    embedding = torch.randn(1, 77, 64, generator=torch.Generator().manual_seed(seed))
    return Conditioning((Condition(embedding),))


EMPTY = Latent(torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize("node_id", INPUTS)
def test_inputs_stand_in_the_fields_order_and_are_explained_twice(
    builtins: Registry, node_id: str
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [entry.name for entry in spec.inputs] == INPUTS[node_id]
    assert all(entry.help for entry in spec.inputs)
    assert set(spec.texts["ja"].inputs) == set(INPUTS[node_id])
    assert spec.texts["ja"].title
    assert spec.texts["ja"].description


def test_the_widgets_offer_every_sampler_and_schedule_in_the_fields_order() -> None:
    assert get_args(SamplerName) == tuple(SAMPLERS)
    assert set(get_args(SchedulerName)) == set(SCHEDULES)
    assert get_args(SchedulerName)[0] == "simple"


def test_cfg_and_steps_have_the_ranges_and_defaults_of_the_guide(builtins: Registry) -> None:
    spec = builtins.get("KSampler")
    assert spec is not None
    found = {entry.name: entry for entry in spec.inputs}
    steps, cfg = found["steps"].widget, found["cfg"].widget
    assert isinstance(steps, Int)
    assert isinstance(cfg, Float)
    assert (steps.ge, steps.le, found["steps"].default) == (1, 10000, 20)
    assert (cfg.ge, cfg.le, cfg.step, found["cfg"].default) == (0.0, 100.0, 0.1, 7.0)


def test_an_empty_latent_is_an_eighth_of_the_picture(call: Call) -> None:
    latent = call("EmptyLatentImage", width=520, height=256, batch_size=3)
    assert latent.samples.shape == (3, 4, 32, 65)
    assert not latent.samples.any()


def test_ksampler_samples_and_tells_every_step(
    call: Call, store: ModelStore, context: Context, events: list[Event], model: Model
) -> None:
    settings: dict[str, Any] = {"seed": 3, "steps": 4, "cfg": 5.0, "scheduler": "karras"}
    got = call(
        "KSampler",
        model=model,
        positive=words(1),
        negative=words(2),
        latent_image=EMPTY,
        sampler_name="dpmpp_2m",
        context=context,
        **settings,
    )
    expected = sample(store, model, EMPTY, words(1), words(2), sampler="dpmpp_2m", **settings)
    assert torch.equal(got.samples, expected.samples)
    told = [event for event in events if isinstance(event, NodeProgress)]
    assert [(event.value, event.total) for event in told] == [(i, 4) for i in (1, 2, 3, 4)]


def test_two_advanced_samplers_taking_turns_equal_one_ksampler(
    call: Call, context: Context, model: Model
) -> None:
    shared: dict[str, Any] = {
        "model": model, "steps": 4, "cfg": 5.0, "positive": words(1), "negative": words(2),
        "context": context,
    }  # fmt: skip
    first = call(
        "KSamplerAdvanced", noise_seed=3, latent_image=EMPTY, end_at_step=2,
        return_with_leftover_noise="enable", **shared,
    )  # fmt: skip
    second = call(
        "KSamplerAdvanced", add_noise="disable", noise_seed=9, latent_image=first,
        start_at_step=2, **shared,
    )  # fmt: skip
    whole = call("KSampler", seed=3, latent_image=EMPTY, **shared)
    torch.testing.assert_close(second.samples, whole.samples, rtol=1e-3, atol=1e-3)


def test_the_sampling_mode_is_a_new_model_value(call: Call, model: Model) -> None:
    lcm = call("ModelSamplingDiscrete", model=model, sampling="lcm")
    assert lcm.sampling == Sampling("lcm", "lcm")
    v = call("ModelSamplingDiscrete", model=model, sampling="v_prediction", zsnr=True)
    assert v.sampling == Sampling("v", zero_terminal_snr=True)
    edm = call("ModelSamplingContinuousEDM", model=model, sampling="edm")
    assert edm.sampling == Sampling("edm", "continuous", sigma_min=0.002, sigma_max=120.0)
    angle = call("ModelSamplingContinuousV", model=model)
    assert angle.sampling == Sampling("v", "continuous_v", sigma_min=0.03, sigma_max=500.0)
    assert model.sampling == Sampling()


def test_levels_out_of_order_are_refused(call: Call, model: Model) -> None:
    with pytest.raises(InputError) as caught:
        call("ModelSamplingContinuousEDM", model=model, sigma_max=0.001)
    assert caught.value.code == "sigma_range"


def test_rescale_cfg_of_zero_is_plain_cfg(call: Call, context: Context, model: Model) -> None:
    def run(model: Model) -> torch.Tensor:
        latent: Latent = call(
            "KSampler", model=model, steps=3, cfg=12.0, positive=words(1), negative=words(2),
            latent_image=EMPTY, context=context,
        )  # fmt: skip
        return latent.samples

    plain, none = run(model), run(call("RescaleCFG", model=model, multiplier=0.0))
    full = run(call("RescaleCFG", model=model, multiplier=1.0))
    torch.testing.assert_close(none, plain, rtol=1e-3, atol=1e-2)
    assert full.std() < plain.std()


def test_lcm_mode_takes_another_way_with_the_same_weights(
    call: Call, context: Context, model: Model
) -> None:
    lcm = call("ModelSamplingDiscrete", model=model, sampling="lcm")
    got = call(
        "KSampler", model=lcm, steps=4, cfg=1.0, sampler_name="lcm", scheduler="sgm_uniform",
        positive=words(1), negative=words(2), latent_image=EMPTY, context=context,
    )  # fmt: skip
    assert torch.isfinite(got.samples).all()
    assert replace(lcm, sampling=model.sampling) == model

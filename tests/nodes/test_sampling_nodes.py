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
        "model",
        "seed",
        "steps",
        "cfg",
        "sampler_name",
        "scheduler",
        "positive",
        "negative",
        "latent_image",
        "denoise",
    ],
    "KSamplerAdvanced": [
        "model",
        "add_noise",
        "noise_seed",
        "steps",
        "cfg",
        "sampler_name",
        "scheduler",
        "positive",
        "negative",
        "latent_image",
        "start_at_step",
        "end_at_step",
        "return_with_leftover_noise",
    ],
    "ModelSamplingDiscrete": ["model", "sampling", "zsnr"],
    "ModelSamplingContinuousEDM": ["model", "sampling", "sigma_max", "sigma_min"],
    "ModelSamplingContinuousV": ["model", "sampling", "sigma_max", "sigma_min"],
    "RescaleCFG": ["model", "multiplier"],
    "SamplerCustom": [
        "model",
        "add_noise",
        "noise_seed",
        "cfg",
        "positive",
        "negative",
        "sampler",
        "sigmas",
        "latent_image",
    ],
    "SamplerCustomAdvanced": ["noise", "guider", "sampler", "sigmas", "latent_image"],
    "KSamplerSelect": ["sampler_name"],
    "BasicGuider": ["model", "conditioning"],
    "CFGGuider": ["model", "positive", "negative", "cfg"],
    "DualCFGGuider": [
        "model",
        "cond1",
        "cond2",
        "negative",
        "cfg_conds",
        "cfg_cond2_negative",
        "style",
    ],
    "PerpNegGuider": [
        "model",
        "positive",
        "negative",
        "empty_conditioning",
        "cfg",
        "neg_scale",
    ],
    "RandomNoise": ["noise_seed"],
    "DisableNoise": [],
    "AddNoise": ["model", "noise", "sigmas", "latent_image"],
    "BasicScheduler": ["model", "scheduler", "steps", "denoise"],
    "SDTurboScheduler": ["model", "steps", "denoise"],
    "BetaSamplingScheduler": ["model", "steps", "alpha", "beta"],
    "LCMScheduler": ["model", "steps", "denoise"],
    "AlignYourStepsScheduler": ["model_type", "steps", "denoise"],
    "KarrasScheduler": ["steps", "sigma_max", "sigma_min", "rho"],
    "ExponentialScheduler": ["steps", "sigma_max", "sigma_min"],
    "PolyexponentialScheduler": ["steps", "sigma_max", "sigma_min", "rho"],
    "LaplaceScheduler": ["steps", "sigma_max", "sigma_min", "mu", "beta"],
    "VPScheduler": ["steps", "beta_d", "beta_min", "eps_s"],
    "SplitSigmas": ["sigmas", "step"],
    "SplitSigmasDenoise": ["sigmas", "denoise"],
    "FlipSigmas": ["sigmas"],
    "SetFirstSigma": ["sigmas", "sigma"],
    "ExtendIntermediateSigmas": [
        "sigmas",
        "steps",
        "start_at_sigma",
        "end_at_sigma",
        "spacing",
    ],
    "SamplingPercentToSigma": ["model", "sampling_percent", "return_actual_sigma"],
    "SamplerEulerAncestral": ["eta", "s_noise"],
    "SamplerEulerAncestralCFGPP": ["eta", "s_noise"],
    "SamplerLMS": ["order"],
    "SamplerDPMPP_3M_SDE": ["eta", "s_noise", "noise_device"],
    "SamplerDPMPP_2M_SDE": ["solver_type", "eta", "s_noise", "noise_device"],
    "SamplerDPMPP_SDE": ["eta", "s_noise", "r", "noise_device"],
    "SamplerDPMPP_2S_Ancestral": ["eta", "s_noise"],
    "SamplerDPMAdaptative": [
        "order",
        "rtol",
        "atol",
        "h_init",
        "pcoeff",
        "icoeff",
        "dcoeff",
        "accept_safety",
        "eta",
        "s_noise",
    ],
    "SamplerER_SDE": ["solver_type", "max_stage", "eta", "s_noise"],
    "SamplerSASolver": [
        "model",
        "eta",
        "sde_start_percent",
        "sde_end_percent",
        "s_noise",
        "predictor_order",
        "corrector_order",
        "use_pece",
        "simple_order_2",
    ],
}
OPTION_SAMPLERS = sorted(
    node_id for node_id in INPUTS if node_id.startswith("Sampler") and "Custom" not in node_id
)  # fmt: skip


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


# --- custom sampling ---


def test_custom_sampling_from_parts_equals_ksampler(
    call: Call, context: Context, model: Model
) -> None:
    whole = call(
        "KSampler", model=model, seed=3, steps=4, cfg=5.0, scheduler="karras",
        sampler_name="euler_ancestral", positive=words(1), negative=words(2), latent_image=EMPTY,
        context=context,
    )  # fmt: skip
    sampler = call("KSamplerSelect", sampler_name="euler_ancestral")
    sigmas = call("BasicScheduler", model=model, scheduler="karras", steps=4)
    custom = call(
        "SamplerCustom", model=model, noise_seed=3, cfg=5.0, positive=words(1), negative=words(2),
        sampler=sampler, sigmas=sigmas, latent_image=EMPTY, context=context,
    )  # fmt: skip
    guider = call("CFGGuider", model=model, positive=words(1), negative=words(2), cfg=5.0)
    advanced = call(
        "SamplerCustomAdvanced", noise=call("RandomNoise", noise_seed=3), guider=guider,
        sampler=sampler, sigmas=sigmas, latent_image=EMPTY, context=context,
    )  # fmt: skip
    assert torch.equal(custom.output.samples, whole.samples)
    assert torch.equal(advanced.output.samples, whole.samples)
    # The last step is down to 0, so the last guess is the output.
    assert torch.equal(advanced.denoised_output.samples, whole.samples)


def advanced(call: Call, context: Context, guider: object, **inputs: Any) -> torch.Tensor:
    shared: dict[str, Any] = {
        "noise": call("RandomNoise", noise_seed=3),
        "sampler": call("KSamplerSelect"),
        "sigmas": call("KarrasScheduler", steps=3),
        "latent_image": EMPTY,
    }
    result = call("SamplerCustomAdvanced", guider=guider, context=context, **(shared | inputs))
    samples: torch.Tensor = result.output.samples
    return samples


def test_guiders_agree_where_their_rules_coincide(
    call: Call, context: Context, model: Model
) -> None:
    a, b, c = words(1), words(2), words(3)
    basic = advanced(call, context, call("BasicGuider", model=model, conditioning=a))
    cfg_1 = advanced(call, context, call("CFGGuider", model=model, positive=a, negative=b, cfg=1.0))
    torch.testing.assert_close(cfg_1, basic, rtol=1e-3, atol=1e-2)

    cfg = advanced(call, context, call("CFGGuider", model=model, positive=a, negative=c, cfg=4.0))
    same = advanced(
        call,
        context,
        call(
            "DualCFGGuider", model=model, cond1=a, cond2=a, negative=c, cfg_conds=3.0,
            cfg_cond2_negative=4.0,
        ),
    )  # fmt: skip
    torch.testing.assert_close(same, cfg, rtol=1e-3, atol=1e-2)
    nested = advanced(
        call,
        context,
        call(
            "DualCFGGuider", model=model, cond1=a, cond2=b, negative=c, cfg_conds=1.0,
            cfg_cond2_negative=4.0, style="nested",
        ),
    )  # fmt: skip
    torch.testing.assert_close(nested, cfg, rtol=1e-3, atol=1e-2)
    perp = advanced(
        call,
        context,
        call(
            "PerpNegGuider", model=model, positive=a, negative=b, empty_conditioning=c, cfg=4.0,
            neg_scale=0.0,
        ),
    )  # fmt: skip
    torch.testing.assert_close(perp, cfg, rtol=1e-3, atol=1e-2)


def test_without_noise_an_empty_latent_is_sampled_from_nothing(
    call: Call, context: Context, model: Model
) -> None:
    guider = call("BasicGuider", model=model, conditioning=words(1))
    samples = advanced(call, context, guider, noise=call("DisableNoise"))
    assert not torch.allclose(samples, advanced(call, context, guider))


def test_added_noise_has_the_level_asked_for(call: Call, model: Model) -> None:
    latent = Latent(torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(1)))
    sigmas = call("SplitSigmas", sigmas=call("KarrasScheduler", steps=10), step=5).low_sigmas
    noisy = call(
        "AddNoise", model=model, noise=call("RandomNoise", noise_seed=1), sigmas=sigmas,
        latent_image=latent,
    )  # fmt: skip
    added = (noisy.samples - latent.samples) * model.family.latent_scale
    assert float(added.std()) == pytest.approx(float(sigmas.values[0]), rel=0.05)
    kept = call(
        "AddNoise", model=model, noise=call("DisableNoise"), sigmas=sigmas, latent_image=latent
    )
    assert torch.equal(kept.samples, latent.samples)


@pytest.mark.parametrize("node_id", OPTION_SAMPLERS)
def test_samplers_with_options_run_with_them(
    call: Call, context: Context, model: Model, node_id: str
) -> None:
    inputs = {"model": model} if node_id == "SamplerSASolver" else {}
    if "noise_device" in INPUTS[node_id]:
        inputs["noise_device"] = "cpu"
    sampler = call(node_id, **inputs)
    assert sampler.name in SAMPLERS
    guider = call("BasicGuider", model=model, conditioning=words(1))
    latent = advanced(call, context, guider, sampler=sampler)
    plain = advanced(
        call, context, guider, sampler=call("KSamplerSelect", sampler_name=sampler.name)
    )
    # Their defaults are those of the plain sampler.
    assert torch.equal(latent, plain)


@pytest.mark.parametrize("node_id", ["SamplerDPMPP_SDE", "SamplerDPMPP_2M_SDE"])
def test_the_noise_device_is_part_of_the_samplers_name(call: Call, node_id: str) -> None:
    assert call(node_id, noise_device="gpu").name.endswith("_gpu")
    assert not call(node_id, noise_device="cpu").name.endswith("_gpu")


# --- noise levels ---


def test_range_schedulers_go_from_the_first_level_to_zero(call: Call) -> None:
    for node_id in ("KarrasScheduler", "ExponentialScheduler", "PolyexponentialScheduler"):
        values = call(node_id, steps=5, sigma_max=10.0, sigma_min=0.1).values
        assert len(values) == 6
        assert values[[0, 4, 5]].tolist() == pytest.approx([10.0, 0.1, 0.0], rel=1e-5)
    assert len(call("VPScheduler", steps=5).values) == 6
    assert len(call("LaplaceScheduler", steps=5).values) == 5


@pytest.mark.parametrize(
    ("node_id", "inputs", "said"),
    [
        ("KarrasScheduler", {"rho": 0.0}, "rho > 0"),
        ("ExponentialScheduler", {"sigma_min": 0.0}, "sigma_min > 0"),
        ("PolyexponentialScheduler", {"sigma_max": 0.0}, "sigma_max > 0"),
    ],
)
def test_levels_that_cannot_be_made_are_refused(
    call: Call, node_id: str, inputs: dict[str, float], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        call(node_id, **inputs)
    assert said in caught.value.text()


def test_basic_scheduler_follows_the_models_levels(call: Call, model: Model) -> None:
    values = call("BasicScheduler", model=model, scheduler="normal", steps=10).values
    torch.testing.assert_close(values, SCHEDULES["normal"](SD, 10))
    half = call("BasicScheduler", model=model, scheduler="normal", steps=5, denoise=0.5).values
    torch.testing.assert_close(half, values[-6:])
    assert len(call("BasicScheduler", model=model, denoise=0.0).values) == 0


def test_lcm_scheduler_takes_the_levels_of_the_authors_scheduler(call: Call, model: Model) -> None:
    values = call("LCMScheduler", model=model, steps=4).values
    torch.testing.assert_close(values[:-1], SD.table[[999, 759, 499, 259]], rtol=1e-6, atol=0)
    half = call("LCMScheduler", model=model, steps=2, denoise=0.5).values
    torch.testing.assert_close(half[:-1], SD.table[[499, 259]], rtol=1e-6, atol=0)
    with pytest.raises(InputError) as caught:
        call("LCMScheduler", model=model, steps=40, denoise=0.5)
    assert caught.value.details["most"] == 25


def test_turbo_and_beta_schedulers(call: Call, model: Model) -> None:
    turbo = call("SDTurboScheduler", model=model, steps=1).values
    torch.testing.assert_close(turbo, torch.tensor([SD.sigma_max, 0.0]))
    beta = call("BetaSamplingScheduler", model=model, steps=20).values
    torch.testing.assert_close(beta, SCHEDULES["beta"](SD, 20))
    with pytest.raises(InputError):
        call("BetaSamplingScheduler", model=model, alpha=0.0)


def test_align_your_steps_gives_nvidias_levels(call: Call) -> None:
    values = call("AlignYourStepsScheduler", model_type="SDXL").values
    assert values[1] == pytest.approx(6.3184485287)
    assert len(values) == 11


def test_levels_are_cut_turned_and_changed(call: Call) -> None:
    sigmas = call("KarrasScheduler", steps=10)
    high, low = call("SplitSigmas", sigmas=sigmas, step=4)
    assert (len(high.values), len(low.values)) == (5, 7)
    assert high.values[-1] == low.values[0]
    high, low = call("SplitSigmasDenoise", sigmas=sigmas, denoise=0.3)
    assert (len(high.values), len(low.values)) == (8, 4)
    assert float(call("FlipSigmas", sigmas=sigmas).values[0]) == pytest.approx(0.0001)
    assert float(call("SetFirstSigma", sigmas=sigmas, sigma=20.0).values[0]) == 20.0
    extended = call("ExtendIntermediateSigmas", sigmas=sigmas, steps=2, end_at_sigma=1.0).values
    assert len(extended) == 11 + int((sigmas.values[:-1] >= 1.0).sum())


def test_percent_to_sigma_names_limits_or_the_models_ends(call: Call, model: Model) -> None:
    def sigma(percent: float, actual: bool) -> float:
        value: float = call(
            "SamplingPercentToSigma", model=model, sampling_percent=percent,
            return_actual_sigma=actual,
        ).sigma_value  # fmt: skip
        return value

    assert sigma(0.5, False) == pytest.approx(1.6155803)
    assert sigma(0.0, False) > 1e8
    assert sigma(0.0, True) == pytest.approx(SD.sigma_max)
    assert sigma(1.0, True) == pytest.approx(SD.sigma_min)

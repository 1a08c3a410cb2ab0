"""Settings of the Stable Diffusion web UI become workflows; what is left out is told."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.comfy.a1111 import Network, is_settings, networks, parse_settings
from graphengine.comfy.a1111_prompt import chunks, subjects, translated
from graphengine.comfy.a1111_workflow import workflow_of
from graphengine.workflow import Link, Workflow

PLAIN = """a red circle on a blue background
Negative prompt: blurry
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 6ce0161689, \
Model: v1-5-pruned-emaonly, RNG: CPU"""


class Made(NamedTuple):
    workflow: Workflow
    told: list[str]

    def all(self, kind: str) -> list[dict[str, Any]]:
        nodes = self.workflow.nodes.values()
        return [dict(node.inputs) for node in nodes if node.type == kind]

    def texts(self) -> list[str]:
        return [inputs["text"] for inputs in self.all("CLIPTextEncode")]


def made(text: str) -> Made:
    workflow, problems = workflow_of(parse_settings(text))
    return Made(workflow, [problem.code for problem in problems])


def with_settings(line: str, prompt: str = "a cat") -> Made:
    return made(f"{prompt}\nSteps: 20, {line}, Model: m, RNG: CPU")


def test_a_plain_text_becomes_the_usual_seven_nodes() -> None:
    found = made(PLAIN)

    assert found.told == []
    assert [node.type for node in found.workflow.nodes.values()] == [
        "CheckpointLoaderSimple",
        "CLIPTextEncode",
        "CLIPTextEncode",
        "EmptyLatentImage",
        "KSampler",
        "VAEDecode",
        "SaveImage",
    ]
    assert found.texts() == ["a red circle on a blue background", "blurry"]
    assert found.all("CheckpointLoaderSimple") == [{"ckpt_name": "v1-5-pruned-emaonly.safetensors"}]
    assert found.all("EmptyLatentImage") == [{"width": 512, "height": 768, "batch_size": 1}]
    sampler = found.all("KSampler")[0]
    assert sampler["positive"] == Link("2", 0)
    assert sampler["negative"] == Link("3", 0)
    literals = {name: value for name, value in sampler.items() if not isinstance(value, Link)}
    assert literals == {
        "seed": 42,
        "steps": 20,
        "cfg": 7.0,
        "sampler_name": "euler_ancestral",
        "scheduler": "normal",
        "denoise": 1.0,
    }


@pytest.mark.parametrize(
    ("line", "sampler", "schedule"),
    [
        ("Sampler: Euler", "euler", "normal"),
        ("Sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("Sampler: DPM++ 2M, Schedule type: Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 3M SDE, Schedule type: SGM Uniform", "dpmpp_3m_sde", "sgm_uniform"),
        ("Sampler: DPM++ 2M, Schedule type: Automatic, Version: v1.9.4", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ SDE, Schedule type: Automatic", "dpmpp_sde", "normal"),
        ("Sampler: DDIM", "ddim", "ddim_uniform"),
        ("Sampler: UniPC", "uni_pc", "normal"),
        ("Sampler: LCM, Schedule type: Simple", "lcm", "simple"),
        ("Sampler: DPM2 a Karras", "dpm_2_ancestral", "karras"),
        ("Sampler: PLMS", "ipndm", "ddim_uniform"),
    ],
)
def test_samplers_and_schedules(line: str, sampler: str, schedule: str) -> None:
    found = with_settings(f"{line}, CFG scale: 7, Seed: 1")

    assert found.told == []
    assert found.all("KSampler")[0]["sampler_name"] == sampler
    assert found.all("KSampler")[0]["scheduler"] == schedule


def test_an_unknown_sampler_is_told() -> None:
    found = with_settings("Sampler: Restart, Seed: 1")

    assert found.told == ["a1111_sampler"]
    assert found.all("KSampler")[0]["sampler_name"] == "euler"


def test_clip_skip_stands_behind_the_loras() -> None:
    found = with_settings("Clip skip: 2", "<lora:a:0.8> a cat <lora:b:0.5:0.25>")

    assert found.all("CLIPSetLastLayer")[0]["stop_at_clip_layer"] == -2
    first, second = found.all("LoraLoader")
    assert (first["lora_name"], first["strength_model"], first["strength_clip"]) == (
        "a.safetensors",
        0.8,
        0.8,
    )
    assert (second["strength_model"], second["strength_clip"]) == (0.25, 0.5)
    assert second["clip"] == Link("2", 1)
    assert found.all("CLIPSetLastLayer")[0]["clip"] == Link("3", 1)
    assert found.texts()[0] == "a cat"


def test_clip_skip_1_is_no_node() -> None:
    assert with_settings("Clip skip: 1").all("CLIPSetLastLayer") == []


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("vae-ft-mse-840000-ema-pruned.safetensors", "vae-ft-mse-840000-ema-pruned.safetensors"),
        ("kl-f8-anime2.ckpt", "kl-f8-anime2.ckpt"),
        ("None", None),
        ("Automatic", None),
    ],
)
def test_a_vae_of_its_own(value: str, name: str | None) -> None:
    found = with_settings(f"VAE hash: 735e4c3a44, VAE: {value}")

    assert found.all("VAELoader") == ([] if name is None else [{"vae_name": name}])


def test_hires_fix_in_the_latent() -> None:
    found = with_settings(
        "Size: 512x512, Seed: 3, Denoising strength: 0.55, Hires upscale: 1.5, Hires steps: 12, "
        "Hires upscaler: Latent (nearest-exact)"
    )

    (larger,) = found.all("LatentUpscale")
    assert (larger["upscale_method"], larger["width"], larger["height"]) == (
        "nearest-exact",
        768,
        768,
    )
    first, second = found.all("KSampler")
    assert (first["denoise"], second["denoise"]) == (1.0, 0.55)
    assert (first["steps"], second["steps"]) == (20, 12)
    assert second["seed"] == 3


def test_hires_fix_with_a_model() -> None:
    found = with_settings(
        "Size: 512x512, Denoising strength: 0.4, Hires resize: 900x1203, "
        "Hires upscaler: R-ESRGAN 4x+"
    )

    assert found.all("UpscaleModelLoader") == [{"model_name": "R-ESRGAN 4x+.pth"}]
    (scaled,) = found.all("ImageScale")
    assert (scaled["width"], scaled["height"], scaled["upscale_method"]) == (896, 1200, "lanczos")
    assert len(found.all("VAEEncode")) == 1


def test_hires_fix_with_its_own_prompt() -> None:
    found = with_settings(
        'Denoising strength: 0.4, Hires upscale: 2, Hires prompt: "a big cat, fur", '
        "Hires upscaler: Lanczos"
    )

    assert found.texts() == ["a cat", "", "a big cat, fur"]


def test_a_picture_that_was_changed_is_told() -> None:
    assert with_settings("Denoising strength: 0.5").told == ["a1111_from_picture"]


def test_settings_without_counterpart_are_told_one_by_one() -> None:
    found = with_settings("ENSD: 31337, Variation seed: 4, Variation seed strength: 0.1")

    assert found.told == ["a1111_not_taken"] * 3


def test_noise_of_a_gpu_is_told() -> None:
    assert made("a cat\nSteps: 4, Model: m").told == ["a1111_noise"]


def test_a_checkpoint_known_by_its_hash_only() -> None:
    found = made("a cat\nSteps: 4, Model hash: 6ce0161689, RNG: CPU")

    assert found.told == ["a1111_no_model"]
    assert found.all("CheckpointLoaderSimple") == [{"ckpt_name": "6ce0161689.safetensors"}]


def test_a_batch() -> None:
    assert with_settings("Batch size: 4").all("EmptyLatentImage")[0]["batch_size"] == 4


def test_embeddings_that_the_hashes_name() -> None:
    found = made(
        "a cat\nNegative prompt: EasyNegative, (bad-hands-5:1.2), EasyNegativeV2\n"
        'Steps: 4, Model: m, TI hashes: "EasyNegative: c74b4e810b03, bad-hands-5: aa7651be154c", '
        "RNG: CPU"
    )

    assert found.texts()[1] == (
        "embedding:EasyNegative, (embedding:bad-hands-5:1.2), EasyNegativeV2"
    )


def test_prompts_of_several_lines_and_in_japanese() -> None:
    found = made(
        "赤い丸、\n青い背景\n\nNegative prompt: ぼやけた,\n低品質\nSteps: 8, Seed: 5, Model: 模型"
    )

    assert found.texts() == ["赤い丸、\n青い背景", "ぼやけた,\n低品質"]
    assert found.all("CheckpointLoaderSimple") == [{"ckpt_name": "模型.safetensors"}]


def test_break_and_and() -> None:
    found = with_settings("Seed: 1", "sky BREAK sea AND a cat :1.3")

    assert found.texts() == ["sky", "sea", "a cat", ""]
    assert len(found.all("ConditioningConcat")) == 1
    assert len(found.all("ConditioningCombine")) == 1
    assert found.told == ["a1111_subject_weight"]


def test_a_hypernetwork() -> None:
    found = with_settings("Seed: 1", "<hypernet:marble:0.6> a cat")

    (loader,) = found.all("HypernetworkLoader")
    assert (loader["hypernetwork_name"], loader["strength"]) == ("marble.safetensors", 0.6)


def test_text_without_settings_is_all_prompt() -> None:
    found = parse_settings("a cat\nNegative prompt: a dog")

    assert (found.positive, found.negative, found.values) == ("a cat", "a dog", {})
    assert not is_settings("a cat")
    assert is_settings(PLAIN)


def test_values_in_quotes_may_hold_commas() -> None:
    found = parse_settings('x\nSteps: 1, Lora hashes: "a: 12ab, b: 34CD", Version: v1.6.0')

    assert found.hashes("Lora hashes") == {"a": "12ab", "b": "34cd"}
    assert found.values["Version"] == "v1.6.0"


@pytest.mark.parametrize(
    ("written", "meant", "simplified"),
    [
        ("(cat:1.2), ((dog))", "(cat:1.2), ((dog))", ()),
        ("[cat]", "(cat:0.909)", ()),
        ("[[cat]]", "((cat:0.909):0.909)", ()),
        (r"\[cat\]", r"\[cat\]", ()),
        ("[cat:dog:0.5]", "dog", ("[cat:dog:0.5]",)),
        ("[cat::0.5]", "cat", ("[cat::0.5]",)),
        ("[cat:0.5]", "cat", ("[cat:0.5]",)),
        ("[cat|dog]", "cat", ("[cat|dog]",)),
        ("[(cat:1.2)]", "((cat:1.2):0.909)", ()),
    ],
)
def test_prompts_in_our_syntax(written: str, meant: str, simplified: tuple[str, ...]) -> None:
    assert translated(written, ()) == (meant, simplified)


def test_tags_for_networks() -> None:
    assert networks("a <lora:x:te=0.5:unet=0.7> b") == ("a b", (Network("loras", "x", 0.7, 0.5),))
    assert networks("<lora:x>")[1] == (Network("loras", "x", 1.0, 1.0),)
    assert networks("plain  text") == ("plain  text", ())
    assert chunks("a BREAK b") == ("a", "b")
    assert subjects("a AND b") == (("a", 1.0), ("b", 1.0))


@given(st.text(alphabet='ab :,\n"[]|()<>\\0.9ANDBREKSteps', max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    found = made(f"{text}\nSteps: 20, Size: 99999x1, {text}")

    assert len(found.all("SaveImage")) == 1

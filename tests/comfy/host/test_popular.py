"""What popular plugins do to models, samplers and weights gives what our own nodes give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.diffusion.clip_vision import VisionLayout, build_clip_vision, vision_table
from graphengine.diffusion.controlnet import ControlNetLayout, build_controlnet, controlnet_table
from tests.comfy.host.prompts import error_of, link, node, shown, watched
from tests.comfy.host.test_networks import STARTER, apart
from tests.diffusion import tiny_models as tiny
from tests.server.client import Client
from tests.server.conftest import Serve

LORA = "graphengine-starter-lcm.safetensors"


def beginning() -> dict[str, Any]:
    return {
        "file": node("CheckpointLoaderSimple", ckpt_name=STARTER),
        "words": node("CLIPTextEncode", clip=link("file", 1), text="a red circle"),
        "none": node("CLIPTextEncode", clip=link("file", 1), text=""),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    }


def sampled(model: str = "file", **changes: Any) -> dict[str, Any]:
    usual = {
        "model": link(model),
        "positive": link("words"),
        "negative": link("none"),
        "latent_image": link("empty"),
        "seed": 7,
        "steps": 3,
        "cfg": 4.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    return node("KSampler", **{**usual, **changes})


def by_parts(**changes: Any) -> dict[str, Any]:
    usual = {
        "noise": link("noise"),
        "guider": link("guider"),
        "sampler": link("sampler"),
        "sigmas": link("sigmas"),
        "latent_image": link("empty"),
    }
    return node("SamplerCustomAdvanced", **{**usual, **changes})


def parts() -> dict[str, Any]:
    sides = {"model": link("file"), "positive": link("words"), "negative": link("none")}
    return {
        **beginning(),
        "noise": node("RandomNoise", noise_seed=7),
        "guider": node("CFGGuider", **sides, cfg=4.0),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node(
            "BasicScheduler", model=link("file"), scheduler="normal", steps=3, denoise=1.0
        ),
        "ours": by_parts(),
    }


@pytest.mark.parametrize(
    ("how", "cfg", "steps"),
    [
        ("asked_again", 4.0, 2),
        ("thresholded", 4.0, 2),
        ("thresholded", 1.0, 2),
        ("one_by_one", 4.0, 2),
        ("by_hand", 4.0, 2),
        ("replaced", 4.0, 2),
        ("around", 4.0, 2),
    ],
)
def test_guidance_done_in_another_way_is_the_same(
    serve: Serve, how: str, cfg: float, steps: int
) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            **beginning(),
            "model": node("PopGuide", model=link("file"), how=how),
            "ours": sampled(cfg=cfg, steps=steps),
            "theirs": sampled("model", cfg=cfg, steps=steps),
            "same": node("NetSame", a=link("ours"), b=link("theirs")),
        }
        assert await apart(client, nodes) < 1e-3

    serve(scenario)


def test_perturbed_attention_of_a_plugin_is_ours(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            **beginning(),
            "pag": node("PerturbedAttentionGuidance", model=link("file"), scale=3.0),
            "model": node("PopGuide", model=link("file"), how="perturbed"),
            "coupled": node("PopGuide", model=link("model"), how="couple"),
            "ours": sampled("pag"),
            "theirs": sampled("model"),
            "other": sampled("coupled"),
            "same": node("NetSame", a=link("ours"), b=link("theirs")),
            "differs": node("NetSame", a=link("ours"), b=link("other")),
        }
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        assert float(shown(entry, "same")[0]) < 1e-3
        assert float(shown(entry, "differs")[0]) < 1e-3  # halves that see the same words

    serve(scenario)


def test_what_is_not_here_fails_by_its_name_where_it_is_used(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            **beginning(),
            "model": node("PopGuide", model=link("file"), how="derived_attention"),
            "ours": sampled("model"),
            "out": node("NetSame", a=link("ours"), b=link("ours")),
        }
        entry, _ = await watched(client, nodes)
        said = error_of(entry)["exception_message"]
        assert "comfy.ldm.modules.attention.CrossAttention" in said

    serve(scenario)


def test_methods_noise_and_guiders_of_plugins_are_sampled_with(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = parts()
        nodes["ancestral"] = node("KSamplerSelect", sampler_name="euler_ancestral")
        nodes["cfg++"] = node("KSamplerSelect", sampler_name="euler_cfg_pp")
        nodes["sde"] = node("KSamplerSelect", sampler_name="dpmpp_sde")
        references = {"own ancestral": "ancestral", "own cfg++": "cfg++", "brownian": "sde"}
        ways = ("own euler", "own ancestral", "own cfg++", "daemon", "named", "brownian")
        for how in ways:
            method = references.get(how, "sampler")
            nodes[f"ours {how}"] = by_parts(sampler=link(method))
            nodes[how] = node("PopMethod", how=how, sampler=link("sampler"))
            nodes[f"by {how}"] = by_parts(sampler=link(how))
            nodes[f"same {how}"] = node("NetSame", a=link(f"ours {how}"), b=link(f"by {how}"))
        for how in ("plain", "doubled", "three"):
            sides = {"model": link("file"), "positive": link("words"), "negative": link("none")}
            nodes[how] = node("PopMakeGuider", **sides, how=how)
            nodes[f"by {how}"] = by_parts(guider=link(how))
            nodes[f"same {how}"] = node("NetSame", a=link("ours"), b=link(f"by {how}"))
        nodes["own"] = node("PopMakeNoise", seed=7, how="own")
        nodes["by own"] = by_parts(noise=link("own"))
        nodes["same own"] = node("NetSame", a=link("ours"), b=link("by own"))
        for name, changes in {"whole": {}, "whole three": {"guider": link("three")}}.items():
            theirs = {**by_parts(**changes), "class_type": "PopSampleWith"}
            nodes[f"by {name}"] = theirs
            nodes[f"same {name}"] = node("NetSame", a=link("ours"), b=link(f"by {name}"))
        nodes["twice"] = node("PopMethod", how="twice")
        nodes["by twice"] = by_parts(sampler=link("twice"))
        nodes["none at all"] = node("PopMakeNoise", seed=7, how="none")
        nodes["by none"] = by_parts(noise=link("none at all"))
        for name in ("twice", "none"):
            nodes[f"differs {name}"] = node("NetSame", a=link("ours"), b=link(f"by {name}"))
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        same = {key: float(shown(entry, key)[0]) for key in nodes if key.startswith("same")}
        assert max(same.values()) < 2e-3, same
        for key in ("differs twice", "differs none"):
            assert float(shown(entry, key)[0]) > 0.01, key
        nodes["wrong"] = node("PopMethod", how="wrong")
        nodes["by wrong"] = by_parts(sampler=link("wrong"))
        nodes["out"] = node("NetSame", a=link("ours"), b=link("by wrong"))
        entry, _ = await watched(client, nodes)
        assert "needs SAMPLER" in error_of(entry)["exception_message"]

    serve(scenario)


def test_methods_and_schedules_that_plugins_add_are_found_by_name(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            **beginning(),
            "ours": sampled(),
            "theirs": sampled(sampler_name="own_named", scheduler="own_levels"),
            "same": node("NetSame", a=link("ours"), b=link("theirs")),
        }
        assert await apart(client, nodes) < 1e-3
        sampling = {**sampled()["inputs"], "model": link("file")}
        kept = ("positive", "negative", "latent_image", "seed")
        given = {name: sampling[name] for name in kept}
        nodes["theirs"] = node(
            "NetSample", model=link("file"), how="common", sampler_name="own_named",
            scheduler="own_levels", **given,
        )  # fmt: skip
        nodes["ours"] = sampled(steps=2)
        assert await apart(client, nodes) < 1e-3

    serve(scenario)


@pytest.mark.parametrize("how", ["lora", "lora file", "lora blocks"])
def test_a_lora_taken_apart_is_the_lora(serve: Serve, how: str) -> None:
    async def scenario(client: Client) -> None:
        lora = {"model": link("file"), "clip": link("file", 1), "lora_name": LORA}
        both = {"strength_model": 0.8, "strength_clip": 0.8}
        changed = {"model": link("file"), "clip": link("file", 1), "lora": LORA}
        nodes = {
            **beginning(),
            "lora": node("LoraLoader", **lora, **both),
            "model": node("PopChange", **changed, how=how),
            "ours": sampled("lora"),
            "theirs": sampled("model"),
            "plain": sampled(),
            "same": node("NetSame", a=link("ours"), b=link("theirs")),
            "differs": node("NetSame", a=link("ours"), b=link("plain")),
        }
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        assert float(shown(entry, "same")[0]) < 1e-4
        assert float(shown(entry, "differs")[0]) > 0.01

    serve(scenario)


def test_models_are_merged_resampled_and_looked_into(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {**beginning(), "ours": sampled()}
        references = {
            "sampling v": ("v_prediction", False),
            "sampling zsnr": ("eps", True),
            "sampling eps": ("eps", False),
            "sampling own": ("eps", False),
        }
        for how in ("merge", "look", "own network", *references):
            kind, zsnr = references.get(how, (None, False))
            nodes[how] = node("PopChange", model=link("file"), clip=link("file", 1), how=how)
            nodes[f"by {how}"] = sampled(how)
            reference = "ours"
            if kind is not None:
                nodes[f"as {how}"] = node(
                    "ModelSamplingDiscrete", model=link("file"), sampling=kind, zsnr=zsnr
                )
                nodes[f"ours {how}"] = sampled(f"as {how}")
                reference = f"ours {how}"
            nodes[f"same {how}"] = node("NetSame", a=link(reference), b=link(f"by {how}"))
        # Rescaled from the levels that it sees, which are rounded.
        zsnr = nodes.pop("same sampling zsnr")
        nodes["near"] = zsnr
        nodes["merged words"] = node("CLIPTextEncode", clip=link("merge", 1), text="a red circle")
        nodes["same words"] = node("NetSame", a=link("words"), b=link("merged words"))
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        same = {key: float(shown(entry, key)[0]) for key in nodes if key.startswith("same")}
        assert max(same.values()) < 2e-3, same
        assert float(shown(entry, "near")[0]) < 0.05

    serve(scenario)


def small_networks(models: Path) -> None:
    """Tiny checkpoints, a control network, a CLIP that sees and an upscale model."""
    vision = VisionLayout("openclip", 64, 2, 128, patch=4, positions=5, projection=32)
    control = ControlNetLayout(tiny.SD1_UNET, 3, (8, 16, 16, 32))
    zeros = {f"body.{n}.{part}": shape for n, part, shape in (
        (0, "weight", (4, 3, 3, 3)), (0, "bias", (4,)), (1, "weight", (4,)),
        (2, "weight", (12, 4, 3, 3)), (2, "bias", (12,)),
    )}  # fmt: skip
    files = {
        "checkpoints/sd1": tiny.checkpoint_tensors("sd1"),
        "checkpoints/sdxl": tiny.checkpoint_tensors("sdxl"),
        "controlnet/net": tiny.random_tensors(
            build_controlnet(control), controlnet_table(control), 1
        ),
        "clip_vision/eye": {
            f"visual.{name}": tensor
            for name, tensor in tiny.random_tensors(
                build_clip_vision(vision), vision_table(vision), 1
            ).items()
        },
        "upscale_models/x2": {name: torch.zeros(shape) for name, shape in zeros.items()},
    }
    for name, tensors in files.items():
        path = models / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(path))


def test_control_sight_and_upscaling_cross_unchanged(serve: Serve, tmp_path: Path) -> None:
    small_networks(tmp_path / "models")

    async def scenario(client: Client) -> None:
        control = {"control_net": link("net"), "image": link("picture")}
        nodes = {
            **beginning(),
            "file": node("CheckpointLoaderSimple", ckpt_name="sd1.safetensors"),
            "net": node("ControlNetLoader", control_net_name="net.safetensors"),
            "eye": node("CLIPVisionLoader", clip_name="eye.safetensors"),
            "x2": node("UpscaleModelLoader", model_name="x2.safetensors"),
            "picture": node("EmptyImage", width=64, height=64, batch_size=1, color=8421376),
            "steered": node(
                "ControlNetApplyAdvanced", positive=link("words"), negative=link("none"),
                strength=0.7, start_percent=0.0, end_percent=0.8, **control,
            ),
            "by hand": node("PopControl", positive=link("words"), strength=0.7, **control),
            "ours": sampled(positive=link("steered"), negative=link("steered", 1)),
            "theirs": sampled(positive=link("by hand")),
            "same control": node("NetSame", a=link("ours"), b=link("theirs")),
            "plain": sampled(),
            "differs": node("NetSame", a=link("ours"), b=link("plain")),
            "larger": node(
                "ImageUpscaleWithModel", upscale_model=link("x2"), image=link("picture")
            ),
            "looks": node(
                "PopLooks", image=link("picture"), clip_vision=link("eye"), upscale_model=link("x2")
            ),
            "same picture": node("NetSame", a=link("larger"), b=link("looks")),
            "seen": node("CLIPVisionEncode", clip_vision=link("eye"), image=link("picture"),
                         crop="center"),
            "adm": node("PopSeen", a=link("looks", 1), b=link("seen")),
        }  # fmt: skip
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        assert float(shown(entry, "differs")[0]) > 1e-4
        for key in ("same control", "same picture", "adm"):
            assert float(shown(entry, key)[0]) < 1e-4, key
        nodes["by hand"]["inputs"]["own"] = True
        entry, _ = await watched(client, nodes)
        assert "a control of the class" in error_of(entry)["exception_message"]

    serve(scenario)


def test_both_encoders_of_sdxl_are_there(serve: Serve, tmp_path: Path) -> None:
    small_networks(tmp_path / "models")

    async def scenario(client: Client) -> None:
        nodes = {
            **beginning(),
            "file": node("CheckpointLoaderSimple", ckpt_name="sdxl.safetensors"),
            "merged": node("PopChange", model=link("file"), clip=link("file", 1), how="merge"),
            "perturbed": node("PopGuide", model=link("merged"), how="one_by_one"),
            "ours": sampled(),
            "theirs": sampled("perturbed"),
            "same": node("NetSame", a=link("ours"), b=link("theirs")),
            "two": node("PopTwo", model=link("file"), clip=link("file", 1)),
        }
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        assert float(shown(entry, "same")[0]) < 5e-3

    serve(scenario)

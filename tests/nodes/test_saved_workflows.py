"""Whole workflows with tiny models: what re-runs after an edit, merges, bad input, saved files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from graphengine.comfy.layouts import Layouts
from graphengine.engine import Engine, RunResult
from graphengine.errors import ProblemsFound
from graphengine.opening import open_file
from graphengine.settings import Settings
from graphengine.workflow import load_workflow, parse_api
from tests.diffusion import tiny_models as tiny

SAVED = sorted(Path("/work/shared/workflows").glob("*.api.json"))


def n(type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": type, "inputs": inputs}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tiny checkpoints, their VAEs, a LoRA and a picture."""
    folder = tmp_path_factory.mktemp("base")
    for kind in ("checkpoints", "vae", "loras", "controlnet"):
        (folder / "models" / kind).mkdir(parents=True)
    for seed, name in enumerate(("a", "b")):
        path = folder / "models" / "checkpoints" / f"{name}.safetensors"
        tiny.make_checkpoint(path, seed=10 * seed)
        vae = tiny.vae_tensors(tiny.VAE, seed=seed + 50)
        save_file(vae, folder / "models" / "vae" / f"{name}.safetensors")
    tiny.make_checkpoint(folder / "models" / "checkpoints" / "xl.safetensors", family="sdxl")
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    lora = {
        f"{name}.lora_up.weight": torch.ones(64, 2),
        f"{name}.lora_down.weight": torch.ones(2, 64),
    }
    save_file(lora, folder / "models" / "loras" / "style.safetensors")
    (folder / "input").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "input" / "picture.png")
    return folder


@pytest.fixture
def engine(base: Path, tmp_path: Path) -> Engine:
    """An engine that remembers nothing of the other tests."""
    settings = Settings(
        base_directory=tmp_path,
        models_directory=base / "models",
        input_directory=base / "input",
        device="cpu",
    )
    return Engine.open(settings)


def painting(**changes: Any) -> dict[str, Any]:
    """Text to image with a LoRA and a VAE of its own."""
    nodes = {
        "load": n("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        "vae": n("VAELoader", vae_name="a.safetensors"),
        "lora": n(
            "LoraLoader",
            model=["load", 0],
            clip=["load", 1],
            lora_name="style.safetensors",
            strength_model=0.5,
            strength_clip=0.5,
        ),
        "yes": n("CLIPTextEncode", text="a cat", clip=["lora", 1]),
        "no": n("CLIPTextEncode", text="blurry", clip=["lora", 1]),
        "empty": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sample": n(
            "KSampler",
            model=["lora", 0],
            seed=1,
            steps=2,
            cfg=7.0,
            sampler_name="euler",
            scheduler="normal",
            positive=["yes", 0],
            negative=["no", 0],
            latent_image=["empty", 0],
            denoise=1.0,
        ),
        "decode": n("VAEDecode", samples=["sample", 0], vae=["vae", 0]),
        "save": n("SaveImage", images=["decode", 0], filename_prefix="test"),
    }
    return _changed(nodes, changes)


def _changed(nodes: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        node_id, _, input_name = name.partition("__")
        if input_name:
            nodes[node_id]["inputs"][input_name] = value
        else:
            nodes[node_id] = value
    return nodes


def rerun(engine: Engine, **changes: Any) -> set[str]:
    """Which nodes run after an edit, as explained beforehand and as they then do."""
    engine.run(parse_api(painting())).raise_for_status()
    edited = parse_api(painting(**changes))
    expected = {id for id, reason in engine.explain(edited).items() if reason.runs}
    result = engine.run(edited).raise_for_status()
    assert {id for id, reason in result.reasons.items() if reason.runs} == expected
    return expected


def failing(engine: Engine, nodes: dict[str, Any]) -> RunResult:
    result = engine.run(parse_api(nodes))
    assert result.status == "failed"
    assert result.error is not None
    return result


def test_another_vae_reruns_only_decoding_and_saving(engine: Engine) -> None:
    assert rerun(engine, vae__vae_name="b.safetensors") == {"vae", "decode", "save"}


def test_another_seed_encodes_no_text_and_loads_nothing(engine: Engine) -> None:
    assert rerun(engine, sample__seed=2) == {"sample", "decode", "save"}


def test_another_strength_of_a_lora_loads_no_checkpoint(engine: Engine) -> None:
    found = rerun(engine, lora__strength_model=0.7)
    assert found == {"lora", "yes", "no", "sample", "decode", "save"}
    assert found.isdisjoint({"load", "vae"})


def test_a_merged_model_is_saved_and_loaded_again(engine: Engine, base: Path) -> None:
    nodes = {
        "a": n("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        "b": n("CheckpointLoaderSimple", ckpt_name="b.safetensors"),
        "model": n("ModelMergeSimple", model1=["a", 0], model2=["b", 0], ratio=0.25),
        "blocks": n(
            "ModelMergeBlocks",
            model1=["a", 0],
            model2=["model", 0],
            input=1.0,
            middle=0.0,
            out=1.0,
        ),
        "clip": n("CLIPMergeSimple", clip1=["a", 1], clip2=["b", 1], ratio=0.5),
        "save": n(
            "CheckpointSave",
            model=["blocks", 0],
            clip=["clip", 0],
            vae=["a", 2],
            filename_prefix="merged/mix",
        ),
    }
    result = engine.run(parse_api(nodes)).raise_for_status()
    saved = load_file(result.artifacts["save"].texts[0])
    one, two = (load_file(base / "models" / "checkpoints" / f"{x}.safetensors") for x in "ab")
    network = "model.diffusion_model."
    first, middle = (
        f"{network}input_blocks.1.0.in_layers.2.weight",
        f"{network}middle_block.0.in_layers.2.weight",
    )
    assert torch.equal(saved[first], one[first])
    torch.testing.assert_close(saved[middle], 0.25 * one[middle] + 0.75 * two[middle])
    text = "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight"
    half = (one[text].half() + two[text].half()) / 2
    torch.testing.assert_close(saved[text].float(), half.float(), rtol=1e-2, atol=1e-3)
    decoder = "first_stage_model.decoder.conv_in.weight"
    assert torch.equal(saved[decoder], one[decoder])


def cause(error: BaseException | None) -> str:
    """The code of the innermost error of ours."""
    code = ""
    while error is not None:
        code, error = getattr(error, "code", code), error.__cause__
    return code


def test_a_lora_of_another_family_is_named(engine: Engine) -> None:
    result = failing(engine, painting(load__ckpt_name="xl.safetensors"))
    assert cause(result.error) == "lora_wrong_shape"


def test_a_prompt_of_another_family_is_named(engine: Engine) -> None:
    nodes = painting(
        wide=n("CheckpointLoaderSimple", ckpt_name="xl.safetensors"), yes__clip=["wide", 1]
    )
    assert cause(failing(engine, nodes).error) == "context_width"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sample__steps": 0}, "below_minimum"),
        ({"sample__cfg": 101.0}, "above_maximum"),
        ({"sample__denoise": 1.5}, "above_maximum"),
    ],
)
def test_values_out_of_range_are_refused_before_anything_runs(
    engine: Engine, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ProblemsFound) as found:
        engine.run(parse_api(painting(**changes)))
    assert [each.code for each in found.value.problems] == [problem]


@pytest.mark.parametrize("cfg", [0.0, 1.0, 30.0, 100.0])
def test_any_scale_of_guidance_paints(engine: Engine, cfg: float) -> None:
    nodes = painting(sample__cfg=cfg)
    result = engine.run(parse_api(nodes), targets=["sample"]).raise_for_status()
    assert torch.isfinite(result.outputs["sample"][0].samples).all()


def test_denoise_zero_gives_the_picture_back(engine: Engine) -> None:
    nodes = painting(
        picture=n("LoadImage", image="picture.png"),
        encode=n("VAEEncode", pixels=["picture", 0], vae=["vae", 0]),
        sample__latent_image=["encode", 0],
        sample__denoise=0.0,
    )
    result = engine.run(parse_api(nodes), targets=["sample", "encode"]).raise_for_status()
    assert torch.equal(result.outputs["sample"][0].samples, result.outputs["encode"][0].samples)


def test_a_mask_of_another_size_is_fitted(engine: Engine) -> None:
    nodes = painting(
        picture=n("LoadImage", image="picture.png"),
        encode=n("VAEEncode", pixels=["picture", 0], vae=["vae", 0]),
        mask=n("SolidMask", value=0.0, width=24, height=40),
        masked=n("SetLatentNoiseMask", samples=["encode", 0], mask=["mask", 0]),
        sample__latent_image=["masked", 0],
    )
    result = engine.run(parse_api(nodes), targets=["sample", "encode"]).raise_for_status()
    kept = result.outputs["encode"][0].samples
    torch.testing.assert_close(result.outputs["sample"][0].samples, kept, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not SAVED, reason="the saved workflows are not there")
@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name)
def test_a_saved_workflow_lacks_nothing_but_model_files_and_pictures(
    engine: Engine, path: Path
) -> None:
    try:
        engine.build(load_workflow(path))
    except ProblemsFound as found:
        others = [each for each in found.problems if each.code != "missing_file"]
        # One of them was saved with an input that nobody had connected.
        known = {("ConditioningCombine", "missing_input")}
        workflow = load_workflow(path)
        assert {(workflow.nodes[p.node_id or ""].type, p.code) for p in others} <= known


@pytest.mark.skipif(not SAVED, reason="the saved workflows are not there")
@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name)
def test_a_workflow_of_the_peers_editor_becomes_what_the_peer_makes_of_it(
    engine: Engine, path: Path
) -> None:
    drawn = path.with_name(path.name.replace(".api.", ".ui."))
    found = open_file(drawn, Layouts(engine.registry)).workflow.nodes
    wanted = load_workflow(path).nodes
    assert {id: (node.type, node.inputs) for id, node in found.items()} == {
        id: (node.type, node.inputs) for id, node in wanted.items()
    }

"""Nodes that change, merge and save models: each against its formula, through the node itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from graphengine.api import Clip, Conditioning, Context, Folders, Image, Model, Sampler, Vae
from graphengine.diffusion.deep_shrink import DeepShrink
from graphengine.diffusion.guidance_variants import (
    CfgNorm,
    CfgZeroStar,
    FrequencyScaling,
    RenormCfg,
    TangentialDamping,
)
from graphengine.diffusion.self_attention_guidance import SelfAttentionGuidance
from graphengine.sockets import Condition
from tests.diffusion import tiny_models as tiny

Call = Callable[..., Any]
WEIGHT = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
TEXT = "encoder.layers.0.mlp.fc1.weight"
UP, DOWN = torch.ones(64, 2), torch.full((2, 64), 0.5)


@pytest.fixture
def parts(call: Call, context: Context, folders: Folders) -> Callable[[int], Any]:
    """Model, text encoder and VAE of a checkpoint of a seed."""
    folder = folders.roots("checkpoints")[0]
    folder.mkdir(parents=True)

    def load(seed: int) -> Any:
        tiny.make_checkpoint(folder / f"{seed}.safetensors", seed=seed)
        return call("CheckpointLoaderSimple", ckpt_name=f"{seed}.safetensors", context=context)

    return load


def weight(context: Context, model: Model) -> Tensor:
    found: Tensor = context.models.unet(model).state_dict()[WEIGHT]
    return found


def text_weight(context: Context, clip: Clip) -> Tensor:
    network = context.models.text_encoder(clip.encoders[0], clip.patches)
    found: Tensor = network.state_dict()[TEXT]
    return found


def test_models_are_added_and_subtracted(
    call: Call, context: Context, parts: Callable[[int], Any]
) -> None:
    one, two = parts(0).model, parts(50).model
    first, second = weight(context, one), weight(context, two)
    added = call("ModelMergeAdd", model1=one, model2=two)
    torch.testing.assert_close(weight(context, added), first + second)
    less = call("ModelMergeSubtract", model1=one, model2=two, multiplier=0.5)
    # The field's formula: the multiplier is on both.
    torch.testing.assert_close(weight(context, less), 0.5 * first - 0.5 * second)


def test_text_encoders_are_added_and_subtracted(
    call: Call, context: Context, parts: Callable[[int], Any]
) -> None:
    one, two = parts(0).clip, parts(50).clip
    first, second = text_weight(context, one), text_weight(context, two)
    near = {"rtol": 2e-3, "atol": 2e-3}  # rounded to half precision
    added = call("CLIPMergeAdd", clip1=one, clip2=two)
    torch.testing.assert_close(text_weight(context, added), first + second, **near)
    less = call("CLIPMergeSubtract", clip1=one, clip2=two, multiplier=0.5)
    torch.testing.assert_close(text_weight(context, less), 0.5 * (first - second), **near)


def test_a_lora_for_the_model_alone_adds_its_product(
    call: Call, context: Context, folders: Folders, parts: Callable[[int], Any]
) -> None:
    folder = folders.roots("loras")[0]
    folder.mkdir(parents=True)
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {f"{name}.lora_up.weight": UP, f"{name}.lora_down.weight": DOWN}
    save_file(tensors, folder / "style.safetensors")
    model = parts(0).model
    changed = call(
        "LoraLoaderModelOnly",
        model=model,
        lora_name="style.safetensors",
        strength_model=0.25,
        context=context,
    )
    # Every entry of up · down is 2 · 1 · 0.5.
    torch.testing.assert_close(weight(context, changed), weight(context, model) + 0.25)


@pytest.mark.parametrize(("node_id", "given"), [("CLIPSave", "clip"), ("VAESave", "vae")])
def test_a_part_of_a_model_is_saved_as_it_was(
    call: Call, context: Context, parts: Callable[[int], Any], node_id: str, given: str
) -> None:
    loaded = parts(0)
    part: Clip | Vae = getattr(loaded, given)
    saved = call(node_id, **{given: part}, filename_prefix="parts/mine", context=context)
    found = load_file(saved.texts[0])
    assert Path(saved.texts[0]).name == "mine_00001_.safetensors"
    before = load_file(loaded.model.weights.file.path)
    prefix = "" if given == "clip" else "first_stage_model."
    assert len(found) > 20
    assert all(torch.equal(tensor, before[prefix + key]) for key, tensor in found.items())


def test_the_difference_of_two_models_is_saved_as_a_lora(
    call: Call, context: Context, parts: Callable[[int], Any]
) -> None:
    one, two = parts(0).model, parts(50).model
    difference = call("ModelMergeSubtract", model1=two, model2=one)
    saved = call(
        "LoraSave",
        filename_prefix="loras/mine",
        rank=4,
        lora_type="full_diff",
        model_diff=difference,
        context=context,
    )
    found = load_file(saved.texts[0])[
        "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.diff"
    ]
    wanted = weight(context, two) - weight(context, one)
    torch.testing.assert_close(found.float(), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("node_id", "inputs", "option"),
    [
        ("CFGZeroStar", {}, CfgZeroStar()),
        ("TCFG", {}, TangentialDamping()),
        ("CFGNorm", {"strength": 0.5}, CfgNorm(0.5)),
        ("RenormCFG", {"cfg_trunc": 9.0, "renorm_cfg": 2.0}, RenormCfg(9.0, 2.0)),
        (
            "FreSca",
            {"scale_low": 0.9, "scale_high": 1.5, "freq_cutoff": 7},
            FrequencyScaling(0.9, 1.5, 7),
        ),
        (
            "SelfAttentionGuidance",
            {"scale": 0.75, "blur_sigma": 3.0},
            SelfAttentionGuidance(0.75, 3.0),
        ),
    ],
)
def test_a_guidance_node_puts_its_numbers_on_the_model(
    call: Call, parts: Callable[[int], Any], node_id: str, inputs: dict[str, Any], option: object
) -> None:
    model = parts(0).model
    found = call(node_id, model=model, **inputs)
    changed = found if isinstance(found, Model) else found.patched_model
    assert changed.options == (*model.options, option)


def test_deep_shrink_acts_in_its_part_of_the_run(call: Call, parts: Callable[[int], Any]) -> None:
    model = parts(0).model
    changed = call(
        "PatchModelAddDownscale",
        model=model,
        block_number=2,
        downscale_factor=2.0,
        start_percent=0.1,
        end_percent=0.5,
    )
    option = DeepShrink(2, 2.0, 0.1, 0.5, after_skip=True, down="bicubic", up="bicubic")
    assert changed.options == (*model.options, option)


def test_the_growing_lcm_sampler_carries_its_options(call: Call) -> None:
    found = call(
        "SamplerLCMUpscale", scale_ratio=2.0, scale_steps=3, upscale_method="nearest-exact"
    )
    assert found == Sampler(
        "lcm_upscale",
        (("scale_ratio", 2.0), ("scale_steps", 3), ("upscale_method", "nearest-exact")),
    )


def test_attention_counts_as_much_as_told(
    call: Call, context: Context, parts: Callable[[int], Any]
) -> None:
    loaded = parts(0)
    store, factors = context.models, {"q": 2.0, "k": 0.5, "v": 3.0, "out": 0.25}
    before = store.unet(loaded.model).state_dict()
    for node_id, layer in (
        ("UNetSelfAttentionMultiply", "attn1"),
        ("UNetCrossAttentionMultiply", "attn2"),
    ):
        changed = store.unet(call(node_id, model=loaded.model, **factors)).state_dict()
        touched = {key for key in before if not torch.equal(changed[key], before[key])}
        # Three projections without bias and one with it, in each of nine transformers.
        assert len(touched) == 9 * 5
        assert all(f".{layer}." in key for key in touched)
        block = f"mid_block.attentions.0.transformer_blocks.0.{layer}"
        for name, factor in zip(
            ("to_q", "to_k", "to_v", "to_out.0"), (2, 0.5, 3, 0.25), strict=True
        ):
            key = f"{block}.{name}.weight"
            torch.testing.assert_close(changed[key], factor * before[key])
        bias = f"{block}.to_out.0.bias"
        torch.testing.assert_close(changed[bias], 0.25 * before[bias])
    words = call("CLIPAttentionMultiply", clip=loaded.clip, **factors)
    old, new = (
        store.text_encoder(clip.encoders[0], clip.patches).state_dict()
        for clip in (loaded.clip, words)
    )
    for name, factor in (("q_proj", 2), ("k_proj", 0.5), ("v_proj", 3), ("out_proj", 0.25)):
        for part in ("weight", "bias"):
            key = f"encoder.layers.1.self_attn.{name}.{part}"
            torch.testing.assert_close(new[key], factor * old[key], rtol=2e-3, atol=1e-4)
    assert torch.equal(new[TEXT], old[TEXT])


def test_an_editing_model_sees_the_picture_and_begins_with_nothing(
    call: Call, context: Context, parts: Callable[[int], Any]
) -> None:
    loaded = parts(0)
    pixels = Image(torch.rand(1, 70, 64, 3, generator=torch.Generator().manual_seed(1)))
    yes, no = (Conditioning((Condition(torch.full((1, 77, 64), x)),)) for x in (1.0, 2.0))
    positive, negative, latent = call(
        "InstructPixToPixConditioning",
        positive=yes,
        negative=no,
        vae=loaded.vae,
        pixels=pixels,
        context=context,
    )
    # The rows in the middle: 70 is cropped to 64.
    cropped = Image(pixels.pixels[:, 3:67])
    seen = call("VAEEncode", pixels=cropped, vae=loaded.vae, context=context).samples
    for found, before in ((positive, yes), (negative, no)):
        (condition,) = found.conditions
        torch.testing.assert_close(condition.concat_latent, seen)
        assert condition.embedding is before.conditions[0].embedding
    assert torch.equal(latent.samples, torch.zeros(1, 4, 8, 8))

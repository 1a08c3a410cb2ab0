"""Pictures as prompts: ComfyUI's inputs and outputs, and what the nodes attach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.api import Context, Folders
from graphengine.diffusion.clip_vision import (
    VisionLayout,
    build_clip_vision,
    open_clip_vision,
    preprocessed,
    vision_table,
)
from graphengine.diffusion.style_model import StyleLayout, build_style_model, style_table
from graphengine.events import Event, NodeWarning
from graphengine.registry import Registry
from graphengine.sockets import ClipVisionOutput, Condition, Conditioning, Image
from tests.diffusion import tiny_models as tiny

Call = Callable[..., Any]
VISION = VisionLayout("openclip", 64, 2, 128, patch=4, positions=5, projection=32)
STYLE = StyleLayout(width=32, context_width=64, tokens=3, layers=1)
STATES = torch.zeros(1, 5, 32)
SEEN = ClipVisionOutput(torch.ones(1, 8), STATES, STATES)
PROMPT = Conditioning((Condition(torch.zeros(1, 77, 64)),))


def new_file(folders: Folders, kind: str) -> Path:
    folder = folders.roots(kind)[0]
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "tiny.safetensors"


@pytest.mark.parametrize(
    ("node_id", "inputs", "outputs"),
    [
        ("CLIPVisionLoader", ["clip_name"], ["CLIP_VISION"]),
        ("unCLIPCheckpointLoader", ["ckpt_name"], ["MODEL", "CLIP", "VAE", "CLIP_VISION"]),
        ("CLIPVisionEncode", ["clip_vision", "image", "crop"], ["CLIP_VISION_OUTPUT"]),
        (
            "unCLIPConditioning",
            ["conditioning", "clip_vision_output", "strength", "noise_augmentation"],
            ["CONDITIONING"],
        ),
        ("StyleModelLoader", ["style_model_name"], ["STYLE_MODEL"]),
        (
            "StyleModelApply",
            ["conditioning", "style_model", "clip_vision_output", "strength", "strength_type"],
            ["CONDITIONING"],
        ),
    ],
)
def test_inputs_and_outputs_are_named_as_saved_workflows_name_them(
    builtins: Registry, node_id: str, inputs: list[str], outputs: list[str]
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [item.name for item in spec.inputs] == inputs
    assert [item.type for item in spec.outputs] == outputs
    assert set(spec.texts["ja"].inputs) == set(inputs)


def test_an_unclip_checkpoint_gives_the_network_that_looks(
    call: Call, context: Context, folders: Folders
) -> None:
    vision = tiny.random_tensors(build_clip_vision(VISION), vision_table(VISION), 1)
    tensors = tiny.checkpoint_tensors("sd2")
    tensors |= {f"embedder.model.visual.{key}": tensor for key, tensor in vision.items()}
    save_file(tensors, str(new_file(folders, "checkpoints")))
    loaded = call("unCLIPCheckpointLoader", ckpt_name="tiny.safetensors", context=context)
    image = Image(torch.rand(2, 10, 12, 3))
    # ComfyUI keeps such networks in half precision.
    network = open_clip_vision(loaded.clip_vision.weights).half().float()
    for crop in ("center", "none"):
        seen = call(
            "CLIPVisionEncode",
            clip_vision=loaded.clip_vision,
            image=image,
            crop=crop,
            context=context,
        )
        with torch.no_grad():
            expected = network(preprocessed(image.pixels, 8, crop)).image_embeds
        torch.testing.assert_close(seen.image_embeds, expected, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_without_the_network_gives_none(
    call: Call, context: Context, folders: Folders
) -> None:
    tiny.make_checkpoint(new_file(folders, "checkpoints"), family="sd2")
    loaded = call("unCLIPCheckpointLoader", ckpt_name="tiny.safetensors", context=context)
    assert loaded.clip_vision is None


def test_a_clip_vision_file_is_loaded_from_its_folder(
    call: Call, context: Context, folders: Folders
) -> None:
    vision = tiny.random_tensors(build_clip_vision(VISION), vision_table(VISION), 1)
    path = new_file(folders, "clip_vision")
    save_file({f"visual.{key}": tensor for key, tensor in vision.items()}, str(path))
    loaded = call("CLIPVisionLoader", clip_name=path.name, context=context)
    assert (loaded.weights.prefix, loaded.weights.part) == ("visual.", "clip_vision")


def test_a_picture_stands_beside_the_words(call: Call) -> None:
    found = call(
        "unCLIPConditioning",
        conditioning=PROMPT,
        clip_vision_output=SEEN,
        strength=0.5,
        noise_augmentation=0.2,
    )
    (picture,) = found.conditions[0].extra["unclip_conditioning"]
    assert (picture.strength, picture.augmentation) == (0.5, 0.2)
    assert torch.equal(picture.embed, torch.ones(8))


def test_a_style_is_appended_and_a_strength_for_flux_is_told(
    call: Call, context: Context, folders: Folders, events: list[Event]
) -> None:
    path = new_file(folders, "style_models")
    save_file(tiny.random_tensors(build_style_model(STYLE), style_table(STYLE), 1), str(path))
    style = call("StyleModelLoader", style_model_name=path.name, context=context)
    inputs = {"conditioning": PROMPT, "style_model": style, "clip_vision_output": SEEN}
    plain = call("StyleModelApply", **inputs, context=context)
    biased = call(
        "StyleModelApply", **inputs, strength=0.5, strength_type="attn_bias", context=context
    )
    assert plain.conditions[0].embedding.shape == (1, 80, 64)
    assert torch.equal(plain.conditions[0].embedding, biased.conditions[0].embedding)
    warnings = [event for event in events if isinstance(event, NodeWarning)]
    assert len(warnings) == 1

"""The loader nodes: ComfyUI's inputs and outputs, and the values they put on their links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from safetensors.torch import save_file

from graphengine.api import Context, Folders, InputError, ModelFile
from graphengine.diffusion.model_config import KNOWN
from graphengine.errors import LANGUAGES, ModelFileError
from graphengine.events import Event, NodeWarning
from graphengine.registry import Registry
from tests.diffusion import tiny_models as tiny

Call = Callable[..., Any]


def model_folder(folders: Folders, kind: str) -> Path:
    folder = folders.roots(kind)[0]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("node_id", "inputs", "outputs"),
    [
        ("CheckpointLoaderSimple", ["ckpt_name"], ["MODEL", "CLIP", "VAE"]),
        ("CheckpointLoader", ["config_name", "ckpt_name"], ["MODEL", "CLIP", "VAE"]),
        ("ImageOnlyCheckpointLoader", ["ckpt_name"], ["MODEL", "CLIP_VISION", "VAE"]),
        ("DiffusersLoader", ["model_path"], ["MODEL", "CLIP", "VAE"]),
        ("UNETLoader", ["unet_name", "weight_dtype"], ["MODEL"]),
        ("CLIPLoader", ["clip_name", "type", "device"], ["CLIP"]),
        ("DualCLIPLoader", ["clip_name1", "clip_name2", "type", "device"], ["CLIP"]),
        ("VAELoader", ["vae_name"], ["VAE"]),
    ],
)
def test_inputs_and_outputs_are_named_as_saved_workflows_name_them(
    builtins: Registry, node_id: str, inputs: list[str], outputs: list[str]
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [item.name for item in spec.inputs] == inputs
    assert [item.type for item in spec.outputs] == outputs


def test_a_checkpoint_gives_model_clip_and_vae(
    call: Call, context: Context, folders: Folders
) -> None:
    tiny.make_checkpoint(model_folder(folders, "checkpoints") / "tiny.safetensors", family="sdxl")
    model, clip, vae = call("CheckpointLoaderSimple", context=context, ckpt_name="tiny.safetensors")
    assert model.family.name == "sdxl"
    assert len(clip.encoders) == 2
    assert vae.family.latent_scale == 0.13025


def test_what_a_checkpoint_lacks_is_told_when_it_is_loaded(
    call: Call, context: Context, folders: Folders, events: list[Event]
) -> None:
    path = model_folder(folders, "checkpoints") / "pruned.safetensors"
    tensors = tiny.checkpoint_tensors("sd1")
    save_file({key: tensors[key] for key in tensors if key.startswith("model.")}, path)

    options = {"context": context, "ckpt_name": path.name}
    call("CheckpointLoaderSimple", **options)
    call("CheckpointLoader", config_name="v1-inference.yaml", **options)

    told = [event.warning for event in events if isinstance(event, NodeWarning)]
    assert [warning.details["wanted"] for warning in told] == ["CLIP", "VAE"] * 2
    for language in LANGUAGES:
        assert str(path) in told[1].text(language)
        assert "VAE" in told[1].text(language)


def test_a_model_may_be_loaded_with_its_weights_rounded_to_eight_bits(
    call: Call, context: Context, folders: Folders
) -> None:
    folder = model_folder(folders, "diffusion_models")
    save_file(tiny.unet_tensors(tiny.SD1_UNET), folder / "unet.safetensors")
    plain, rounded, other = (
        context.models.unet(
            call("UNETLoader", context=context, unet_name="unet.safetensors", weight_dtype=name)
        ).state_dict()
        for name in ("default", "fp8_e4m3fn", "fp8_e5m2")
    )
    for key, weight in plain.items():
        assert torch.equal(rounded[key], weight.to(torch.float8_e4m3fn).float())
        assert torch.equal(other[key], weight.to(torch.float8_e5m2).float())
    assert not torch.equal(rounded["conv_in.weight"], plain["conv_in.weight"])


@pytest.mark.parametrize(
    ("name", "content", "prediction", "layer"),
    [
        ("v1-inference.yaml", None, "eps", None),
        ("anything_v3.yaml", None, "eps", -2),
        ("v2-inference-v.yaml", None, "v", None),
        (
            "mine.yaml",
            "model: {params: {parameterization: v, cond_stage_config: "
            "{params: {layer: hidden, layer_idx: -3}}}}",
            "v",
            -3,
        ),
        # A file goes before what is known of its name.
        ("v2-inference-v.yaml", "model: {params: {cond_stage_config: {}}}", "eps", None),
    ],
)
def test_a_configuration_says_what_is_predicted_and_where_the_text_encoder_stops(
    call: Call,
    context: Context,
    folders: Folders,
    name: str,
    content: str | None,
    prediction: str,
    layer: int | None,
) -> None:
    tiny.make_checkpoint(model_folder(folders, "checkpoints") / "tiny.safetensors")
    if content is not None:
        (model_folder(folders, "configs") / name).write_text(content, encoding="utf-8")
    options = {"context": context, "ckpt_name": "tiny.safetensors"}
    model, clip, vae = call("CheckpointLoader", config_name=name, **options)
    assert (model.sampling.prediction, clip.layer) == (prediction, layer)
    assert (replace(clip, layer=None), vae) == call("CheckpointLoaderSimple", **options)[1:]


def test_a_file_that_is_no_configuration_is_named(
    call: Call, context: Context, folders: Folders
) -> None:
    tiny.make_checkpoint(model_folder(folders, "checkpoints") / "tiny.safetensors")
    for content in ("- a list", "model: [", "model: {params: 3}"):
        (model_folder(folders, "configs") / "odd.yaml").write_text(content, encoding="utf-8")
        with pytest.raises(ModelFileError, match="is no configuration of"):
            call(
                "CheckpointLoader",
                context=context,
                config_name="odd.yaml",
                ckpt_name="tiny.safetensors",
            )


def test_the_usual_configurations_can_be_chosen_without_their_files(
    builtins: Registry, folders: Folders
) -> None:
    (model_folder(folders, "configs") / "mine.yaml").write_text("", encoding="utf-8")
    spec = builtins.get("CheckpointLoader")
    assert spec is not None
    widget = spec.input["config_name"].widget
    assert isinstance(widget, ModelFile)
    assert set(widget.choices(folders)) == {"mine.yaml", *KNOWN}


def test_a_checkpoint_for_pictures_alone_gives_no_text_encoder(
    call: Call, context: Context, folders: Folders
) -> None:
    tiny.make_checkpoint(model_folder(folders, "checkpoints") / "tiny.safetensors")
    options = {"context": context, "ckpt_name": "tiny.safetensors"}
    model, clip_vision, vae = call("ImageOnlyCheckpointLoader", **options)
    plain = call("CheckpointLoaderSimple", **options)
    assert (model, clip_vision, vae) == (plain.model, None, plain.vae)


def test_parts_of_their_own_are_loaded_from_their_own_folders(
    call: Call, context: Context, folders: Folders
) -> None:
    unet = model_folder(folders, "diffusion_models") / "unet.safetensors"
    clip = model_folder(folders, "text_encoders") / "clip.safetensors"
    vae = model_folder(folders, "vae") / "vae.safetensors"
    save_file(tiny.unet_tensors(tiny.SD1_UNET), str(unet))
    save_file(tiny.text_tensors(tiny.CLIP_L), str(clip))
    save_file(tiny.vae_tensors(tiny.VAE), str(vae))
    model = call("UNETLoader", context=context, unet_name=unet.name)
    assert model.family.name == "sd1"
    encoder = call("CLIPLoader", context=context, clip_name=clip.name)
    assert [e.kind for e in encoder.encoders] == ["clip_l"]
    loaded = call("VAELoader", context=context, vae_name=vae.name)
    assert loaded.weights.file.path == str(vae)


def test_two_text_encoders_become_sdxls(call: Call, context: Context, folders: Folders) -> None:
    folder = model_folder(folders, "text_encoders")
    large = replace(tiny.CLIP_G, style="diffusers", layers=32, nested=True)
    save_file(tiny.text_tensors(large), str(folder / "g.safetensors"))
    save_file(tiny.text_tensors(tiny.CLIP_L), str(folder / "l.safetensors"))
    clip = call(
        "DualCLIPLoader", context=context, clip_name1="g.safetensors", clip_name2="l.safetensors"
    )
    kinds = [encoder.kind for encoder in clip.encoders]
    assert kinds == ["clip_l", "clip_g"]


def test_pixel_space_is_a_vae_without_weights(call: Call, context: Context) -> None:
    vae = call("VAELoader", context=context, vae_name="pixel_space")
    assert vae.weights is None


def test_a_missing_file_lists_what_is_there(call: Call, context: Context, folders: Folders) -> None:
    tiny.make_checkpoint(model_folder(folders, "checkpoints") / "tiny.safetensors")
    with pytest.raises(InputError, match=r"tiny\.safetensors"):
        call("CheckpointLoaderSimple", context=context, ckpt_name="other.safetensors")


def test_a_lora_in_the_wrong_folder_is_named(
    call: Call, context: Context, folders: Folders
) -> None:
    path = model_folder(folders, "checkpoints") / "lora.safetensors"
    up = tiny.unet_tensors(tiny.SD1_UNET)["out.2.bias"]
    save_file({"lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": up}, str(path))
    with pytest.raises(ModelFileError, match="LoraLoader"):
        call("CheckpointLoaderSimple", context=context, ckpt_name=path.name)


def test_a_taesd_is_offered_once_both_halves_are_there(
    builtins: Registry, call: Call, context: Context, folders: Folders
) -> None:
    spec = builtins.get("VAELoader")
    assert spec is not None
    widget = spec.inputs[0].widget
    assert widget is not None
    torch.manual_seed(0)
    network = AutoencoderTiny()
    folder = model_folder(folders, "vae_approx")
    offered = [widget.choices(folders)]
    for half in ("encoder", "decoder"):
        state = getattr(network, half).layers.state_dict()
        shift = half == "decoder"
        tensors = {
            f"{int(key.split('.')[0]) + shift}.{key.split('.', 1)[1]}": tensor
            for key, tensor in state.items()
        }
        save_file(tensors, folder / f"taesd_{half}.safetensors")
        offered.append(widget.choices(folders))
    assert offered == [("pixel_space",), ("pixel_space",), ("taesd", "pixel_space")]
    vae = call("VAELoader", context=context, vae_name="taesd")
    assert vae.family.latent_scale == 0.18215
    assert "taesd_encoder" in vae.encoder.file.path

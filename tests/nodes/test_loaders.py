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

from graphengine.api import Context, Folders, InputError
from graphengine.errors import ModelFileError
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

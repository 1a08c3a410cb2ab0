"""From model files to socket values: families, predictions, parts, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from graphengine.diffusion import checkpoint as loading
from graphengine.diffusion.checkpoint import (
    load_checkpoint,
    load_clip_files,
    load_diffusers_folder,
    load_unet_file,
    load_vae_file,
)
from graphengine.diffusion.files import TensorFile
from graphengine.errors import LANGUAGES, ModelFileError
from graphengine.sockets import Family, Sampling
from tests.diffusion import tiny_models as tiny

EXPECTED = {
    "sd1": (Family("sd1"), 4, ["clip_l"]),
    "sd1_inpaint": (Family("sd1"), 9, ["clip_l"]),
    "sd2": (Family("sd2"), 4, ["clip_h"]),
    "sdxl": (Family("sdxl", latent_scale=0.13025, vector="sdxl"), 4, ["clip_l", "clip_g"]),
    "refiner": (Family("sdxl_refiner", latent_scale=0.13025, vector="refiner"), 4, ["clip_g"]),
}


def write(path: Path, tensors: dict[str, Tensor], **metadata: str) -> Path:
    save_file(tensors, str(path), metadata=metadata or None)
    return path


def without(tensors: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(prefixes)}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_checkpoint_of_every_family_is_recognised(tmp_path: Path, name: str) -> None:
    model, clip, vae = load_checkpoint(
        tiny.make_checkpoint(tmp_path / "m.safetensors", family=name)
    )
    family, channels, kinds = EXPECTED[name]
    assert (model.family, model.in_channels, model.sampling) == (family, channels, Sampling())
    assert clip is not None
    assert [encoder.kind for encoder in clip.encoders] == kinds
    assert vae is not None
    assert vae.family == family


def test_looking_at_a_checkpoint_reads_no_tensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.make_checkpoint(tmp_path / "m.safetensors")
    monkeypatch.setattr(TensorFile, "tensor", lambda *_: pytest.fail("a tensor was read"))
    assert load_checkpoint(path)[0].family.name == "sd1"


def test_equal_files_give_equal_values(tmp_path: Path) -> None:
    path = tiny.make_checkpoint(tmp_path / "m.safetensors")
    assert load_checkpoint(path) == load_checkpoint(str(path))
    assert hash(load_checkpoint(path)) == hash(load_checkpoint(path))


def test_a_pickled_checkpoint_is_read_like_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "m.ckpt"
    torch.save({"state_dict": tiny.checkpoint_tensors("sd1")}, path)
    model, clip, vae = load_checkpoint(path)
    assert model.family == Family("sd1")
    assert clip is not None
    assert vae is not None


def test_parts_that_a_checkpoint_lacks_are_none(tmp_path: Path) -> None:
    tensors = without(tiny.checkpoint_tensors("sd1"), "cond_stage_model.", "first_stage_model.")
    _, clip, vae = load_checkpoint(write(tmp_path / "m.safetensors", tensors))
    assert (clip, vae) == (None, None)


def test_an_image_conditioned_sd2_is_unclip_and_predicts_v(tmp_path: Path) -> None:
    layout = replace(tiny.SD2_UNET, vector_width=2 * 64)
    model = load_unet_file(write(tmp_path / "m.safetensors", tiny.unet_tensors(layout)))
    assert (model.family.vector, model.sampling.prediction) == ("unclip", "v")


# --- prediction ------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", ["v_pred", "ztsnr"])
def test_marker_tensors_decide_the_prediction(tmp_path: Path, marker: str) -> None:
    tensors = tiny.checkpoint_tensors("sdxl") | {marker: torch.zeros(0)}
    model, _, _ = load_checkpoint(write(tmp_path / "m.safetensors", tensors))
    prediction = "v" if marker == "v_pred" else "eps"
    assert model.sampling == Sampling(prediction, zero_terminal_snr=marker == "ztsnr")


def test_continuous_noise_levels_are_read_from_the_file(tmp_path: Path) -> None:
    ends = {"edm_vpred.sigma_min": torch.tensor(0.002), "edm_vpred.sigma_max": torch.tensor(120.0)}
    path = write(tmp_path / "m.safetensors", tiny.checkpoint_tensors("sdxl") | ends)
    sampling = load_checkpoint(path)[0].sampling
    assert (sampling.prediction, sampling.levels, sampling.sigma_max) == ("v", "continuous", 120.0)
    assert sampling.sigma_min == pytest.approx(0.002)


@pytest.mark.parametrize(("declared", "prediction"), [("v", "v"), ("epsilon", "eps")])
def test_metadata_decides_before_the_files_name(
    tmp_path: Path, declared: str, prediction: str
) -> None:
    metadata = {"modelspec.prediction_type": declared}
    path = write(tmp_path / "sd21-768.safetensors", tiny.checkpoint_tensors("sd2"), **metadata)
    assert load_checkpoint(path)[0].sampling.prediction == prediction


@pytest.mark.parametrize(("parameterization", "prediction"), [('"v"', "v"), ('"eps"', "eps")])
def test_a_yaml_beside_the_file_decides(
    tmp_path: Path, parameterization: str, prediction: str
) -> None:
    path = write(tmp_path / "any-768.safetensors", tiny.checkpoint_tensors("sd2"))
    yaml = f"model:\n  params:\n    parameterization: {parameterization}\n    timesteps: 1000\n"
    path.with_suffix(".yaml").write_text(yaml)
    assert load_checkpoint(path)[0].sampling.prediction == prediction


@pytest.mark.parametrize(
    ("family", "name", "prediction"),
    [
        ("sd2", "v2-1_768-ema-pruned", "v"),
        ("sd2", "v2-1_512-ema-pruned", "eps"),
        ("sd1", "mix-768", "eps"),
    ],
)
def test_the_published_names_decide_for_sd2_only(
    tmp_path: Path, family: str, name: str, prediction: str
) -> None:
    path = write(tmp_path / f"{name}.safetensors", tiny.checkpoint_tensors(family))
    assert load_checkpoint(path)[0].sampling.prediction == prediction


# --- parts in files of their own --------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
@pytest.mark.parametrize("style", ["ldm", "diffusers"])
def test_a_unet_of_its_own_is_found_in_either_layout(
    tmp_path: Path, prefix: str, style: str
) -> None:
    layout = replace(tiny.SDXL_UNET, style=style)  # type: ignore[arg-type]
    tensors = {prefix + key: tensor for key, tensor in tiny.unet_tensors(layout).items()}
    model = load_unet_file(write(tmp_path / "unet.safetensors", tensors))
    assert (model.family.name, model.weights.prefix) == ("sdxl", prefix)


@pytest.mark.parametrize("style", ["ldm", "diffusers"])
def test_a_vae_of_its_own_is_found_in_either_layout(tmp_path: Path, style: str) -> None:
    layout = replace(tiny.VAE, style=style, latent_channels=16)  # type: ignore[arg-type]
    vae = load_vae_file(write(tmp_path / "vae.safetensors", tiny.vae_tensors(layout)))
    assert vae.family.latent_channels == 16


def test_the_parts_of_a_whole_checkpoint_can_be_loaded_alone(tmp_path: Path) -> None:
    path = tiny.make_checkpoint(tmp_path / "m.safetensors")
    model, clip, vae = load_checkpoint(path)
    assert load_unet_file(path) == model
    assert load_clip_files([path]) == clip
    assert vae is not None
    assert load_vae_file(path).weights == vae.weights


def test_two_text_encoders_are_put_in_sdxls_order_whichever_comes_first(tmp_path: Path) -> None:
    small = write(tmp_path / "l.safetensors", tiny.text_tensors(tiny.CLIP_L))
    big_g = replace(tiny.CLIP_G, style="diffusers", layers=32, nested=True)
    large = write(tmp_path / "g.safetensors", tiny.text_tensors(big_g))
    clip = load_clip_files([large, small], "sdxl")
    assert [encoder.kind for encoder in clip.encoders] == ["clip_l", "clip_g"]


def test_a_diffusers_folder_is_loaded_with_its_schedulers_prediction(tmp_path: Path) -> None:
    parts = {
        "unet": tiny.unet_tensors(replace(tiny.SD2_UNET, style="diffusers")),
        "vae": tiny.vae_tensors(replace(tiny.VAE, style="diffusers")),
        "text_encoder": tiny.text_tensors(replace(tiny.CLIP_H, style="diffusers", nested=True)),
    }
    for name, tensors in parts.items():
        (tmp_path / name).mkdir()
        file = "model" if name == "text_encoder" else "diffusion_pytorch_model"
        write(tmp_path / name / f"{file}.safetensors", tensors)
    (tmp_path / "text_encoder" / "config.json").write_text(json.dumps({"hidden_act": "gelu"}))
    (tmp_path / "scheduler").mkdir()
    config = {"prediction_type": "v_prediction"}
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    model, clip, vae = load_diffusers_folder(tmp_path)
    assert (model.family.name, model.sampling.prediction) == ("sd2", "v")
    assert clip is not None
    assert [encoder.kind for encoder in clip.encoders] == ["clip_h"]
    assert vae is not None
    assert vae.family == model.family


# --- what is refused ---------------------------------------------------------------------------

FOREIGN = {
    "model_is_lora": ["lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"],
    "model_is_controlnet": ["control_model.input_hint_block.0.weight"],
    "model_is_t2i_adapter": ["body.0.in_conv.weight"],
    "model_is_flux": ["double_blocks.0.img_attn.qkv.weight"],
    "model_is_sd3": ["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"],
    "model_is_video": ["model.diffusion_model.x.time_stack.y.weight"],
    "model_is_embedding": ["emb_params"],
    "model_is_clip_vision": ["vision_model.encoder.layers.0.mlp.fc1.weight"],
    "model_is_taesd": ["decoder.layers.1.weight"],
    "model_is_upscaler": ["conv_first.weight"],
    "model_is_ema_only": ["model_ema.decay", "model_ema.diffusion_modelinput_blocks00weight"],
    "model_unknown": ["who.knows"],
}


@pytest.mark.parametrize("code", FOREIGN)
@pytest.mark.parametrize("load", ["load_checkpoint", "load_unet_file", "load_vae_file"])
def test_a_file_of_another_kind_is_named_in_both_languages(
    tmp_path: Path, code: str, load: str
) -> None:
    path = write(tmp_path / "m.safetensors", {key: torch.zeros(2, 2) for key in FOREIGN[code]})
    with pytest.raises(ModelFileError) as caught:
        getattr(loading, load)(path)
    assert caught.value.code == code
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)
    assert caught.value.text("en") != caught.value.text("ja")


def test_a_part_where_a_checkpoint_is_expected_names_its_loader(tmp_path: Path) -> None:
    parts = {
        "VAELoader": tiny.vae_tensors(tiny.VAE),
        "UNETLoader": tiny.unet_tensors(tiny.SD1_UNET),
        "CLIPLoader": tiny.text_tensors(tiny.CLIP_L),
    }
    for loader, tensors in parts.items():
        path = write(tmp_path / "part.safetensors", tensors)
        with pytest.raises(ModelFileError, match=loader):
            load_checkpoint(path)


def test_a_checkpoint_without_the_wanted_part_says_so(tmp_path: Path) -> None:
    tensors = without(tiny.checkpoint_tensors("sd1"), "cond_stage_model.", "first_stage_model.")
    path = write(tmp_path / "m.safetensors", tensors)
    for load, wanted in ((load_vae_file, "VAE"), (load_clip_files, "CLIP")):
        with pytest.raises(ModelFileError, match=wanted) as caught:
            load([path] if load is load_clip_files else path)  # type: ignore[operator]
        assert caught.value.code == "model_is_checkpoint_without"


@pytest.mark.parametrize("inner", ["", "transformer."])
def test_the_names_that_serve_every_family_are_read(tmp_path: Path, inner: str) -> None:
    names = {
        "conditioner.embedders.0.transformer.": f"text_encoders.clip_l.{inner}",
        "conditioner.embedders.1.model.": f"text_encoders.clip_g.{inner}",
        "first_stage_model.": "vae.",
    }

    def renamed(key: str) -> str:
        return next(
            (new + key[len(old) :] for old, new in names.items() if key.startswith(old)), key
        )

    tensors = {renamed(key): tensor for key, tensor in tiny.checkpoint_tensors("sdxl").items()}
    _, clip, vae = load_checkpoint(write(tmp_path / "m.safetensors", tensors))
    assert clip is not None
    assert vae is not None
    assert [(each.kind, each.weights.prefix) for each in clip.encoders] == [
        ("clip_l", f"text_encoders.clip_l.{inner}"),
        ("clip_g", f"text_encoders.clip_g.{inner}"),
    ]
    assert vae.weights is not None
    assert vae.weights.prefix == "vae."


def test_a_unet_of_an_unknown_family_is_refused(tmp_path: Path) -> None:
    layout = replace(tiny.SDXL_UNET, vector_width=17)
    with pytest.raises(ModelFileError) as caught:
        load_unet_file(write(tmp_path / "m.safetensors", tiny.unet_tensors(layout)))
    assert caught.value.code == "model_unknown_shape"


def test_a_folder_without_a_unet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        load_diffusers_folder(tmp_path)
    assert caught.value.code == "model_not_diffusers_folder"


def test_make_checkpoint_writes_the_dtype_and_marker_asked_for(tmp_path: Path) -> None:
    path = tiny.make_checkpoint(tmp_path / "m.safetensors", dtype=torch.float16, v_pred=True)
    stored = load_file(path)
    assert stored["model.diffusion_model.out.2.weight"].dtype is torch.float16
    assert load_checkpoint(path)[0].sampling.prediction == "v"

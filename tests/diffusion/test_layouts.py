"""Layouts read off the shapes in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import unet_table
from graphengine.diffusion.layouts import (
    TextLayout,
    UNetLayout,
    VaeLayout,
    read_text_layout,
    read_unet_layout,
    read_vae_layout,
)
from graphengine.diffusion.networks import build_unet, build_vae, fill
from graphengine.errors import ModelFileError
from tests.diffusion import tiny_models as tiny

UNETS = {name: family.unet for name, family in tiny.FAMILIES.items()}
UNETS["deeper middle"] = replace(tiny.SDXL_UNET, middle_depth=3)
UNETS["one level"] = replace(
    tiny.SD1_UNET, channels=(32,), blocks=(1,), down_depths=(1,), up_depths=(1,)
)
UNETS["attention nowhere but in the middle"] = replace(
    tiny.SD1_UNET, down_depths=(0, 0, 0), up_depths=(0, 0, 0)
)


def saved(tmp_path: Path, tensors: dict[str, Tensor]) -> TensorFile:
    path = tmp_path / "part.safetensors"
    save_file(tensors, str(path))
    return open_tensors(path)


@pytest.mark.parametrize("name", UNETS)
@pytest.mark.parametrize("style", ["ldm", "diffusers"])
def test_a_unet_is_recognised_from_its_shapes_and_fits(
    tmp_path: Path, name: str, style: str
) -> None:
    layout: UNetLayout = replace(UNETS[name], style=style)  # type: ignore[arg-type]
    tensors = saved(tmp_path, tiny.unet_tensors(layout))
    assert read_unet_layout(tensors) == layout
    network = fill(build_unet(layout), tensors, unet_table(layout))
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())


def test_diffusers_own_name_for_sdxls_vector_is_understood(tmp_path: Path) -> None:
    layout = replace(tiny.SDXL_UNET, style="diffusers", added_vector=True)
    tensors = saved(tmp_path, tiny.unet_tensors(layout))
    assert "add_embedding.linear_1.weight" in tensors
    assert read_unet_layout(tensors) == layout


def test_attention_heads_are_eight_with_convolutions_and_of_width_64_without() -> None:
    assert tiny.SD1_UNET.heads == (8, 8, 8)
    assert tiny.SDXL_UNET.heads == (1, 1, 2)


@pytest.mark.parametrize("style", ["ldm", "diffusers"])
@pytest.mark.parametrize(
    "change",
    [{}, {"blocks": 2}, {"channels": (32, 64, 64)}, {"quant_conv": False}, {"latent_channels": 16}],
)
def test_a_vae_is_recognised_from_its_shapes(
    tmp_path: Path, style: str, change: dict[str, object]
) -> None:
    layout: VaeLayout = replace(tiny.VAE, style=style, **change)  # type: ignore[arg-type]
    assert read_vae_layout(saved(tmp_path, tiny.vae_tensors(layout))) == layout


def test_the_old_attention_names_of_diffusers_vaes_are_understood(tmp_path: Path) -> None:
    layout = replace(tiny.VAE, style="diffusers", legacy_attention_names=True)
    tensors = saved(tmp_path, tiny.vae_tensors(layout))
    assert "encoder.mid_block.attentions.0.proj_attn.weight" in tensors
    assert read_vae_layout(tensors) == layout
    assert build_vae(layout).state_dict().keys() == build_vae(tiny.VAE).state_dict().keys()


def test_a_vaes_factor_follows_from_its_levels() -> None:
    assert tiny.VAE.factor == 8
    assert replace(tiny.VAE, channels=(32, 64, 64)).factor == 4


@pytest.mark.parametrize(
    "layout",
    [
        tiny.CLIP_L,
        tiny.CLIP_H,
        tiny.CLIP_G,
        replace(tiny.CLIP_L, nested=False),
        replace(tiny.CLIP_L, projection=32),
        replace(tiny.CLIP_G, projection=None),
    ],
)
def test_a_text_encoder_is_recognised_from_its_shapes(tmp_path: Path, layout: TextLayout) -> None:
    tensors = saved(tmp_path, tiny.text_tensors(layout))
    assert read_text_layout(tensors, layout.kind) == layout


def test_only_openais_clip_uses_the_quick_gelu() -> None:
    layouts = (tiny.CLIP_L, tiny.CLIP_H, tiny.CLIP_G)
    assert [layout.activation for layout in layouts] == ["quick_gelu", "gelu", "gelu"]


def test_levels_of_uneven_depth_are_refused(tmp_path: Path) -> None:
    tensors = tiny.unet_tensors(tiny.SD1_UNET)
    cut = {key: t for key, t in tensors.items() if not key.startswith("input_blocks.4.1.")}
    with pytest.raises(ModelFileError) as caught:
        read_unet_layout(saved(tmp_path, cut))
    assert caught.value.code == "model_unknown_shape"


def test_a_file_without_the_deciding_tensors_is_refused(tmp_path: Path) -> None:
    stranger = saved(tmp_path, {"x": tiny.unet_tensors(tiny.SD1_UNET)["out.2.bias"]})
    for read in (read_unet_layout, read_vae_layout):
        with pytest.raises(ModelFileError):
            read(stranger)
    with pytest.raises(ModelFileError, match="token_embedding"):
        read_text_layout(stranger, "clip_l")

"""Key tables: both ways, and against diffusers' own converters as an independent witness."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import Tensor

from graphengine.diffusion.keys import (
    KeyTable,
    Source,
    as_file_tensors,
    from_file,
    text_table,
    unet_table,
    vae_table,
)
from graphengine.diffusion.layouts import TextLayout, UNetLayout, VaeLayout
from graphengine.diffusion.networks import build_text_encoder, build_unet, build_vae, unet_config
from tests.diffusion import published
from tests.diffusion import tiny_models as tiny

VAES = {
    "own": tiny.VAE,
    "two blocks": replace(tiny.VAE, blocks=2),
    "f4": replace(tiny.VAE, channels=(32, 64, 64)),
}
TEXTS = {"clip_l": tiny.CLIP_L, "clip_h": tiny.CLIP_H, "clip_g": tiny.CLIP_G}


def random_state(keys: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: torch.randn(tensor.shape) for key, tensor in keys.items()}


def loaded(table: KeyTable, stored: dict[str, Tensor], keys: list[str]) -> dict[str, Tensor]:
    sources = {key: table.source(key) for key in keys}
    return {key: from_file(source.form, stored[source.key]) for key, source in sources.items()}


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_longest_prefix_counts_and_ends_at_a_dot() -> None:
    table = KeyTable({"a": Source("x"), "a.b": Source("y"), "": Source("z")})
    found = [table.source(key).key for key in ("a.b.c", "a.bc", "ab", "a")]
    assert found == ["y.c", "x.bc", "z.ab", "x"]


def test_a_table_without_entries_leaves_keys_alone() -> None:
    assert KeyTable({}).source("a.b") == Source("a.b")


@pytest.mark.parametrize("name", published.FAMILIES)
def test_the_keys_of_published_unets_are_those_that_diffusers_gives_them(name: str) -> None:
    layout = published.FAMILIES[name].unet
    table = unet_table(layout)
    ours = {key: table.source(key).key for key in build_unet(layout).state_dict()}
    # The converter only moves values about, so names can stand for tensors.
    stored = {f"model.diffusion_model.{key}": key for key in ours.values()}
    config = unet_config(layout) | {"layers_per_block": 2}
    assert convert_ldm_unet_checkpoint(stored, config) == ours


@pytest.mark.parametrize("name", VAES)
def test_a_vae_is_read_as_diffusers_reads_it(name: str) -> None:
    layout = VAES[name]
    network = build_vae(layout)
    stored = tiny.vae_tensors(layout)
    theirs = convert_ldm_vae_checkpoint(
        {f"first_stage_model.{key}": tensor for key, tensor in stored.items()}, network.config
    )
    assert_same(loaded(vae_table(layout), stored, list(network.state_dict())), theirs)


def test_an_openclip_encoder_is_read_as_diffusers_reads_it() -> None:
    layout = tiny.CLIP_G
    network = build_text_encoder(layout)
    stored = tiny.text_tensors(layout)
    theirs = convert_open_clip_checkpoint(
        SimpleNamespace(config=network.config),
        {f"cond_stage_model.model.{key}": tensor for key, tensor in stored.items()},
    )
    theirs = {key.removeprefix("text_model."): tensor for key, tensor in theirs.items()}
    ours = loaded(text_table(layout), stored, list(network.state_dict()))
    assert {key: ours[key].shape for key in theirs} == {k: t.shape for k, t in theirs.items()}
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("layout", [family.unet for family in tiny.FAMILIES.values()])
def test_unet_tensors_survive_saving_and_loading(layout: UNetLayout) -> None:
    state = random_state(build_unet(layout).state_dict())
    stored = as_file_tensors(unet_table(layout), state)
    assert "input_blocks.0.0.weight" in stored
    assert_same(loaded(unet_table(layout), stored, list(state)), state)


@pytest.mark.parametrize("layout", VAES.values())
def test_vae_tensors_survive_saving_and_loading_and_attention_is_saved_as_convolution(
    layout: VaeLayout,
) -> None:
    state = random_state(build_vae(layout).state_dict())
    stored = as_file_tensors(vae_table(layout), state)
    assert stored["decoder.mid.attn_1.q.weight"].shape == (64, 64, 1, 1)
    assert_same(loaded(vae_table(layout), stored, list(state)), state)


@pytest.mark.parametrize("layout", TEXTS.values())
def test_text_encoder_tensors_survive_saving_and_loading(layout: TextLayout) -> None:
    state = random_state(build_text_encoder(layout).state_dict())
    stored = as_file_tensors(text_table(layout), state)
    assert_same(loaded(text_table(layout), stored, list(state)), state)


def test_openclip_keeps_the_three_projections_in_one_tensor_query_first() -> None:
    state = random_state(build_text_encoder(tiny.CLIP_H).state_dict())
    stored = as_file_tensors(text_table(tiny.CLIP_H), state)
    joint = stored["transformer.resblocks.1.attn.in_proj_weight"]
    parts = [state[f"encoder.layers.1.self_attn.{name}_proj.weight"] for name in "qkv"]
    assert torch.equal(joint, torch.cat(parts))
    assert torch.equal(stored["text_projection"], state["text_projection.weight"].T)


def test_a_files_key_leads_back_to_all_network_keys_read_from_it() -> None:
    keys = list(build_text_encoder(tiny.CLIP_H).state_dict())
    back = text_table(tiny.CLIP_H).by_file_key(keys)
    assert back["transformer.resblocks.0.attn.in_proj_bias"] == [
        f"encoder.layers.0.self_attn.{name}_proj.bias" for name in "kvq"
    ]

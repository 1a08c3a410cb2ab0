"""Merged weights, and checkpoints that are written and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.checkpoint_saving import save_checkpoint
from graphengine.diffusion.merging import Blocks, even, merge_clips, merge_models
from graphengine.diffusion.residency import ModelStore
from graphengine.errors import InputError
from graphengine.sockets import Clip, Model, Vae
from tests.diffusion import tiny_models as tiny

DOWN = "down_blocks.0.resnets.0.conv1.weight"
MIDDLE = "mid_block.resnets.0.conv1.weight"
UP = "up_blocks.0.resnets.0.conv1.weight"
TEXT = "encoder.layers.0.mlp.fc1.weight"


def loaded(path: Path, **options: object) -> tuple[Model, Clip, Vae]:
    model, clip, vae = load_checkpoint(tiny.make_checkpoint(path, **options))  # type: ignore[arg-type]
    assert clip is not None
    assert vae is not None
    return model, clip, vae


@pytest.fixture
def two(tmp_path: Path) -> tuple[tuple[Model, Clip, Vae], tuple[Model, Clip, Vae]]:
    return loaded(tmp_path / "a.safetensors"), loaded(tmp_path / "b.safetensors", seed=50)


def test_a_simple_merge_is_the_weighted_mean(two: tuple) -> None:  # type: ignore[type-arg]
    (first, _, _), (second, _, _) = two
    store = ModelStore("cpu")
    a, b = store.unet(first).state_dict(), store.unet(second).state_dict()
    merged = store.unet(merge_models(first, second, even(0.25), even(0.75))).state_dict()
    for key in (DOWN, MIDDLE, UP, "time_embedding.linear_1.bias"):
        torch.testing.assert_close(merged[key], 0.25 * a[key] + 0.75 * b[key])


def test_blocks_have_their_own_shares(two: tuple) -> None:  # type: ignore[type-arg]
    (first, _, _), (second, _, _) = two
    store = ModelStore("cpu")
    a, b = store.unet(first).state_dict(), store.unet(second).state_dict()
    model = merge_models(first, second, Blocks(1.0, 0.5, 0.0), Blocks(0.0, 0.5, 1.0))
    merged = store.unet(model).state_dict()
    torch.testing.assert_close(merged[DOWN], a[DOWN])
    torch.testing.assert_close(merged[MIDDLE], (a[MIDDLE] + b[MIDDLE]) / 2)
    torch.testing.assert_close(merged[UP], b[UP])


def test_first_plus_difference_of_two_others_keeps_the_inpainting_input(tmp_path: Path) -> None:
    inpaint, _, _ = loaded(tmp_path / "inpaint.safetensors", family="sd1_inpaint")
    custom, _, _ = loaded(tmp_path / "custom.safetensors", seed=50)
    base, _, _ = loaded(tmp_path / "base.safetensors", seed=90)
    store = ModelStore("cpu")
    difference = merge_models(custom, base, even(1.0), even(-1.0))
    merged = store.unet(merge_models(inpaint, difference, even(1.0), even(1.0))).state_dict()
    states = [store.unet(model).state_dict() for model in (inpaint, custom, base)]
    torch.testing.assert_close(merged[UP], states[0][UP] + states[1][UP] - states[2][UP])
    assert torch.equal(merged["conv_in.weight"], states[0]["conv_in.weight"])


def test_text_encoders_merge_with_their_like(two: tuple) -> None:  # type: ignore[type-arg]
    (_, first, _), (_, second, _) = two
    store = ModelStore("cpu")
    merged = merge_clips(first, second, keep=0.5, take=0.5)
    a = store.text_encoder(first.encoders[0]).state_dict()[TEXT]
    b = store.text_encoder(second.encoders[0]).state_dict()[TEXT]
    got = store.text_encoder(merged.encoders[0], merged.patches).state_dict()[TEXT]
    torch.testing.assert_close(got, (a + b) / 2, atol=1e-3, rtol=1e-3)  # rounded to float16


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "refiner"])
def test_a_saved_checkpoint_is_the_one_that_was_loaded(tmp_path: Path, family: str) -> None:
    source = tmp_path / "source.safetensors"
    model, clip, vae = loaded(source, family=family)
    saved = tmp_path / "saved.safetensors"
    save_checkpoint(saved, model, clip, vae, {"prompt": {"1": {}}})
    again = tiny.checkpoint_tensors(family)
    from safetensors import safe_open

    with safe_open(str(saved), "pt") as file:
        assert set(file.keys()) == set(again)
        assert all(torch.equal(file.get_tensor(key), again[key]) for key in again)
        assert file.metadata()["prompt"] == '{"1": {}}'


def test_a_saved_merge_loads_as_what_it_computed(two: tuple, tmp_path: Path) -> None:  # type: ignore[type-arg]
    (first, clip, vae), (second, _, _) = two
    merged = merge_models(first, second, even(0.5), even(0.5))
    path = tmp_path / "merged.safetensors"
    save_checkpoint(path, merged, clip, vae, {})
    again, _, _ = load_checkpoint(path)
    store = ModelStore("cpu")
    wanted, got = store.unet(merged).state_dict(), store.unet(again).state_dict()
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)


def test_the_way_of_sampling_survives(tmp_path: Path) -> None:
    model, clip, vae = loaded(tmp_path / "v.safetensors", v_pred=True)
    zero = replace(model, sampling=replace(model.sampling, zero_terminal_snr=True))
    save_checkpoint(tmp_path / "out.safetensors", zero, clip, vae, {})
    again, _, _ = load_checkpoint(tmp_path / "out.safetensors")
    assert (again.sampling.prediction, again.sampling.zero_terminal_snr) == ("v", True)


def test_a_folder_that_cannot_be_written_to_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    model, clip, vae = loaded(tmp_path / "a.safetensors")
    missing = tmp_path / "no" / "such"
    with pytest.raises(InputError) as caught:
        save_checkpoint(missing / "x.safetensors", model, clip, vae, {})
    assert caught.value.code == "checkpoint_not_written"
    assert not missing.exists()

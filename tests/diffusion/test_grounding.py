"""GLIGEN: files of both layouts, tokens of named places, and what they change."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import silu

from graphengine.diffusion.gligen import (
    GligenLayout,
    build_gligen,
    gligen_table,
    load_gligen_file,
    open_gligen,
)
from graphengine.diffusion.grounding import Grounding, open_grounding, place_thing
from graphengine.diffusion.sampling import sample
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import Area, Conditioning, Gligen, Latent
from tests.diffusion import tiny_models as tiny

RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))
# The transformer blocks of the tiny SD 1.x UNet, by their names in a single file.
BLOCKS = {
    "input_blocks.1.1": 32, "input_blocks.3.1": 64, "input_blocks.4.1": 64, "middle_block.1": 64,
    "output_blocks.2.1": 64, "output_blocks.3.1": 64, "output_blocks.4.1": 64,
    "output_blocks.5.1": 32, "output_blocks.6.1": 32,
}  # fmt: skip
LAYOUT = GligenLayout(
    tuple((f"{name}.transformer_blocks.0.fuser", width) for name, width in BLOCKS.items()), 64, 16
)
AREA = Area(height=4, width=2, y=1, x=6)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    made = tiny.random_tensors(build_gligen(LAYOUT), gligen_table(LAYOUT), 3)
    return {key: torch.tensor(0.5) if "alpha" in key else value for key, value in made.items()}


@pytest.fixture(scope="module")
def gligen(tmp_path_factory, tensors) -> Gligen:
    path: Path = tmp_path_factory.mktemp("gligen") / "gligen.safetensors"
    save_file(tensors, str(path))
    return load_gligen_file(path)


def name(seed: int, width: int = 64) -> Tensor:
    return torch.randn(1, width, generator=torch.Generator().manual_seed(seed))


def token_written_out(w: dict[str, Tensor], vector: Tensor, box: list[float]) -> Tensor:
    """Fourier features of a box behind the name, through three layers."""
    waves = [
        function(100 ** (i / 8) * side) for i in range(8) for function in (math.sin, math.cos)
        for side in box
    ]  # fmt: skip
    x = torch.cat([vector[0], torch.tensor(waves)])
    for i in (0, 2, 4):
        x = w[f"position_net.linears.{i}.weight"] @ x + w[f"position_net.linears.{i}.bias"]
        x = silu(x) if i < 4 else x
    return x


def test_a_file_is_read_alone_and_within_a_whole_unet(tmp_path, tensors, gligen):
    whole = tensors | {"input_blocks.0.0.weight": torch.zeros(1)}
    path = tmp_path / "whole.safetensors"
    save_file({f"model.diffusion_model.{k}": v for k, v in whole.items()}, str(path))
    one = open_gligen(gligen.weights).state_dict()
    two = open_gligen(load_gligen_file(path).weights).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


@torch.no_grad()
def test_names_and_places_become_tokens_and_other_slots_stay_empty(
    tiny_store, tiny_model, words, gligen, tensors
):
    prompt = place_thing(words(1), gligen, name(1), AREA)
    prompt = place_thing(prompt, gligen, name(2), Area(height=8, width=8, y=0, x=0))
    model = tiny_model("sd1")
    grounding = open_grounding(tiny_store, model, tiny_store.unet(model), [prompt])
    objects = grounding.objects_of(prompt.conditions[0], 8, 8)
    assert objects is not None
    tokens = objects.tokens
    assert tokens.shape == (1, 30, 16)
    first = token_written_out(tensors, name(1), [6 / 8, 1 / 8, 1.0, 5 / 8])
    second = token_written_out(tensors, name(2), [0.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(tokens[0, 0], first, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(tokens[0, 1], second, rtol=1e-4, atol=1e-4)
    assert torch.equal(tokens[0, 2], tokens[0, 29])
    assert not torch.allclose(tokens[0, 1], tokens[0, 2])


def test_the_blocks_get_their_layers_and_lose_them_again(tiny_store, tiny_model, words, gligen):
    model = tiny_model("sd1")
    unet = tiny_store.unet(model)
    keys = unet.state_dict().keys()
    prompt = place_thing(words(1), gligen, name(1), AREA)
    with open_grounding(tiny_store, model, unet, [prompt]).attached():
        block = unet.down_blocks[0].attentions[0].transformer_blocks[0]
        assert block.fuser.linear.weight.shape == (32, 16)
        assert sum(key.endswith("fuser.linear.weight") for key in unet.state_dict()) == 9
    assert unet.state_dict().keys() == keys


def run(store, model, positive: Conditioning, negative: Conditioning) -> Tensor:
    return sample(store, model, EMPTY, positive, negative, **RUN).samples


def test_a_thing_changes_the_picture_and_its_place_matters(tiny_store, tiny_model, words, gligen):
    model, negative = tiny_model("sd1"), words(2)
    plain = run(tiny_store, model, words(1), negative)
    right = run(tiny_store, model, place_thing(words(1), gligen, name(1), AREA), negative)
    elsewhere = Area(height=4, width=2, y=1, x=0)
    left = run(tiny_store, model, place_thing(words(1), gligen, name(1), elsewhere), negative)
    assert (right - plain).abs().max() > 0.01
    assert (right - left).abs().max() > 1e-3
    assert torch.equal(run(tiny_store, model, words(1), negative), plain)


def test_the_negative_side_is_told_the_same(tiny_store, tiny_model, words, gligen):
    model = tiny_model("sd1")
    positive = place_thing(words(1), gligen, name(1), AREA)
    shared = run(tiny_store, model, positive, words(2))
    both = run(tiny_store, model, positive, place_thing(words(2), gligen, name(1), AREA))
    torch.testing.assert_close(shared, both, rtol=1e-3, atol=1e-2)


def test_gates_that_are_shut_change_nothing(tiny_store, tiny_model, words, tensors, tmp_path):
    shut = {key: torch.tensor(0.0) if "alpha" in key else t for key, t in tensors.items()}
    save_file(shut, str(tmp_path / "shut.safetensors"))
    gligen = load_gligen_file(tmp_path / "shut.safetensors")
    positive = place_thing(words(1), gligen, name(1), AREA)
    got = run(tiny_store, tiny_model("sd1"), positive, words(2))
    expected = run(tiny_store, tiny_model("sd1"), words(1), words(2))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


def test_what_does_not_fit_is_refused(tiny_store, tiny_model, words, gligen, tmp_path):
    wrong_model = place_thing(words(1), gligen, name(1), AREA)
    with pytest.raises(InputError, match="does not fit"):
        run(tiny_store, tiny_model("sd2"), wrong_model, words(2))
    wrong_name = place_thing(words(1), gligen, name(1, 32), AREA)
    with pytest.raises(InputError, match="width of 64, got 32"):
        run(tiny_store, tiny_model("sd1"), wrong_name, words(2))
    with pytest.raises(InputError, match="no pooled state"):
        place_thing(words(1), gligen, None, AREA)
    full = words(1)
    for _ in range(30):
        full = place_thing(full, gligen, name(1), AREA)
    with pytest.raises(InputError, match="30 things at most"):
        place_thing(full, gligen, name(1), AREA)
    path = tiny.make_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError) as caught:
        load_gligen_file(path)
    assert caught.value.details["wanted"] == "GLIGEN"


def test_without_named_things_nothing_is_attached(tiny_store, tiny_model, words):
    model = tiny_model("sd1")
    grounding = open_grounding(tiny_store, model, tiny_store.unet(model), [words(1)])
    assert isinstance(grounding, Grounding)
    assert grounding.network is None
    assert grounding.objects_of(words(1).conditions[0], 8, 8) is None

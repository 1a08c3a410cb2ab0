"""The style adapter, checked against its formula written out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from graphengine.diffusion.style_model import (
    StyleLayout,
    apply_style,
    build_style_model,
    load_style_file,
    style_table,
)
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import ClipVisionOutput, StyleModel
from tests.diffusion import tiny_models as tiny

LAYOUT = StyleLayout(width=32, context_width=64, tokens=3, layers=1)
STATES = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(6))
SEEN = ClipVisionOutput(torch.zeros(2, 8), STATES, STATES)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return tiny.random_tensors(build_style_model(LAYOUT), style_table(LAYOUT), 2)


@pytest.fixture(scope="module")
def style(tmp_path_factory, tensors) -> StyleModel:
    path: Path = tmp_path_factory.mktemp("style") / "style.safetensors"
    save_file(tensors, str(path))
    return load_style_file(path)


def written_out(w: dict[str, Tensor], states: Tensor) -> Tensor:
    """One picture's tokens, [3, 64]: one layer of 8 heads."""

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, (32,), w[f"{name}.weight"], w[f"{name}.bias"])

    layer = "transformer_layes.0"
    x = norm(torch.cat([states, w["style_embedding"][0]]), "ln_pre")
    joint = linear(
        norm(x, f"{layer}.ln_1"),
        w[f"{layer}.attn.in_proj_weight"],
        w[f"{layer}.attn.in_proj_bias"],
    )
    q, k, v = (part.reshape(8, 8, 4).transpose(0, 1) for part in joint.chunk(3, dim=1))
    mixed = ((q @ k.transpose(1, 2) / 2.0).softmax(dim=-1) @ v).transpose(0, 1).reshape(8, 32)
    out = f"{layer}.attn.out_proj"
    x = x + linear(mixed, w[f"{out}.weight"], w[f"{out}.bias"])
    hidden = linear(
        norm(x, f"{layer}.ln_2"), w[f"{layer}.mlp.c_fc.weight"], w[f"{layer}.mlp.c_fc.bias"]
    )
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    x = x + linear(hidden, w[f"{layer}.mlp.c_proj.weight"], w[f"{layer}.mlp.c_proj.bias"])
    return norm(x, "ln_post")[-3:] @ w["proj"]


def test_its_tokens_stand_behind_the_words_times_the_strength(tiny_store, style, tensors, words):
    prompt = words(1)
    styled = apply_style(tiny_store, prompt, style, SEEN, strength=0.5).conditions[0].embedding
    assert styled.shape == (1, 77 + 6, 64)
    assert torch.equal(styled[:, :77], prompt.conditions[0].embedding)
    expected = 0.5 * torch.cat([written_out(tensors, states) for states in STATES])
    torch.testing.assert_close(styled[0, 77:], expected, rtol=1e-4, atol=1e-5)


def test_other_widths_are_refused(tiny_store, style, words):
    with pytest.raises(InputError, match="CONDITIONING of width 64, got 128"):
        apply_style(tiny_store, words(1, width=128), style, SEEN)
    narrow = ClipVisionOutput(torch.zeros(1, 8), torch.zeros(1, 5, 16), torch.zeros(1, 5, 16))
    with pytest.raises(InputError, match="CLIP vision of width 32, got 16"):
        apply_style(tiny_store, words(1), style, narrow)


def test_other_files_are_named(tmp_path):
    path = tiny.make_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError) as caught:
        load_style_file(path)
    assert caught.value.details["wanted"] == "style model"

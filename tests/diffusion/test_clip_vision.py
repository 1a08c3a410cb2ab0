"""Pictures as vectors, checked against transformers' own forward pass and plain arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.clip_vision import (
    VisionLayout,
    build_clip_vision,
    encode_image,
    load_clip_vision_file,
    open_clip_vision,
    preprocessed,
    vision_table,
)
from graphengine.errors import ModelFileError
from graphengine.sockets import Image
from tests.diffusion import tiny_models as tiny

TINY = VisionLayout("transformers", 64, 3, 128, patch=4, positions=5, projection=32)
OPENCLIP = replace(TINY, style="openclip")


def tensors_of(layout: VisionLayout) -> dict[str, Tensor]:
    """Rounded to float16, as networks of this kind are kept."""
    tensors = tiny.random_tensors(build_clip_vision(layout), vision_table(layout), 4)
    return {key: tensor.half().float() for key, tensor in tensors.items()}


def save(path: Path, tensors: dict[str, Tensor], prefix: str = "") -> Path:
    save_file({prefix + key: tensor for key, tensor in tensors.items()}, str(path))
    return path


@pytest.mark.parametrize("prefix", ["visual.", "embedder.model.visual."])
def test_files_of_openclip_and_transformers_hold_the_same_network(tmp_path, prefix):
    whole = tensors_of(TINY) | {"text_model.encoder.layers.0.layer_norm1.bias": torch.zeros(64)}
    one = load_clip_vision_file(save(tmp_path / "one.safetensors", whole))
    two = load_clip_vision_file(save(tmp_path / "two.safetensors", tensors_of(OPENCLIP), prefix))
    first = open_clip_vision(one.weights).state_dict()
    second = open_clip_vision(two.weights).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("width", "heads", "activation"),
    [(1024, 16, "quick_gelu"), (1280, 16, "gelu"), (1664, 16, "gelu"), (768, 12, "quick_gelu")],
)
def test_the_published_sizes_have_the_published_heads(width, heads, activation):
    layout = replace(TINY, width=width, patch=14, positions=257)
    assert (layout.heads, layout.activation, layout.size) == (heads, activation, 224)


@torch.no_grad()
def test_a_picture_is_seen_as_transformers_sees_it(tiny_store, tmp_path):
    vision = load_clip_vision_file(save(tmp_path / "v.safetensors", tensors_of(TINY)))
    image = Image(torch.rand(2, 8, 8, 3, generator=torch.Generator().manual_seed(1)))
    seen = encode_image(tiny_store, vision, image)
    network = open_clip_vision(vision.weights)
    expected = network(preprocessed(image.pixels, 8, "center"), output_hidden_states=True)
    torch.testing.assert_close(seen.image_embeds, expected.image_embeds, rtol=1e-4, atol=1e-5)
    last, before = seen.last_hidden_state, seen.penultimate_hidden_states
    torch.testing.assert_close(last, expected.last_hidden_state, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(before, expected.hidden_states[-2], rtol=1e-4, atol=1e-5)
    assert seen.image_embeds.shape == (2, 32)
    assert last.shape == before.shape == (2, 5, 64)


def test_grey_of_the_training_pictures_mean_becomes_zero():
    grey = torch.full((1, 4, 4, 3), 0.5)
    expected = (torch.tensor(128 / 255) - 0.48145466) / 0.26862954
    torch.testing.assert_close(preprocessed(grey, 4, "center")[0, 0, 0, 0], expected)


def test_the_long_side_is_cut_or_squeezed():
    pixels = torch.zeros(1, 8, 24, 3)
    pixels[:, :, 8:16] = 1.0
    white = (1 - 0.48145466) / 0.26862954
    cut = preprocessed(pixels, 4, "center")[0, 0]
    squeezed = preprocessed(pixels, 4, "none")[0, 0]
    assert cut.shape == squeezed.shape == (4, 4)
    assert cut[:, 1:3].sub(white).abs().max() < 0.02
    assert squeezed[:, 0].max() < -1.0


def test_other_files_are_named(tmp_path):
    path = tiny.make_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError) as caught:
        load_clip_vision_file(path)
    assert caught.value.details["wanted"] == "CLIP vision"
    other = {"vision_model.encoder.layers.0.layer_norm1.weight": torch.ones(4)}
    with pytest.raises(ModelFileError) as caught:
        load_clip_vision_file(save(tmp_path / "siglip.safetensors", other))
    assert caught.value.code == "model_unknown_shape"

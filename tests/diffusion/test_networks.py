"""Networks filled with a file's tensors: exact, strict, without a copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from graphengine.diffusion.checkpoint import load_checkpoint, load_clip_files, load_unet_file
from graphengine.diffusion.networks import (
    build_text_encoder,
    build_unet,
    build_vae,
    open_text_encoder,
    open_unet,
    open_vae,
)
from graphengine.diffusion.unet import predict
from graphengine.errors import LANGUAGES, ModelFileError
from tests.diffusion import tiny_models as tiny
from tests.diffusion.published import FAMILIES

PREFIX = "model.diffusion_model."


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return tiny.checkpoint_tensors("sd1")


def refused(path: Path, tensors: dict[str, Tensor]) -> ModelFileError:
    save_file(tensors, str(path))
    with pytest.raises(ModelFileError) as caught:
        open_unet(load_unet_file(path).weights)
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)
    return caught.value


def test_a_network_holds_the_files_numbers_in_the_files_dtype(tmp_path: Path) -> None:
    path = tiny.make_checkpoint(tmp_path / "m.safetensors", dtype=torch.float16)
    model, clip, vae = load_checkpoint(path)
    assert clip is not None
    assert vae is not None
    assert vae.weights is not None
    stored = load_file(path)
    pairs = [
        (open_unet(model.weights), "conv_in.weight", f"{PREFIX}input_blocks.0.0.weight"),
        (
            open_text_encoder(clip.encoders[0].weights, "clip_l"),
            "final_layer_norm.bias",
            "cond_stage_model.transformer.text_model.final_layer_norm.bias",
        ),
        (open_vae(vae.weights), "decoder.conv_out.bias", "first_stage_model.decoder.conv_out.bias"),
    ]
    for network, ours, theirs in pairs:
        assert torch.equal(network.state_dict()[ours], stored[theirs])
        assert {tensor.dtype for tensor in network.parameters()} == {torch.float16}
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


class Operations(TorchDispatchMode):
    """The names of the operations in the body."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


def test_no_first_values_are_drawn_for_tensors_that_come_from_the_file() -> None:
    parts = FAMILIES["sd1"]
    with Operations() as operations:
        build_unet(parts.unet)
        build_vae(parts.vae)
        build_text_encoder(*parts.texts.values())

    assert "aten::empty.memory_format" in operations.names
    assert not [name for name in operations.names if "uniform" in name or "normal" in name]


def test_no_tensor_is_left_without_memory(tmp_path: Path) -> None:
    _, clip, _ = load_checkpoint(tiny.make_checkpoint(tmp_path / "m.safetensors", family="sdxl"))
    assert clip is not None
    for encoder in clip.encoders:
        network = open_text_encoder(encoder.weights, encoder.kind)
        everything = [*network.parameters(), *network.buffers()]
        assert {tensor.device.type for tensor in everything} == {"cpu"}
        positions = network.get_buffer("embeddings.position_ids")
        assert positions.tolist() == [list(range(77))]


def test_the_projection_of_the_pooled_text_is_there_where_the_file_has_one(tmp_path: Path) -> None:
    _, clip, _ = load_checkpoint(tiny.make_checkpoint(tmp_path / "m.safetensors", family="sdxl"))
    assert clip is not None
    small, large = (open_text_encoder(e.weights, e.kind) for e in clip.encoders)
    assert small.text_projection is None
    assert isinstance(large.text_projection, torch.nn.Linear)
    assert large.text_projection.weight.shape == (128, 128)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_unet_answers_in_shape_and_both_layouts_answer_alike(tmp_path: Path, family: str) -> None:
    layout = tiny.FAMILIES[family].unet
    other = replace(layout, style="diffusers")
    answers = []
    for number, shape in enumerate((layout, other)):
        path = tmp_path / f"{number}.safetensors"
        save_file(tiny.unet_tensors(shape), str(path))
        answers.append(answer(path, layout.in_channels, layout.vector_width))
    assert answers[0].shape == (2, 4, 8, 8)
    assert torch.equal(*answers)


@torch.no_grad()
def answer(path: Path, channels: int, vector: int | None) -> Tensor:
    model = load_unet_file(path)
    network = open_unet(model.weights)
    noise = torch.Generator().manual_seed(1)
    x = torch.randn(2, channels, 8, 8, generator=noise)
    width = network.config.cross_attention_dim  # type: ignore[union-attr]
    context = torch.randn(2, 7, int(width), generator=noise)  # type: ignore[arg-type]
    y = None if vector is None else torch.randn(2, vector, generator=noise)
    return predict(network, x, torch.tensor([999.0, 3.5]), context, y=y)


def test_the_vector_condition_and_what_control_networks_add_change_the_answer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.safetensors"
    save_file(tiny.unet_tensors(tiny.SDXL_UNET), str(path))
    network = open_unet(load_unet_file(path).weights)
    x, t, context = torch.ones(1, 4, 8, 8), torch.tensor([10.0]), torch.ones(1, 7, 192)
    y = torch.zeros(1, tiny.SDXL_UNET.vector_width or 0)
    with torch.no_grad():
        plain = predict(network, x, t, context, y=y)
        pooled = predict(network, x, t, context, y=y + 1)
        mid = torch.ones(1, 128, 2, 2)
        sides = [(64, 8), (64, 8), (64, 4), (64, 4), (64, 2), (128, 2)]
        down = [torch.zeros(1, width, side, side) for width, side in sides]
        steered = predict(network, x, t, context, y=y, down_residuals=down, mid_residual=mid)
    assert not torch.allclose(plain, pooled)
    assert not torch.allclose(plain, steered)


def test_a_missing_tensor_is_named(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    del tensors[f"{PREFIX}out.2.bias"]
    error = refused(tmp_path / "m.safetensors", tensors)
    assert (error.code, error.details["key"]) == ("model_missing_key", "out.2.bias")


def test_a_layer_too_many_is_named(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    tensors[f"{PREFIX}output_blocks.0.1.norm.weight"] = torch.ones(64)
    error = refused(tmp_path / "m.safetensors", tensors)
    assert error.code == "model_unexpected_key"
    assert error.details["key"] == "output_blocks.0.1.norm.weight"


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    tensors[f"{PREFIX}out.0.bias"] = torch.ones(33)
    error = refused(tmp_path / "m.safetensors", tensors)
    assert error.code == "model_wrong_shape"
    assert error.details["key"] == "out.0.bias"
    assert (error.details["expected"], error.details["got"]) == ([32], [33])


def test_what_real_files_carry_beside_the_network_does_no_harm(tmp_path: Path) -> None:
    layout = tiny.CLIP_L
    extra = {
        "text_model.embeddings.position_ids": torch.arange(77)[None],
        "logit_scale": torch.ones(()),
        "vision_model.encoder.layers.0.mlp.fc1.weight": torch.ones(1),
        "visual_projection.weight": torch.ones(1),
        "something_a_merge_left_behind": torch.ones(1),
    }
    path = tmp_path / "clip.safetensors"
    save_file(tiny.text_tensors(layout) | extra, str(path))
    encoder = load_clip_files([path]).encoders[0]
    network = open_text_encoder(encoder.weights, encoder.kind)
    assert network.get_parameter("final_layer_norm.weight").shape == (layout.width,)

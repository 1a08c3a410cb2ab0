"""Upscale models: what their networks compute, the names files give them, tiles, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, leaky_relu, pixel_shuffle, prelu

from graphengine.diffusion import upscaling
from graphengine.diffusion.upscaling import load_upscale_file, upscale
from graphengine.errors import Cancelled, ModelFileError, OutOfMemory
from graphengine.sockets import Image
from tests.diffusion import tiny_models as tiny

WIDTH, GROWTH = 4, 2
PICTURE = torch.rand(1, 10, 14, 3, generator=torch.Generator().manual_seed(3))


def layers(name: str, before: int, behind: int, generator: torch.Generator) -> dict[str, Tensor]:
    weight = torch.randn(behind, before, 3, 3, generator=generator) / (9 * before) ** 0.5
    return {f"{name}.weight": weight, f"{name}.bias": torch.full((behind,), 0.1)}


def esrgan(*, doublings: int = 2, shuffle: int = 1, blocks: int = 2) -> dict[str, Tensor]:
    """A random RRDBNet under Real-ESRGAN's names."""
    generator = torch.Generator().manual_seed(1)
    found = layers("conv_first", 3 * shuffle**2, WIDTH, generator)
    for i in range(blocks):
        for j in range(1, 4):
            for k in range(1, 6):
                name = f"body.{i}.rdb{j}.conv{k}"
                behind = GROWTH if k < 5 else WIDTH
                found |= layers(name, WIDTH + (k - 1) * GROWTH, behind, generator)
    up = [f"conv_up{i + 1}" for i in range(doublings)]
    for name in ("conv_body", *up, "conv_hr"):
        found |= layers(name, WIDTH, WIDTH, generator)
    return found | layers("conv_last", WIDTH, 3, generator)


def renamed(tensors: dict[str, Tensor], *names: tuple[str, str]) -> dict[str, Tensor]:
    def name(key: str) -> str:
        for old, new in names:
            key = key.replace(old, new)
        return key

    return {name(key): tensor for key, tensor in tensors.items()}


OLD_NAMES = (
    *((f"conv{k}.", f"conv{k}.0.") for k in range(1, 6)),
    ("body.", "model.1.sub."),
    ("rdb", "RDB"),
    ("conv_first", "model.0"),
    ("conv_model.1.sub.", "model.1.sub.2."),
    ("conv_up1", "model.3"),
    ("conv_up2", "model.6"),
    ("conv_hr", "model.8"),
    ("conv_last", "model.10"),
)
BSRGAN_NAMES = (
    ("conv_body", "trunk_conv"),
    ("body.", "RRDB_trunk."),
    ("rdb", "RDB"),
    ("conv_up", "upconv"),
    ("conv_hr", "HRconv"),
)


def save(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, str(path))
    return path


def enlarge(store, path: Path, pixels: Tensor = PICTURE) -> Tensor:
    return upscale(store, load_upscale_file(path), Image(pixels), lambda done, total: None).pixels


def test_an_esrgan_computes_its_formula(tiny_store, tmp_path):
    w = esrgan(doublings=1, blocks=1)

    def conv(name: str, x: Tensor) -> Tensor:
        return conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    x = first = conv("conv_first", PICTURE.movedim(-1, 1))
    for j in range(1, 4):
        seen = [x]
        for k in range(1, 5):
            seen.append(leaky_relu(conv(f"body.0.rdb{j}.conv{k}", torch.cat(seen, 1)), 0.2))
        x = x + 0.2 * conv(f"body.0.rdb{j}.conv5", torch.cat(seen, 1))
    x = first + conv("conv_body", first + 0.2 * x)
    x = leaky_relu(conv("conv_up1", interpolate(x, scale_factor=2.0)), 0.2)
    x = conv("conv_last", leaky_relu(conv("conv_hr", x), 0.2))
    found = enlarge(tiny_store, save(tmp_path / "a.safetensors", w))
    assert found.shape == (1, 20, 28, 3)
    assert found.std() > 0.05
    torch.testing.assert_close(found, x.clamp(0, 1).movedim(1, -1), rtol=1e-4, atol=1e-5)


def test_all_generations_of_names_give_the_same_picture(tiny_store, tmp_path):
    w = esrgan()
    expected = enlarge(tiny_store, save(tmp_path / "new.safetensors", w))
    assert expected.shape == (1, 40, 56, 3)
    old = save(tmp_path / "old.safetensors", renamed(w, *OLD_NAMES))
    bsrgan = save(tmp_path / "bsrgan.safetensors", renamed(w, *BSRGAN_NAMES))
    prefixed = {f"params_ema.{key}": tensor for key, tensor in w.items()}
    torch.save({"params": {"x": torch.zeros(1)}, "params_ema": w}, tmp_path / "wrapped.pth")
    for path in (old, bsrgan, save(tmp_path / "p.safetensors", prefixed), tmp_path / "wrapped.pth"):
        assert torch.equal(enlarge(tiny_store, path), expected), path.name


@pytest.mark.parametrize(
    ("doublings", "shuffle", "scale"), [(3, 1, 8), (2, 1, 4), (2, 2, 2), (1, 1, 2), (2, 4, 1)]
)
def test_the_scale_is_read_from_the_shapes(tiny_store, tmp_path, doublings, shuffle, scale):
    w = esrgan(doublings=doublings, shuffle=shuffle, blocks=1)
    path = save(tmp_path / "a.safetensors", w)
    assert load_upscale_file(path).scale == scale
    odd = PICTURE[:, :7, :5]
    assert enlarge(tiny_store, path, odd).shape == (1, 7 * scale, 5 * scale, 3)
    assert enlarge(tiny_store, path, odd[:, :1, :2]).shape == (1, scale, 2 * scale, 3)


def compact(scale: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    slopes = {"body.1.weight": torch.tensor([0.1, 0.2, 0.3, -0.4])}
    found = layers("body.0", 3, WIDTH, generator) | slopes
    return found | layers("body.2", WIDTH, 3 * scale**2, generator)


def test_a_compact_model_adds_to_the_nearest_pixels(tiny_store, tmp_path):
    w = {key: 0.1 * tensor for key, tensor in compact().items()}
    x = PICTURE.movedim(-1, 1)
    y = conv2d(x, w["body.0.weight"], w["body.0.bias"], padding=1)
    y = conv2d(prelu(y, w["body.1.weight"]), w["body.2.weight"], w["body.2.bias"], padding=1)
    y = pixel_shuffle(y, 4) + interpolate(x, scale_factor=4.0)
    found = enlarge(tiny_store, save(tmp_path / "a.safetensors", w))
    torch.testing.assert_close(found, y.clamp(0, 1).movedim(1, -1), rtol=1e-4, atol=1e-5)


def test_tiles_give_nearly_the_whole_picture_and_tell_how_far_they_are(
    tiny_store, tmp_path, monkeypatch
):
    path = save(tmp_path / "a.safetensors", compact(2))
    pixels = torch.rand(2, 40, 60, 3, generator=torch.Generator().manual_seed(5))
    whole, told = enlarge(tiny_store, path, pixels), []
    monkeypatch.setattr(upscaling, "_TILES", (32, 16))
    monkeypatch.setattr(upscaling, "_OVERLAP", 8)
    found = upscale(
        tiny_store, load_upscale_file(path), Image(pixels), lambda *told_: told.append(told_)
    )
    assert (found.pixels - whole).abs().mean() < 0.01
    # Along 40 pixels tiles of 32 begin at 0 and 8, along 60 at 0, 24 and 28; two pictures.
    assert told == [(done, 12) for done in range(1, 13)]


def test_tiles_get_smaller_while_memory_does_not_suffice(tiny_store, tmp_path, monkeypatch):
    model = load_upscale_file(save(tmp_path / "a.safetensors", compact(2)))
    pixels = torch.rand(1, 40, 40, 3, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(upscaling, "_OVERLAP", 4)
    monkeypatch.setattr(upscaling, "_TILES", (64, 32, 16))
    network, sizes = upscaling.open_upscaler(model.weights), []

    def small_memory(tile: Tensor) -> Tensor:
        sizes.append(tile.shape[-1])
        if tile.shape[-1] > 20:
            raise torch.OutOfMemoryError("out of memory")
        return interpolate(tile, scale_factor=2.0)

    monkeypatch.setattr(network, "forward", small_memory)
    monkeypatch.setattr(tiny_store, "network", lambda recipe: network)
    found = upscale(tiny_store, model, Image(pixels), lambda done, total: None).pixels
    assert (sizes[0], sizes[-1]) == (40, 16)
    torch.testing.assert_close(found, pixels.repeat_interleave(2, 1).repeat_interleave(2, 2))
    monkeypatch.setattr(upscaling, "_TILES", (64, 32))
    with pytest.raises(OutOfMemory):
        upscale(tiny_store, model, Image(pixels), lambda done, total: None)


def test_alpha_is_dropped_and_grey_becomes_colour(tiny_store, tmp_path):
    path = save(tmp_path / "a.safetensors", compact(2))
    alpha = torch.cat([PICTURE, torch.zeros(1, 10, 14, 1)], dim=-1)
    assert torch.equal(enlarge(tiny_store, path, alpha), enlarge(tiny_store, path))
    grey = enlarge(tiny_store, path, PICTURE[..., :1])
    assert torch.equal(grey, enlarge(tiny_store, path, PICTURE[..., :1].repeat(1, 1, 1, 3)))


def test_it_stops_when_the_person_cancels(tiny_store, tmp_path):
    def cancelled(done: float, total: float) -> None:
        raise Cancelled

    model = load_upscale_file(save(tmp_path / "a.safetensors", compact(2)))
    with pytest.raises(Cancelled):
        upscale(tiny_store, model, Image(PICTURE), cancelled)


def test_other_files_are_refused_by_name(tmp_path):
    w, path = esrgan(blocks=1), tmp_path / "a.safetensors"
    grey = w | {"conv_last.weight": w["conv_last.weight"][:1]}
    plus = w | {"body.0.rdb1.conv1x1.weight": torch.zeros(1)}
    less = {key: tensor for key, tensor in w.items() if key != "body.0.rdb2.conv3.bias"}
    for tensors, code in (
        ({"layers.0.residual_group.weight": torch.zeros(2)}, "upscaler_unsupported"),
        (grey, "upscaler_unsupported"),
        (plus, "model_unexpected_key"),
        (less, "model_missing_key"),
    ):
        with pytest.raises(ModelFileError) as caught:
            load_upscale_file(save(path, tensors))
        assert caught.value.code == code
        assert str(path) in caught.value.text("ja")
    hat = "params_ema.layers.0.residual_group."
    names = f"{hat}overlap_attn.qkv.weight", f"{hat}blocks.0.attn.relative_position_bias_table"
    save(path, {name: torch.zeros(9, 2) for name in names})
    with pytest.raises(ModelFileError, match=r"architecture HAT.* Use another model"):
        load_upscale_file(path)
    with pytest.raises(ModelFileError) as caught:
        load_upscale_file(tiny.make_checkpoint(path))
    assert caught.value.details["wanted"] == "upscale model"

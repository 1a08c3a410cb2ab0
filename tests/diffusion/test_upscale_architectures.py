"""SwinIR, SPAN and RealPLKSR against their authors' code.

The numbers (mean, deviation, first two and last value) come from the authors' networks, as
chaiNNer's spandrel 0.4.2 carries them, with the weights and the picture made below.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.light_upscalers import PlkLayout, SpanLayout
from graphengine.diffusion.swinir import SwinLayout, relative_places
from graphengine.diffusion.upscale_networks import UpscalerLayout, build_upscaler, open_upscaler
from graphengine.diffusion.upscaling import load_upscale_file, upscale
from graphengine.errors import ModelFileError
from graphengine.sockets import Image

PICTURE = torch.sin(torch.arange(3 * 11 * 13, dtype=torch.float64) * 0.37).float() * 0.5 + 0.5
PICTURE = PICTURE.reshape(1, 3, 11, 13)


def swin(**changes: object) -> SwinLayout:
    options: dict[str, object] = {
        "channels": 16, "depths": (2, 2), "heads": (2, 4), "window": 4, "hidden": 32,
        "ending": "shuffle", "ups": (2,), "width": 64, "three": False, "patch_norm": True,
    }  # fmt: skip
    return SwinLayout(**(options | changes))  # type: ignore[arg-type]


PLK = PlkLayout(8, 2, kernel=5, part=2, scale=3, attention=True, layer_norm=False)
CASES: tuple[tuple[UpscalerLayout, list[float]], ...] = (
    (
        swin(window=8, ending="nearest", ups=(2, 2), three=True),
        [0.391511, 0.082084, 0.487037, 0.484759, 0.402408],
    ),
    (swin(), [0.393083, 0.081485, 0.486644, 0.485865, 0.404216]),
    (
        swin(ending="direct", ups=(3,), width=3),
        [0.424766, 0.110346, 0.316978, 0.535912, 0.284683],
    ),
    (
        swin(window=7, ending="none", ups=(), width=3),
        [0.50278, 0.354189, 0.497344, 0.675958, 0.983777],
    ),
    (SpanLayout(8, 2, normed=True), [-0.001445, 0.30117, 0.261073, -0.434421, -0.176126]),
    (PLK, [0.49794, 0.406155, 0.396054, 0.457983, 1.008811]),
    (
        PlkLayout(8, 2, kernel=5, part=2, scale=2, attention=False, layer_norm=True),
        [0.494095, 0.369037, 0.378938, 0.433885, 0.893903],
    ),
)


def made_up(key: str, shape: torch.Size) -> Tensor:
    """A weight that follows from its name: waves, about as strong as trained ones."""
    places = torch.arange(shape.numel(), dtype=torch.float64)
    fan_in = shape[1:].numel() if len(shape) > 1 else 4
    values = torch.sin(places * 1.7 + sum(map(ord, key)) % 97) * (0.3 / fan_in**0.5)
    if len(shape) == 1 and "norm" in key and key.endswith("weight"):
        values = values + 1
    return values.reshape(shape).float()


def save(path: Path, layout: UpscalerLayout, **more: Tensor) -> Path:
    state = build_upscaler(layout).state_dict()
    tensors = {key: made_up(key, tensor.shape) for key, tensor in state.items()}
    save_file(tensors | more, str(path))
    return path


@pytest.mark.parametrize(("layout", "numbers"), CASES)
@torch.no_grad()
def test_a_network_computes_what_its_authors_code_does(tmp_path, layout, numbers):
    model = load_upscale_file(save(tmp_path / "up.safetensors", layout))
    assert model.scale == layout.scale
    y = open_upscaler(model.weights)(PICTURE)
    assert y.shape == (1, 3, 11 * layout.scale, 13 * layout.scale)
    flat = y.flatten().tolist()
    found = [float(y.mean()), float(y.std()), flat[0], flat[1], flat[-1]]
    assert found == pytest.approx(numbers, abs=3e-6)


def test_what_files_keep_beside_weights_is_looked_over(tmp_path, tiny_store):
    plain = save(tmp_path / "plain.safetensors", swin())
    block = "layers.0.residual_group.blocks"
    more = {
        f"{block}.0.attn.relative_position_index": relative_places(4),
        f"{block}.1.attn_mask": torch.zeros(16, 16, 16),
    }
    whole = save(tmp_path / "whole.safetensors", swin(), **more)
    picture = Image(PICTURE.movedim(1, -1))
    one, other = (
        upscale(tiny_store, load_upscale_file(path), picture, lambda *_: None).pixels
        for path in (plain, whole)
    )
    assert torch.equal(one, other)
    assert one.shape == (1, 22, 26, 3)


def test_a_pixel_looks_up_how_far_another_lies():
    places = relative_places(3)
    # From the middle of a window of 3 to itself: the middle of a table of 5 by 5.
    assert int(places[4, 4]) == 12
    assert (int(places[0, 8]), int(places[8, 0])) == (0, 24)


@pytest.mark.parametrize(
    ("layout", "more"),
    [
        (PLK, {"to_img.offset.weight": torch.zeros(1)}),
        (SpanLayout(8, 2, normed=True), {"conv_1.sk.weight": torch.zeros(8, 1, 1, 1)}),
        (swin(), {"conv_first.weight": torch.zeros(16, 1, 3, 3)}),
    ],
)
def test_variants_that_are_not_supported_are_named(tmp_path, layout, more):
    with pytest.raises(ModelFileError) as caught:
        load_upscale_file(save(tmp_path / "up.safetensors", layout, **more))
    assert caught.value.code == "upscaler_unsupported"

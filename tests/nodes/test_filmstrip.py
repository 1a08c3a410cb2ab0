"""The filmstrip node and the previews that samplers offer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.api import Context, Image
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.filmstrip import lay_out
from graphengine.diffusion.previews import RGB_METADATA, preview, rgb_factors
from graphengine.events import Event, NodePreview, NodeProgress
from tests.diffusion import tiny_models as tiny

Call = Callable[..., Any]


@pytest.fixture
def parts(call: Call, context: Context, tmp_path: Path) -> dict[str, Any]:
    model, clip, vae = load_checkpoint(tiny.make_checkpoint(tmp_path / "tiny.safetensors"))
    text = call("CLIPTextEncode", clip=clip, text="a", context=context)
    latent = call("EmptyLatentImage", width=64, height=64, batch_size=2)
    return {"model": model, "positive": text, "negative": text, "latent_image": latent, "vae": vae}


def test_a_strip_has_one_picture_a_step_and_the_samplers_own_latent(
    call: Call, context: Context, parts: dict[str, Any]
) -> None:
    options = {"seed": 3, "steps": 3, "cfg": 1.0, "context": context}
    strip = call("KSamplerFilmstrip", **parts, **options, layout="frames")
    without_vae = {name: value for name, value in parts.items() if name != "vae"}
    plain = call("KSampler", **without_vae, **options)
    assert strip.image.pixels.shape == (3, 64, 64, 3)
    assert torch.equal(strip.latent.samples, plain.samples)
    last = call("VAEDecode", samples=strip.latent, vae=parts["vae"], context=context)
    torch.testing.assert_close(strip.image.pixels[-1], last.pixels[0], atol=1e-4, rtol=0)


def test_every_step_offers_a_preview_before_its_progress(
    call: Call, context: Context, parts: dict[str, Any], events: list[Event]
) -> None:
    del parts["vae"]
    call("KSampler", **parts, seed=1, steps=2, cfg=1.0, context=context)
    kinds = [type(event) for event in events]
    assert kinds == [NodePreview, NodeProgress] * 2
    first = events[0]
    assert isinstance(first, NodePreview)
    assert first.image.size == (64, 64)


def test_frames_lie_in_reading_order_with_white_between() -> None:
    frames = Image(torch.arange(3.0)[:, None, None, None].expand(3, 4, 4, 3) / 4)
    row, grid = (lay_out(frames, layout, gap=1).pixels[0] for layout in ("row", "grid"))
    assert row.shape == (4, 14, 3)
    assert [float(row[0, x, 0]) for x in (0, 4, 5, 9, 10)] == [0.0, 1.0, 0.25, 1.0, 0.5]
    assert grid.shape == (9, 9, 3)
    assert (float(grid[0, 5, 0]), float(grid[5, 0, 0]), float(grid[5, 5, 0])) == (0.25, 0.5, 1.0)


def test_a_model_file_may_carry_its_own_preview_colours(tmp_path: Path) -> None:
    rows = [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0, 0, 0], [0.1, 0.2, 0.3]]
    path = tmp_path / "own.safetensors"
    save_file(tiny.checkpoint_tensors("sd1"), str(path), metadata={RGB_METADATA: json.dumps(rows)})
    model, _, _ = load_checkpoint(path)
    assert rgb_factors(model).tolist() == torch.tensor(rows).tolist()
    picture = preview(torch.ones(1, 4, 8, 8), model)
    assert picture.getpixel((10, 10)) == tuple(int((v + 1) / 2 * 255) for v in (0.6, 0.7, 0.8))


def test_families_without_known_colours_are_shown_in_grey(tmp_path: Path) -> None:
    model, _, _ = load_checkpoint(tiny.make_checkpoint(tmp_path / "tiny.safetensors"))
    wide = replace(model, family=replace(model.family, latent_channels=16))
    picture = preview(torch.randn(1, 16, 4, 4), wide)
    assert all(len(set(picture.crop((x, x, x + 1, x + 1)).tobytes())) == 1 for x in range(0, 32, 8))

"""Previews by TAESD: whose decoder, at what size, and what happens where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file

from graphengine.api import Context
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.previews import painter, preview
from graphengine.events import Event, NodePreview, NodeProgress, NodeWarning, PreviewMethod
from graphengine.sockets import Model
from tests.diffusion import tiny_models as tiny
from tests.diffusion.test_tiny_vae import saved


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "vae_approx"
    folder.mkdir(parents=True)
    return folder


def network(seed: int, folder: Path, name: str) -> AutoencoderTiny:
    """A random TAESD; its decoder is put into the folder, its encoder is not."""
    torch.manual_seed(seed)
    made = AutoencoderTiny().eval().requires_grad_(False)
    _, decoder = saved(made, folder.parent)
    decoder.rename(folder / f"{name}_decoder.safetensors")
    return made


def model_of(tmp_path: Path, family: str) -> Model:
    return load_checkpoint(tiny.make_checkpoint(tmp_path / f"{family}.safetensors", family=family))[
        0
    ]


def by(context: Context, method: PreviewMethod) -> Context:
    return replace(context, run=replace(context.run, preview_method=method))


@pytest.mark.parametrize("method", ["auto", "taesd"])
@pytest.mark.parametrize(("family", "name"), [("sd1", "taesd"), ("sdxl", "taesdxl")])
def test_it_shows_what_the_familys_decoder_makes_of_half_the_latent(
    tmp_path: Path, models: Path, context: Context, family: str, name: str, method: PreviewMethod
) -> None:
    tiny_vaes = {each: network(i, models, each) for i, each in enumerate(["taesd", "taesdxl"])}
    half = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(1))
    denoised = half.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    found = painter(model_of(tmp_path, family), by(context, method))(denoised)
    pixels = (tiny_vaes[name].decode(half[:1]).sample[0] + 1) / 2
    values = (pixels.clamp(0, 1) * 255).to(torch.uint8).movedim(0, -1).numpy()
    expected = Image.fromarray(values).resize((80, 96), Image.Resampling.BILINEAR)
    off = np.abs(np.asarray(found, dtype=int) - np.asarray(expected, dtype=int))
    assert found.size == (80, 96)
    assert off.max() <= 1


def test_no_preview_exceeds_512_pixels(tmp_path: Path, models: Path, context: Context) -> None:
    network(0, models, "taesd")
    paint = painter(model_of(tmp_path, "sd1"), context)
    assert paint(torch.zeros(1, 4, 130, 65)).size == (195, 390)
    assert paint(torch.zeros(1, 4, 64, 48)).size == (384, 512)


def test_other_methods_and_a_missing_decoder_mix_colours(
    tmp_path: Path, models: Path, context: Context, events: list[Event]
) -> None:
    model = model_of(tmp_path, "sd1")
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    mixed = preview(z, model).tobytes()
    assert painter(model, by(context, "auto"))(z).tobytes() == mixed
    assert events == []
    assert painter(model, by(context, "taesd"))(z).tobytes() == mixed
    assert told(events) == ["preview_no_taesd"]
    network(0, models, "taesd")
    assert painter(model, by(context, "latent2rgb"))(z).tobytes() == mixed
    assert painter(model, by(context, "taesd"))(z).tobytes() != mixed


def test_a_decoder_that_is_something_else_is_a_warning(
    tmp_path: Path, models: Path, context: Context, events: list[Event]
) -> None:
    model = model_of(tmp_path, "sd1")
    network(0, models, "taesd")
    file = models / "taesd_decoder.safetensors"
    tensors = {key: value for key, value in load_file(file).items() if key != "1.bias"}
    save_file(tensors, file)
    z = torch.zeros(1, 4, 8, 8)
    assert painter(model, context)(z).tobytes() == preview(z, model).tobytes()
    assert told(events) == ["model_missing_key"]


def test_a_sampling_shows_one_a_step_or_none(
    call: Callable[..., Any], tmp_path: Path, models: Path, context: Context, events: list[Event]
) -> None:
    network(0, models, "taesd")
    model, clip, _ = load_checkpoint(tiny.make_checkpoint(tmp_path / "tiny.safetensors"))
    text = call("CLIPTextEncode", clip=clip, text="a", context=context)
    latent = call("EmptyLatentImage", width=64, height=64, batch_size=1)
    inputs = {"model": model, "positive": text, "negative": text, "latent_image": latent}
    for method, kinds in (("taesd", [NodePreview, NodeProgress]), ("none", [NodeProgress])):
        events.clear()
        call("KSampler", **inputs, steps=2, cfg=1.0, context=by(context, method))
        assert [type(event) for event in events] == kinds * 2
        shown = [event.image for event in events if isinstance(event, NodePreview)]
        assert all(picture.size == (64, 64) for picture in shown)


def told(events: list[Event]) -> list[str]:
    return [event.warning.code for event in events if isinstance(event, NodeWarning)]

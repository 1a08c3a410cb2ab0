"""Pictures and masks made ready for inpainting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from graphengine.api import Conditioning, Context, Image, InputError, Mask, Vae
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.sockets import Condition, Family
from tests.diffusion.tiny_models import make_checkpoint

Call = Callable[..., Any]

# Its latent is the picture itself, in -1..1.
PIXEL_SPACE = Vae(None, Family("pixels", latent_channels=3))


def hole(height: int, width: int, *, rows: slice, columns: slice) -> Mask:
    values = torch.zeros(1, height, width)
    values[:, rows, columns] = 1
    return Mask(values)


def prompt() -> Conditioning:
    return Conditioning((Condition(torch.zeros(1, 77, 8)), Condition(torch.ones(1, 77, 8))))


def test_the_picture_is_grey_under_the_mask_and_the_mask_grows(
    call: Call, context: Context
) -> None:
    mask = hole(16, 24, rows=slice(8, 9), columns=slice(12, 13))
    latent = call(
        "VAEEncodeForInpaint",
        pixels=Image(torch.ones(1, 16, 24, 3)),
        vae=PIXEL_SPACE,
        mask=mask,
        grow_mask_by=6,
        context=context,
    )
    assert float(latent.samples[0, :, 8, 12].abs().sum()) == 0
    assert float(latent.samples.sum()) == 3 * (16 * 24 - 1)
    grown = hole(16, 24, rows=slice(6, 12), columns=slice(10, 16))
    assert torch.equal(latent.noise_mask[:, 0], grown.values)


def test_an_ungrown_mask_is_only_rounded_and_both_are_cropped_to_8(
    call: Call, context: Context
) -> None:
    values = torch.full((1, 20, 30), 0.4)
    values[:, 2, 3] = 0.6
    latent = call(
        "VAEEncodeForInpaint",
        pixels=Image(torch.ones(2, 20, 30, 3)),
        vae=PIXEL_SPACE,
        mask=Mask(values),
        grow_mask_by=0,
        context=context,
    )
    assert latent.samples.shape == (2, 3, 16, 24)
    assert latent.noise_mask.shape == (2, 1, 16, 24)
    assert latent.noise_mask.sum(dim=(1, 2, 3)).tolist() == [1, 1]
    assert float(latent.noise_mask[1, 0, 0, 0]) == 1


def test_a_small_empty_mask_as_loaded_without_alpha_changes_nothing(
    call: Call, context: Context
) -> None:
    pixels = torch.rand(1, 32, 32, 3)
    latent = call(
        "VAEEncodeForInpaint",
        pixels=Image(pixels),
        vae=PIXEL_SPACE,
        mask=Mask(torch.zeros(1, 64, 64)),
        context=context,
    )
    assert torch.allclose(latent.samples.movedim(1, -1), pixels * 2 - 1, atol=1e-6)
    assert float(latent.noise_mask.sum()) == 0


def test_inpainting_models_see_the_greyed_picture_and_the_mask(
    call: Call, context: Context
) -> None:
    mask = hole(16, 16, rows=slice(0, 8), columns=slice(0, 16))
    result = call(
        "InpaintModelConditioning",
        positive=prompt(),
        negative=prompt(),
        vae=PIXEL_SPACE,
        pixels=Image(torch.ones(1, 16, 16, 3)),
        mask=mask,
        context=context,
    )
    for condition in (*result.positive.conditions, *result.negative.conditions):
        assert condition.concat_latent.mean(dim=(0, 1, 3)).tolist() == [0] * 8 + [1] * 8
        assert torch.equal(condition.concat_mask[:, 0], mask.values)
    assert float(result.positive.conditions[1].embedding.mean()) == 1
    assert float(result.latent.samples.min()) == 1
    assert torch.equal(result.latent.noise_mask[:, 0], mask.values)


def test_the_noise_mask_can_be_left_out(call: Call, context: Context) -> None:
    result = call(
        "InpaintModelConditioning",
        positive=prompt(),
        negative=prompt(),
        vae=PIXEL_SPACE,
        pixels=Image(torch.ones(1, 16, 16, 3)),
        mask=Mask(torch.ones(1, 16, 16)),
        noise_mask=False,
        context=context,
    )
    assert result.latent.noise_mask is None


def test_a_real_vae_gives_latents_of_an_eighth(
    call: Call, context: Context, tmp_path_factory: pytest.TempPathFactory
) -> None:
    vae = load_checkpoint(make_checkpoint(tmp_path_factory.mktemp("vae") / "m.safetensors"))[2]
    pixels = Image(torch.rand(1, 64, 72, 3))
    mask = hole(64, 72, rows=slice(0, 64), columns=slice(0, 36))
    latent = call("VAEEncodeForInpaint", pixels=pixels, vae=vae, mask=mask, context=context)
    greyed = pixels.pixels.clone()
    greyed[:, :, :36] = 0.5
    plain = call("VAEEncode", pixels=Image(greyed), vae=vae, context=context)
    assert latent.samples.shape == (1, 4, 8, 9)
    assert torch.allclose(latent.samples, plain.samples, atol=1e-5)


@pytest.mark.parametrize("size", [4, 7])
def test_a_picture_smaller_than_8_pixels_is_explained(
    call: Call, context: Context, size: int
) -> None:
    with pytest.raises(InputError) as caught:
        call(
            "VAEEncodeForInpaint",
            pixels=Image(torch.ones(1, 16, size, 3)),
            vae=PIXEL_SPACE,
            mask=Mask(torch.ones(1, 16, size)),
            context=context,
        )
    assert caught.value.code == "image_too_small"

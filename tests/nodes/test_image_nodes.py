"""What the nodes that work on pictures compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from graphengine.api import Context, Folders, Image, InputError, Items, Mask
from graphengine.diffusion.quantize import bayer_matrix

Call = Callable[..., Any]


def grey(*rows: list[float]) -> Image:
    """One picture whose three channels hold these rows."""
    return Image(torch.tensor(rows)[None, :, :, None].repeat(1, 1, 1, 3))


def plain(colour: tuple[float, ...], *, count: int = 1, height: int = 1, width: int = 1) -> Image:
    return Image(torch.tensor(colour).expand(count, height, width, len(colour)).clone())


def first_channel(image: Image) -> list[list[float]]:
    rows: list[list[float]] = image.pixels[0, :, :, 0].tolist()
    return rows


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(0, 0, (6, 10)), (5, 0, (3, 5)), (0, 12, (12, 20)), (7, 3, (3, 7))],
)
def test_a_picture_is_scaled_to_a_size_and_0_keeps_the_shape(
    call: Call, width: int, height: int, expected: tuple[int, int]
) -> None:
    scaled = call(
        "ImageScale",
        image=plain((0.1, 0.2, 0.3), count=2, height=6, width=10),
        upscale_method="bicubic",
        width=width,
        height=height,
        crop="disabled",
    )
    assert scaled.pixels.shape == (2, *expected, 3)
    assert torch.allclose(scaled.pixels, torch.tensor([0.1, 0.2, 0.3]), atol=1e-6)


def test_each_mode_gives_its_own_values(call: Call) -> None:
    picture = grey([0.0, 0.0, 1.0, 1.0])
    resized = {
        mode: first_channel(
            call(
                "ImageScale",
                image=picture,
                upscale_method=mode,
                width=3 if mode == "area" else 6,
                height=1,
                crop="disabled",
            )
        )[0]
        for mode in ("nearest-exact", "bilinear", "area", "bicubic")
    }
    assert resized["nearest-exact"] == [0, 0, 0, 1, 1, 1]
    assert resized["bilinear"] == pytest.approx([0, 0, 1 / 6, 5 / 6, 1, 1])
    assert resized["area"] == pytest.approx([0, 0.5, 1])
    assert resized["bicubic"][1] < 0 < 1 < resized["bicubic"][4]


def test_lanczos_is_pillows_on_8_bits(call: Call) -> None:
    pixels = torch.rand(2, 9, 7, 3)
    scaled = call("ImageScaleBy", image=Image(pixels), upscale_method="lanczos", scale_by=2.0)
    for one, other in zip(pixels, scaled.pixels, strict=True):
        picture = PIL.Image.fromarray((one.numpy() * 255).astype(np.uint8))
        expected = np.asarray(picture.resize((14, 18), PIL.Image.Resampling.LANCZOS)) / 255.0
        assert np.allclose(other.numpy(), expected, atol=1e-6)


def test_lanczos_keeps_the_number_of_channels(call: Call) -> None:
    for channels in (1, 3, 4):
        scaled = call(
            "ImageScaleBy",
            image=Image(torch.rand(1, 4, 4, channels)),
            upscale_method="lanczos",
            scale_by=0.5,
        )
        assert scaled.pixels.shape == (1, 2, 2, channels)


def test_cropping_about_the_centre_rounds_the_margin(call: Call) -> None:
    picture = grey([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    cropped = call(
        "ImageScale",
        image=picture,
        upscale_method="nearest-exact",
        width=3,
        height=1,
        crop="center",
    )
    assert first_channel(cropped)[0] == pytest.approx([0.2, 0.3, 0.4])
    narrow = call(
        "ImageScale", image=picture, upscale_method="area", width=1, height=9, crop="center"
    )
    assert first_channel(narrow)[0] == pytest.approx([0.3])


def test_a_picture_is_scaled_to_a_number_of_pixels(call: Call) -> None:
    picture = Image(torch.rand(1, 100, 400, 3))
    scaled = call("ImageScaleToTotalPixels", image=picture, upscale_method="area", megapixels=0.01)
    factor = math.sqrt(0.01 * 1024 * 1024 / 40000)
    size = round(100 * factor), round(400 * factor)
    expected = interpolate(picture.pixels.movedim(-1, 1), size=size, mode="area")
    torch.testing.assert_close(scaled.pixels.movedim(-1, 1), expected)


@pytest.mark.parametrize(("size", "expected"), [((30, 60), (50, 100)), ((60, 30), (100, 50))])
def test_the_longer_side_gets_the_length(
    call: Call, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    scaled = call(
        "ImageScaleToMaxDimension",
        image=plain((0.5,) * 3, height=size[0], width=size[1]),
        upscale_method="area",
        largest_size=100,
    )
    assert scaled.pixels.shape[1:3] == expected


def test_a_size_is_told_as_numbers(call: Call) -> None:
    assert call("GetImageSize", image=plain((0.0,) * 3, count=2, height=3, width=5)) == (5, 3, 2)


# --- shape ----------------------------------------------------------------------------------------


def test_a_crop_ends_where_the_picture_does(call: Call) -> None:
    picture = grey([0.0, 0.1, 0.2], [0.3, 0.4, 0.5])
    part = call("ImageCrop", image=picture, width=9, height=1, x=1, y=1)
    assert first_channel(part) == [pytest.approx([0.4, 0.5])]


@pytest.mark.parametrize(("node_id", "name"), [("ImageCrop", "image"), ("CropMask", "mask")])
def test_a_crop_outside_the_picture_is_explained(call: Call, node_id: str, name: str) -> None:
    value = plain((0.0,) * 3, height=2, width=2) if name == "image" else Mask(torch.ones(1, 2, 2))
    with pytest.raises(InputError) as caught:
        call(node_id, **{name: value}, width=1, height=1, x=2, y=0)
    assert caught.value.code == "crop_outside"
    assert "2×2" in str(caught.value)


def test_pictures_flip_and_turn_clockwise(call: Call) -> None:
    picture = grey([0.0, 0.25], [0.5, 0.75])
    flipped = call("ImageFlip", image=picture, flip_method="x-axis: vertically")
    assert first_channel(flipped) == [[0.5, 0.75], [0.0, 0.25]]
    flipped = call("ImageFlip", image=picture, flip_method="y-axis: horizontally")
    assert first_channel(flipped) == [[0.25, 0.0], [0.75, 0.5]]
    turned = call("ImageRotate", image=picture, rotation="90 degrees")
    assert first_channel(turned) == [[0.5, 0.0], [0.75, 0.25]]
    turned = call("ImageRotate", image=picture, rotation="270 degrees")
    assert first_channel(turned) == [[0.25, 0.75], [0.0, 0.5]]


def test_outpainting_adds_grey_and_a_mask_that_fades_into_the_picture(call: Call) -> None:
    picture = plain((1.0, 0.0, 0.0), height=10, width=12)
    image, mask = call(
        "ImagePadForOutpaint", image=picture, left=8, top=0, right=0, bottom=0, feathering=4
    )
    assert image.pixels.shape == (1, 10, 20, 3)
    assert float(image.pixels[:, :, :8].mean()) == 0.5
    assert torch.equal(image.pixels[:, :, 8:], picture.pixels)
    row = mask.values[0, 5]
    assert row[:8].tolist() == [1] * 8
    assert row[8:].tolist() == pytest.approx([1, 9 / 16, 4 / 16, 1 / 16, *[0] * 8])


def test_too_wide_a_feathering_is_left_out(call: Call) -> None:
    picture = plain((1.0, 0.0, 0.0), height=10, width=12)
    for feathering in (0, 5):
        _, mask = call(
            "ImagePadForOutpaint",
            image=picture,
            left=0,
            top=2,
            right=0,
            bottom=3,
            feathering=feathering,
        )
        assert mask.values[0, :, 0].tolist() == [1] * 2 + [0] * 10 + [1] * 3


def test_pictures_are_stitched_at_one_height_with_a_bar_between(call: Call) -> None:
    first = plain((1.0, 0.0, 0.0), height=4, width=4)
    second = plain((0.0, 0.0, 1.0), count=2, height=2, width=3)
    result = call(
        "ImageStitch", image1=first, image2=second, spacing_width=1, spacing_color="green"
    )
    assert result.pixels.shape == (2, 4, 4 + 2 + 6, 3)
    assert result.pixels[1, 0, [3, 4, 5, 6]].tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1],
    ]  # fmt: skip


def test_an_unmatched_smaller_picture_is_centred_on_black(call: Call) -> None:
    result = call(
        "ImageStitch",
        image1=plain((1.0,) * 3, height=1, width=4),
        image2=plain((0.5,) * 3, height=1, width=1),
        direction="up",
        match_image_size=False,
    )
    assert first_channel(result) == [[0, 0.5, 0, 0], [1, 1, 1, 1]]


def test_stitching_nothing_gives_the_picture(call: Call) -> None:
    picture = plain((1.0,) * 3)
    assert call("ImageStitch", image1=picture).pixels is picture.pixels


# --- batches --------------------------------------------------------------------------------------


def test_pictures_of_two_sizes_and_channels_become_one_batch(call: Call) -> None:
    batch = call(
        "ImageBatch",
        image1=plain((0.1, 0.2, 0.3, 0.4), height=2, width=2),
        image2=plain((0.5,), height=4, width=8),
    )
    assert batch.pixels.shape == (2, 2, 2, 4)
    assert batch.pixels[1, 0, 0].tolist() == [0.5, 0.5, 0.5, 1.0]


def test_parts_of_batches_and_repeated_ones(call: Call) -> None:
    batch = Image(torch.tensor([0.0, 0.25, 0.5]).reshape(3, 1, 1, 1))
    part = call("ImageFromBatch", image=batch, batch_index=1, length=9)
    assert part.pixels.flatten().tolist() == [0.25, 0.5]
    last = call("ImageFromBatch", image=batch, batch_index=4000, length=1)
    assert last.pixels.flatten().tolist() == [0.5]
    twice = call("RepeatImageBatch", image=part, amount=2)
    assert twice.pixels.flatten().tolist() == [0.25, 0.5, 0.25, 0.5]


def test_pictures_are_rebatched_and_sizes_kept_apart(call: Call) -> None:
    images = Items(
        (plain((0.0,) * 3, count=3), plain((1.0,) * 3, count=2), plain((1.0,) * 3, width=2))
    )
    batches = call("RebatchImages", images=images, batch_size=2)
    assert [image.pixels.shape[0] for image in batches] == [2, 2, 1, 1]
    assert batches[1].pixels[:, 0, 0, 0].tolist() == [0, 1]


# --- colours --------------------------------------------------------------------------------------


def test_a_colour_is_red_green_and_blue_bytes(call: Call) -> None:
    image = call("EmptyImage", width=2, height=1, batch_size=3, color=0xFF8000)
    assert image.pixels.shape == (3, 1, 2, 3)
    assert image.pixels[2, 0, 1].tolist() == pytest.approx([1.0, 128 / 255, 0.0])


def test_inverted_colours_are_the_rest_to_1(call: Call) -> None:
    inverted = call("ImageInvert", image=plain((0.25, 0.0, 1.0)))
    assert inverted.pixels.flatten().tolist() == [0.75, 1.0, 0.0]


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-16"])
def test_a_quantised_picture_has_few_colours_and_the_same_brightness(
    call: Call, dither: str
) -> None:
    picture = grey(*[[column / 31 for column in range(32)]] * 32)
    reduced = call("ImageQuantize", image=picture, colors=4, dither=dither)
    colours = reduced.pixels.reshape(-1, 3).unique(dim=0)
    assert len(colours) == 4
    assert float(reduced.pixels.mean()) == pytest.approx(0.5, abs=0.06)


def test_dithering_follows_a_ramp_better_than_none(call: Call) -> None:
    picture = grey(*[[column / 63 for column in range(64)]] * 16)

    def error(dither: str) -> float:
        reduced = call("ImageQuantize", image=picture, colors=2, dither=dither)
        columns = reduced.pixels[0, :, :, 0].mean(dim=0).reshape(8, 8).mean(dim=1)
        return float((columns - picture.pixels[0, 0, :, 0].reshape(8, 8).mean(dim=1)).abs().mean())

    assert error("floyd-steinberg") < 0.7 * error("none")


def test_bayers_matrix_spreads_evenly_about_0() -> None:
    assert (bayer_matrix(2) * 8).tolist() == [[-3, 1], [3, -1]]
    values = np.sort(bayer_matrix(16).flatten())
    assert np.allclose(np.diff(values), 1 / 256)
    assert values.mean() == pytest.approx(0)


# --- filters --------------------------------------------------------------------------------------


def test_a_blur_is_a_gaussian_measured_in_radii(call: Call) -> None:
    point = torch.zeros(1, 9, 9, 3)
    point[0, 4, 4] = 1
    blurred = call("ImageBlur", image=Image(point), blur_radius=2, sigma=0.5).pixels[0, :, :, 1]
    bell = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    bell /= bell.sum()
    assert np.allclose(blurred[2:7, 2:7].numpy(), np.outer(bell, bell), atol=1e-6)
    assert float(blurred.sum()) == pytest.approx(1.0)
    assert float(blurred[:2].sum()) == 0


def test_a_blur_mirrors_at_the_edge(call: Call) -> None:
    pixels = torch.rand(1, 12, 10, 3)
    blurred = call("ImageBlur", image=Image(pixels), blur_radius=4, sigma=0.25).pixels
    expected = ndimage.gaussian_filter(
        pixels[0].numpy(), (1.0, 1.0, 0.0), mode="mirror", radius=(4, 4, 0)
    )
    assert np.allclose(blurred[0].numpy(), expected, atol=1e-5)


def test_a_picture_smaller_than_the_window_is_blurred_too(call: Call) -> None:
    blurred = call("ImageBlur", image=plain((0.25,) * 3, height=2, width=3), blur_radius=31)
    assert torch.allclose(blurred.pixels, torch.tensor(0.25), atol=1e-6)


def test_sharpening_adds_ten_times_what_the_blur_takes(call: Call) -> None:
    pixels = 0.5 + 0.01 * torch.rand(1, 8, 8, 3)
    blurred = call("ImageBlur", image=Image(pixels), blur_radius=2, sigma=1.0).pixels
    sharp = call("ImageSharpen", image=Image(pixels), sharpen_radius=2, sigma=1.0, alpha=0.5).pixels
    assert torch.allclose(sharp, pixels + 5 * (pixels - blurred), atol=1e-5)


def test_noise_is_the_seeds_and_as_strong_as_said(call: Call) -> None:
    picture = plain((0.5,) * 3, height=64, width=64)
    one, same, other = (
        call("ImageAddNoise", image=picture, seed=seed, strength=0.1).pixels for seed in (7, 7, 8)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert float(one.std()) == pytest.approx(0.1, rel=0.03)
    loud = call("ImageAddNoise", image=picture, seed=2**64 - 1, strength=1.0).pixels
    assert (float(loud.min()), float(loud.max())) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("erode", ndimage.grey_erosion),
        ("dilate", ndimage.grey_dilation),
        ("open", ndimage.grey_opening),
        ("close", ndimage.grey_closing),
        ("gradient", ndimage.morphological_gradient),
        ("bottom_hat", ndimage.black_tophat),
        ("top_hat", ndimage.white_tophat),
    ],
)
@pytest.mark.parametrize("side", [3, 5])
def test_morphology_is_scipys(
    call: Call, operation: str, expected: Callable[..., Any], side: int
) -> None:
    pixels = torch.rand(1, 16, 18, 3)
    result = call("Morphology", image=Image(pixels), operation=operation, kernel_size=side).pixels
    for channel in range(3):
        wanted = expected(pixels[0, :, :, channel].numpy(), size=(side, side))
        assert np.allclose(result[0, :, :, channel].numpy(), wanted, atol=1e-6)


def test_an_even_or_huge_square_works_too(call: Call) -> None:
    picture = grey([0.0, 0.0, 1.0, 0.0, 0.0])
    wide = call("Morphology", image=picture, operation="dilate", kernel_size=4)
    assert first_channel(wide) == [[0, 1, 1, 1, 1]]
    huge = call("Morphology", image=picture, operation="dilate", kernel_size=999)
    assert first_channel(huge) == [[1] * 5]


# --- edges ----------------------------------------------------------------------------------------


def test_the_edge_of_a_square_is_one_line_around_it(call: Call) -> None:
    pixels = torch.zeros(2, 40, 40, 3)
    pixels[0, 10:30, 10:30] = 1
    edges = call("Canny", image=Image(pixels), low_threshold=0.4, high_threshold=0.8).pixels
    lines = edges[0, :, :, 0]
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    assert lines[20].sum() == 2
    assert lines[:, 20].sum() == 2
    assert float(lines[13:27, 13:27].sum()) == 0
    assert 60 <= float(lines.sum()) <= 84
    assert float(edges[1].sum()) == 0


def test_a_weak_edge_stays_only_if_it_touches_a_strong_one(call: Call) -> None:
    def step(top: float, bottom: float) -> Image:
        pixels = torch.zeros(1, 30, 30, 3)
        pixels[0, :, 15:] = torch.linspace(top, bottom, 30)[:, None, None]
        return Image(pixels)

    def has_edge(image: Image, high: float) -> list[bool]:
        edges = call("Canny", image=image, low_threshold=0.1, high_threshold=high).pixels
        return [bool(edges[0, row, 12:18].any()) for row in (5, 25)]

    assert has_edge(step(0.2, 0.2), high=0.9) == [False, False]
    assert has_edge(step(0.2, 0.2), high=0.3) == [True, True]
    assert has_edge(step(0.2, 0.6), high=0.9) == [True, True]


def test_canny_thresholds_must_be_in_order(call: Call) -> None:
    with pytest.raises(InputError) as caught:
        call("Canny", image=plain((0.0,) * 3), low_threshold=0.9, high_threshold=0.2)
    assert caught.value.code == "canny_thresholds"


# --- two pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("normal", 0.8),
        ("multiply", 0.2),
        ("screen", 0.85),
        ("overlay", 0.4),
        ("soft_light", 0.25 + 0.6 * 0.25),
        ("difference", 0.0),
    ],
)
def test_blend_modes(call: Call, mode: str, expected: float) -> None:
    blended = call(
        "ImageBlend",
        image1=plain((0.25,) * 3),
        image2=plain((0.8,) * 3),
        blend_factor=1.0,
        blend_mode=mode,
    )
    assert blended.pixels.flatten().tolist() == pytest.approx([expected] * 3)


def test_overlay_and_soft_light_have_another_half(call: Call) -> None:
    light, dark = plain((0.75,) * 3), plain((0.25,) * 3)
    values = [
        float(
            call(
                "ImageBlend", image1=one, image2=two, blend_factor=1.0, blend_mode=mode
            ).pixels.mean()
        )
        for one, two, mode in [(light, dark, "overlay"), (light, dark, "soft_light")]
    ]
    assert values == pytest.approx([1 - 2 * 0.25 * 0.75, 0.75 - 0.5 * 0.75 * 0.25])


def test_the_factor_fades_and_the_batch_begins_anew(call: Call) -> None:
    two = Image(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 4, 4, 3))
    blended = call(
        "ImageBlend",
        image1=plain((0.5,) * 3, count=3, height=2, width=2),
        image2=two,
        blend_factor=0.5,
        blend_mode="normal",
    )
    assert blended.pixels.mean(dim=(1, 2, 3)).tolist() == [0.25, 0.75, 0.25]


def test_a_picture_is_pasted_through_a_mask_and_cut_at_the_edge(call: Call) -> None:
    mask = Mask(torch.tensor([[[1.0, 0.5]]]))
    result = call(
        "ImageCompositeMasked",
        destination=plain((0.0,) * 3, count=2, height=2, width=3),
        source=plain((1.0,) * 4, width=2),
        x=1,
        y=1,
        mask=mask,
    )
    assert result.pixels.shape == (2, 2, 3, 3)
    assert result.pixels[1, :, :, 0].tolist() == [[0, 0, 0], [0, 1, 0.5]]
    outside = call(
        "ImageCompositeMasked",
        destination=plain((0.0,) * 3),
        source=plain((1.0,) * 3),
        x=5,
        y=5,
    )
    assert float(outside.pixels.sum()) == 0


def test_a_source_can_be_resized_to_the_destination(call: Call) -> None:
    result = call(
        "ImageCompositeMasked",
        destination=plain((0.0,) * 3, height=3, width=3),
        source=plain((0.75,) * 3),
        resize_source=True,
    )
    assert torch.allclose(result.pixels, torch.tensor(0.75))


@pytest.mark.parametrize(
    ("mode", "colour", "alpha"),
    [
        ("ADD", (0.75 * 0.8 + 0.25 * 0.4), 1.0),
        ("CLEAR", 0.0, 0.0),
        ("DARKEN", (0.6 * 0.6 + 0.1 * 0.25 + 0.1) / 0.85, 0.85),
        ("DST", 0.25, 0.4),
        ("DST_ATOP", (0.75 * 0.1 + 0.6 * 0.6) / 0.75, 0.75),
        ("DST_IN", 0.25, 0.3),
        ("DST_OUT", 0.25, 0.1),
        ("DST_OVER", (0.1 + 0.6 * 0.6) / 0.85, 0.85),
        ("LIGHTEN", min(1.0, (0.6 * 0.6 + 0.1 * 0.25 + 0.6) / 0.85), 0.85),
        ("MULTIPLY", 0.6 * 0.1 / 0.3, 0.3),
        ("OVERLAY", 2 * 0.6 * 0.1 / 0.85, 0.85),
        ("SCREEN", (0.6 + 0.1 - 0.06) / 0.85, 0.85),
        ("SRC", 0.8, 0.75),
        ("SRC_ATOP", (0.4 * 0.6 + 0.25 * 0.1) / 0.4, 0.4),
        ("SRC_IN", 0.8, 0.3),
        ("SRC_OUT", 0.8, 0.45),
        ("SRC_OVER", (0.6 + 0.25 * 0.1) / 0.85, 0.85),
        ("XOR", (0.6 * 0.6 + 0.25 * 0.1) / 0.55, 0.55),
    ],
)
def test_porter_duff(call: Call, mode: str, colour: float, alpha: float) -> None:
    image, mask = call(
        "PorterDuffImageComposite",
        source=plain((0.8,) * 3),
        source_alpha=Mask(torch.full((1, 1, 1), 0.25)),
        destination=plain((0.25,) * 3),
        destination_alpha=Mask(torch.full((1, 1, 1), 0.6)),
        mode=mode,
    )
    assert float(mask.values) == pytest.approx(1 - alpha, abs=1e-6)
    assert image.pixels.flatten().tolist() == pytest.approx([min(1.0, colour)] * 3, abs=1e-6)


def test_composited_pictures_get_the_destinations_size(call: Call) -> None:
    image, mask = call(
        "PorterDuffImageComposite",
        source=plain((0.8,) * 3, height=8, width=8),
        source_alpha=Mask(torch.zeros(1, 64, 64)),
        destination=plain((0.25,) * 3, count=2, height=4, width=2),
        destination_alpha=Mask(torch.zeros(1, 4, 2)),
        mode="SRC_OVER",
    )
    assert image.pixels.shape == (2, 4, 2, 3)
    assert mask.values.shape == (2, 4, 2)
    assert torch.allclose(image.pixels, torch.tensor(0.8), atol=1e-6)


def test_alpha_is_joined_as_the_opposite_of_a_mask_and_split_again(call: Call) -> None:
    picture = plain((0.1, 0.2, 0.3), height=2, width=2)
    joined = call("JoinImageWithAlpha", image=picture, alpha=Mask(torch.full((3, 4, 4), 0.25)))
    assert joined.pixels.shape == (3, 2, 2, 4)
    assert joined.pixels[2, 1, 1].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.75])
    image, mask = call("SplitImageWithAlpha", image=joined)
    assert torch.equal(image.pixels[0], picture.pixels[0])
    assert float(mask.values.mean()) == 0.25
    _, opaque = call("SplitImageWithAlpha", image=picture)
    assert float(opaque.values.abs().sum()) == 0


# --- files ----------------------------------------------------------------------------------------


def test_a_channel_of_a_file_becomes_a_mask(call: Call, context: Context, folders: Folders) -> None:
    PIL.Image.new("RGBA", (3, 2), (255, 51, 0, 102)).save(folders.input / "a.png")
    PIL.Image.new("RGB", (3, 2), (0, 0, 51)).save(folders.input / "b.png")
    values = {
        (name, channel): call(
            "LoadImageMask", image=name, channel=channel, context=context
        ).values
        for name, channel in [
            ("a.png", "alpha"), ("a.png", "red"), ("a.png", "green"),
            ("b.png", "alpha"), ("b.png", "blue"),
        ]
    }  # fmt: skip
    assert [float(mask.mean()) for mask in values.values()] == pytest.approx([0.6, 1, 0.2, 0, 0.2])
    assert {mask.shape for mask in values.values()} == {(1, 2, 3)}


@pytest.mark.parametrize("name", ["a.png", "a.png [output]"])
def test_a_saved_picture_is_loaded_from_the_output_folder(
    call: Call, context: Context, folders: Folders, name: str
) -> None:
    PIL.Image.new("RGB", (3, 2), (255, 0, 0)).save(folders.output / "a.png")
    image, mask = call("LoadImageOutput", image=name, context=context)
    assert image.pixels[0, 1, 2].tolist() == [1, 0, 0]
    assert float(mask.values.sum()) == 0


def frames() -> Image:
    return Image(torch.rand(3, 8, 6, 3))


def test_an_animated_webp_carries_its_frames_speed_and_workflow(
    call: Call, context: Context, folders: Folders
) -> None:
    images = frames()
    shown = call(
        "SaveAnimatedWEBP",
        images=images,
        filename_prefix="a/clip",
        fps=8.0,
        lossless=True,
        method="default",
        context=context,
    )
    assert shown.as_ui()["animated"] == [True]
    assert shown.as_ui()["images"] == [
        {"filename": "clip_00001_.webp", "subfolder": "a", "type": "output"}
    ]
    with PIL.Image.open(folders.output / "a" / "clip_00001_.webp") as file:
        assert file.n_frames == 3
        exif = file.getexif()
        assert exif[0x0110].startswith('prompt:{"1"')
        assert exif[0x010F] == 'workflow:{"nodes": [1]}'
        for index, pixels in enumerate(images.pixels):
            file.seek(index)
            file.load()
            assert file.info["duration"] == 125
            assert np.array_equal(
                np.asarray(file.convert("RGB")), (pixels.numpy() * 255).astype(np.uint8)
            )


def test_quality_makes_a_webp_smaller_or_larger(
    call: Call, context: Context, folders: Folders
) -> None:
    images = Image(torch.rand(2, 64, 64, 3))
    for quality, prefix in [(1, "low"), (100, "high")]:
        call(
            "SaveAnimatedWEBP",
            images=images,
            filename_prefix=prefix,
            lossless=False,
            quality=quality,
            method="fastest",
            context=context,
        )
    sizes = {path.name[:3]: path.stat().st_size for path in folders.output.iterdir()}
    assert sizes["low"] < 0.5 * sizes["hig"]


def test_an_animated_png_carries_its_frames_and_workflow(
    call: Call, context: Context, folders: Folders
) -> None:
    images = frames()
    call("SaveAnimatedPNG", images=images, fps=4.0, context=context)
    path = folders.output / "ComfyUI_00001_.png"
    with PIL.Image.open(path) as file:
        assert file.n_frames == 3
        file.seek(2)
        assert file.info["duration"] == 250
        last = (images.pixels[2].numpy() * 255).astype(np.uint8)
        assert np.array_equal(np.asarray(file.convert("RGB")), last)
    content = path.read_bytes()
    assert b'comfworkflow\0{"nodes": [1]}' in content
    assert content.index(b"IDAT") < content.index(b"comf")


def test_masks_are_previewed_as_grey_pictures(
    call: Call, context: Context, folders: Folders
) -> None:
    shown = call("MaskPreview", mask=Mask(torch.full((2, 4, 4), 0.5)), context=context)
    assert [file.kind for file in shown.images] == ["temp", "temp"]
    with PIL.Image.open(folders.temp / shown.images[1].filename) as file:
        assert file.convert("RGB").getpixel((0, 0)) == (127, 127, 127)

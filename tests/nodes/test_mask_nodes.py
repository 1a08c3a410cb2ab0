"""What the nodes that work on masks compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from graphengine.api import Image, InputError, Mask

Call = Callable[..., Any]


def mask(*rows: list[float]) -> Mask:
    return Mask(torch.tensor(rows, dtype=torch.float32)[None])


def rows_of(value: Mask) -> list[list[float]]:
    found: list[list[float]] = value.values[0].tolist()
    return found


def test_a_solid_mask_has_one_value(call: Call) -> None:
    solid = call("SolidMask", value=0.25, width=3, height=2)
    assert solid.values.shape == (1, 2, 3)
    assert solid.values.unique().tolist() == [0.25]


def test_an_inverted_mask_is_the_rest_to_1(call: Call) -> None:
    assert rows_of(call("InvertMask", mask=mask([0, 0.25, 1]))) == [[1, 0.75, 0]]


def test_a_crop_ends_where_the_mask_does(call: Call) -> None:
    part = call("CropMask", mask=mask([1, 2, 3], [4, 5, 6]), x=1, y=0, width=9, height=1)
    assert rows_of(part) == [[2, 3]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0.5, 0.12]),
        ("add", [1.0, 0.8]),
        ("subtract", [0.0, 0.4]),
        ("and", [1.0, 0.0]),
        ("or", [1.0, 1.0]),
        ("xor", [0.0, 1.0]),
    ],
)
def test_masks_are_combined_only_where_they_overlap(
    call: Call, operation: str, expected: list[float]
) -> None:
    result = call(
        "MaskComposite",
        destination=mask([0.2, 0.6, 0.6]),
        source=mask([5 / 6, 0.2, 1.0]),
        x=1,
        operation=operation,
    )
    assert rows_of(result)[0] == pytest.approx([0.2, *expected])


def test_the_destination_is_not_written_to_and_sources_begin_anew(call: Call) -> None:
    destination = Mask(torch.zeros(3, 1, 1))
    source = Mask(torch.tensor([1.0, 0.5]).reshape(2, 1, 1))
    result = call("MaskComposite", destination=destination, source=source, operation="add")
    assert result.values.flatten().tolist() == [1, 0.5, 1]
    assert float(destination.values.sum()) == 0


def test_a_mask_fades_towards_each_edge(call: Call) -> None:
    ones = Mask(torch.ones(1, 4, 5))
    result = call("FeatherMask", mask=ones, left=2, top=0, right=4, bottom=0)
    assert rows_of(result)[0] == pytest.approx([0.5, 1, 0.75, 0.5, 0.25])
    result = call("FeatherMask", mask=ones, left=0, top=2, right=0, bottom=99)
    assert result.values[0, :, 0].tolist() == pytest.approx([0.5, 0.75, 0.5, 0.25])


def test_growing_with_tapered_corners_makes_a_diamond(call: Call) -> None:
    point = torch.zeros(1, 7, 7)
    point[0, 3, 3] = 0.5
    grown = call("GrowMask", mask=Mask(point), expand=2)
    places = torch.arange(7) - 3
    diamond = (places[:, None].abs() + places[None].abs() <= 2) * 0.5
    assert torch.equal(grown.values[0], diamond)
    square = call("GrowMask", mask=Mask(point), expand=2, tapered_corners=False)
    assert float(square.values.sum()) == 25 * 0.5


@pytest.mark.parametrize("expand", [-2, 1, 3])
@pytest.mark.parametrize("tapered", [True, False])
def test_growing_is_scipys_grey_morphology(call: Call, expand: int, tapered: bool) -> None:
    values = torch.rand(2, 9, 11)
    result = call("GrowMask", mask=Mask(values), expand=expand, tapered_corners=tapered).values
    corner = not tapered
    footprint = np.array([[corner, True, corner], [True] * 3, [corner, True, corner]])
    change = ndimage.grey_dilation if expand > 0 else ndimage.grey_erosion
    for one, other in zip(values, result, strict=True):
        expected = one.numpy()
        for _ in range(abs(expand)):
            expected = change(expected, footprint=footprint)
        assert np.allclose(other.numpy(), expected)


def test_growing_without_bounds_fills_the_mask(call: Call) -> None:
    values = torch.zeros(1, 5, 9)
    values[0, 0, 0] = 1
    for tapered in (True, False):
        grown = call("GrowMask", mask=Mask(values), expand=16384, tapered_corners=tapered)
        assert float(grown.values.min()) == 1
        gone = call("GrowMask", mask=Mask(values), expand=-16384, tapered_corners=tapered)
        assert float(gone.values.max()) == 0


def test_a_threshold_lets_only_what_lies_above_pass(call: Call) -> None:
    assert rows_of(call("ThresholdMask", mask=mask([0.4, 0.5, 0.6]), value=0.5)) == [[0, 0, 1]]


def test_a_mask_as_a_picture_is_grey(call: Call) -> None:
    picture = call("MaskToImage", mask=mask([0.0, 0.25]))
    assert picture.pixels.tolist() == [[[[0] * 3, [0.25] * 3]]]


def test_a_channel_becomes_a_mask(call: Call) -> None:
    picture = Image(torch.tensor([0.1, 0.2, 0.3, 0.4]).reshape(1, 1, 1, 4))
    values = [
        float(call("ImageToMask", image=picture, channel=channel).values)
        for channel in ("red", "green", "blue", "alpha")
    ]
    assert values == pytest.approx([0.1, 0.2, 0.3, 0.4])
    one = Image(torch.full((1, 1, 1, 1), 0.7))
    assert float(call("ImageToMask", image=one, channel="blue").values) == pytest.approx(0.7)


def test_a_missing_alpha_channel_is_explained(call: Call) -> None:
    with pytest.raises(InputError) as caught:
        call("ImageToMask", image=Image(torch.zeros(1, 1, 1, 3)), channel="alpha")
    assert caught.value.code == "image_has_no_alpha"
    assert "アルファ" in caught.value.text("ja")


def test_exactly_one_colour_is_masked(call: Call) -> None:
    pixels = torch.tensor([[255, 128, 0], [255, 128, 1], [254, 128, 0]]) / 255
    result = call("ImageColorToMask", image=Image(pixels.reshape(1, 1, 3, 3)), color=0xFF8000)
    assert rows_of(result) == [[1, 0, 0]]

"""Picture files: reading every form, exact bytes, metadata, and files that are whole or absent."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from graphengine.diffusion import images
from graphengine.diffusion.images import load_image, save_png, to_pil, to_uint8
from graphengine.errors import LANGUAGES, InputError


def checker(width: int = 6, height: int = 4, mode: str = "RGB") -> PIL.Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
    return PIL.Image.fromarray(values, mode=None if mode != "RGBA" else "RGBA")


def saved(path: Path, picture: PIL.Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_image(path)
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)
    return caught.value


def test_a_picture_is_read_as_floats_of_its_bytes(tmp_path: Path) -> None:
    picture = checker()
    image, mask = load_image(saved(tmp_path / "a.png", picture))
    expected = torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)
    assert torch.equal(image.pixels, expected[None])
    assert torch.equal(mask.values, torch.zeros(1, 64, 64))


def test_the_mask_is_one_minus_alpha(tmp_path: Path) -> None:
    picture = checker(mode="RGBA")
    image, mask = load_image(saved(tmp_path / "a.png", picture))
    alpha = torch.from_numpy(np.asarray(picture)[..., 3].astype(np.float32) / 255)
    assert image.pixels.shape == (1, 4, 6, 3)
    assert torch.equal(mask.values, 1 - alpha[None])


def test_a_palette_with_a_transparent_colour_has_a_mask(tmp_path: Path) -> None:
    picture = PIL.Image.new("P", (3, 2))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 1)
    image, mask = load_image(saved(tmp_path / "a.png", picture, transparency=1))
    assert mask.values.tolist() == [[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]
    assert image.pixels[0, 1, 1].tolist() == [1.0, 0.0, 0.0]


def test_a_photograph_is_turned_as_its_exif_data_says(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    picture = PIL.Image.new("RGB", (16, 8), "black")
    picture.paste("white", (0, 0, 8, 8))
    path = saved(tmp_path / "a.png", picture, exif=exif)
    pixels = load_image(path)[0].pixels
    assert pixels.shape == (1, 16, 8, 3)
    assert pixels[0, :8].min() == 1.0
    assert pixels[0, 8:].max() == 0.0


def test_the_frames_of_an_animation_become_a_batch(tmp_path: Path) -> None:
    colours = ("red", "lime", "blue")
    frames = [PIL.Image.new("RGB", (5, 5), colour) for colour in colours]
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    image, mask = load_image(path)
    assert image.pixels.shape == (3, 5, 5, 3)
    assert torch.equal(image.pixels[:, 0, 0], torch.eye(3))
    assert len(mask.values) == 3


def test_frames_of_another_size_than_the_first_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    sizes = ((5, 5), (7, 5), (5, 5))
    frames = [PIL.Image.new("RGB", size, "white") for size in sizes]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert load_image(path)[0].pixels.shape == (2, 5, 5, 3)


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "P"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path / "a.tif", PIL.Image.new("RGB", (4, 4), "white").convert(mode))
    assert load_image(path)[0].pixels.shape == (1, 4, 4, 3)
    assert float(load_image(path)[0].pixels.min()) == 1.0


def test_sixteen_bits_of_grey_keep_their_precision(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535]], dtype=np.uint16)
    pixels = load_image(saved(tmp_path / "a.png", PIL.Image.fromarray(values)))[0].pixels
    assert pixels[0, 0, :, 1].tolist() == pytest.approx([0.0, 257 / 65535, 1.0])


def test_a_missing_picture_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.png").code == "image_not_found"


def test_a_truncated_picture_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", checker(64, 64))
    path.write_bytes(path.read_bytes()[:2000])
    assert refused(path).code == "image_unreadable"


def test_a_file_that_is_no_picture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("hello")
    assert refused(path).code == "image_unknown"


def test_a_picture_with_too_many_pixels_is_told_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 23)
    assert refused(saved(tmp_path / "a.png", checker(6, 4))).code == "image_too_large"


# --- writing --------------------------------------------------------------------------------------


def test_bytes_are_truncated_and_clipped() -> None:
    values = torch.tensor([-0.1, 0.0, 0.999 / 255, 1.999 / 255, 254.999 / 255, 1.0, 1.5])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_choose_the_files_mode(channels: int, mode: str) -> None:
    assert to_pil(torch.zeros(3, 2, channels)).mode == mode


def test_a_written_picture_is_read_back_exactly(tmp_path: Path) -> None:
    pixels = torch.arange(4 * 5 * 3).reshape(4, 5, 3) / 255
    save_png(tmp_path / "a.png", pixels)
    assert torch.equal(load_image(tmp_path / "a.png")[0].pixels[0], pixels)


def test_metadata_are_text_chunks_of_ascii_json_before_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    prompt = {"1": {"class_type": "犬", "inputs": {"seed": 2**63}}}
    save_png(path, torch.zeros(8, 8, 3), metadata={"prompt": prompt, "workflow": {"nodes": []}})
    content = path.read_bytes()
    assert (
        content.index(b"tEXtprompt\0") < content.index(b"tEXtworkflow\0") < content.index(b"IDAT")
    )
    assert b"\\u72ac" in content
    with PIL.Image.open(path) as file:
        assert json.loads(file.info["prompt"]) == prompt
        assert json.loads(file.info["workflow"]) == {"nodes": []}


def test_a_higher_compression_level_makes_a_smaller_file(tmp_path: Path) -> None:
    pixels = torch.linspace(0, 1, 64 * 64 * 3).reshape(64, 64, 3)
    for level in (0, 4):
        save_png(tmp_path / f"{level}.png", pixels, compress_level=level)
    assert (tmp_path / "4.png").stat().st_size < (tmp_path / "0.png").stat().st_size


def test_a_disk_that_may_only_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "open", refuse)
        disk.setattr(Path, "unlink", refuse)
        with pytest.raises(InputError) as caught:
            save_png(tmp_path / "a.png", torch.zeros(8, 8, 3))

    assert caught.value.code == "image_not_written"
    assert "Read-only" in caught.value.text("ja")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        save_png(tmp_path / "none" / "a.png", torch.zeros(8, 8, 3))
    assert caught.value.code == "image_not_written"
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)


def test_writing_that_stops_midway_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    save_png(path, torch.zeros(8, 8, 3))
    before = path.read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PIL.Image.Image, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        save_png(path, torch.ones(8, 8, 3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

"""Pictures and tensor files give back the workflow that they carry, also cut off or odd ones."""

from __future__ import annotations

import io
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from graphengine.comfy.exif import exif_texts
from graphengine.comfy.metadata import PNG, Carried, carried, carrier

WORKFLOW = json.dumps({"nodes": [], "note": "花"})
PROMPT = json.dumps({"1": {"class_type": "SaveImage", "inputs": {}}})
PARAMETERS = "ein Käfer\nSteps: 20, Seed: 1"
PICTURE = Image.new("RGB", (4, 4), "red")


def saved(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    PICTURE.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes) -> bytes:
    """A picture whose first chunk is followed by others."""
    plain = saved("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def camera_tags() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{PROMPT}"
    exif[0x010F] = f"workflow:{WORKFLOW}"
    return exif


def with_comment(comment: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    return exif


def test_text_chunks_of_a_png() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", PROMPT)
    info.add_text("workflow", WORKFLOW)

    assert carried(saved("PNG", pnginfo=info)) == Carried(WORKFLOW, PROMPT)


@pytest.mark.parametrize("packed", [True, False])
def test_international_and_packed_text_chunks(packed: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("workflow", '{"花": 1}', zip=packed)
    info.add_text("parameters", PARAMETERS, zip=packed)

    assert carried(saved("PNG", pnginfo=info)) == Carried('{"花": 1}', None, PARAMETERS)


def test_utf_8_where_latin_1_should_be() -> None:
    assert carried(png_with(chunk(b"tEXt", "parameters\0花".encode()))).parameters == "花"


def test_chunks_of_an_animation_after_its_first_frame() -> None:
    content = saved("PNG")[:-12] + chunk(b"comf", f"workflow\0{WORKFLOW}".encode("latin-1"))

    assert carried(content).workflow == WORKFLOW


def test_a_cut_off_png_gives_what_stands_before_the_cut() -> None:
    content = png_with(chunk(b"tEXt", b"prompt\0" + PROMPT.encode()))

    assert carried(content[: len(content) // 2 + 60]).prompt == PROMPT
    assert carried(content[:50]) == Carried()


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG", "AVIF"])
def test_camera_tags(kind: str) -> None:
    content = saved(kind, exif=camera_tags())

    assert carried(content) == Carried(WORKFLOW, PROMPT)


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_settings_in_the_user_comment(encoding: str) -> None:
    exif = with_comment(b"UNICODE\0" + PARAMETERS.encode(encoding))

    assert carried(saved("JPEG", exif=exif)).parameters == PARAMETERS


def test_settings_in_a_plain_user_comment() -> None:
    exif = with_comment(b"ASCII\0\0\0" + b"a cat\nSteps: 20")

    assert carried(saved("WEBP", exif=exif)).parameters == "a cat\nSteps: 20"


def test_a_latent() -> None:
    header = json.dumps({"__metadata__": {"prompt": PROMPT, "workflow": WORKFLOW}}).encode()
    content = struct.pack("<Q", len(header)) + header + b"\0" * 64

    assert carrier(content) == "safetensors"
    assert carried(content) == Carried(WORKFLOW, PROMPT)


def test_what_carries_nothing() -> None:
    assert carried(saved("PNG")) == Carried()
    assert carrier(b"") is None
    assert carrier(b'{"nodes": []}  ') is None
    assert carried(saved("GIF")) == Carried()


STARTS = [PNG, b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBP", b"\0\0\0\0ftypavif", b"\x40" + b"\0" * 7]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_no_bytes_break_the_reading(start: bytes, rest: bytes) -> None:
    assert isinstance(carried(start + rest), Carried)


@given(st.sampled_from([b"II*\0", b"MM\0*"]), st.binary(max_size=120))
def test_no_bytes_break_the_camera_tags(start: bytes, rest: bytes) -> None:
    assert all(isinstance(text, str) for text in exif_texts(start + rest))

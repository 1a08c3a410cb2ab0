"""Pictures out and in, and that nothing leaves the folders."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from aiohttp import ClientResponse, FormData
from PIL.PngImagePlugin import PngInfo

from graphengine.server.view import media_type
from tests.server.client import Client
from tests.server.conftest import Serve


def png(size: tuple[int, int] = (8, 6), mode: str = "RGB", colour: Any = (200, 10, 20)) -> bytes:
    written = io.BytesIO()
    texts = PngInfo()
    texts.add_text("prompt", "{}")
    PIL.Image.new(mode, size, colour).save(written, "PNG", pnginfo=texts)
    return written.getvalue()


def opened(content: bytes) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(content))
    picture.load()
    return picture


async def upload(
    client: Client, content: bytes, path: str = "/upload/image", **fields: str
) -> ClientResponse:
    form = FormData()
    form.add_field("image", content, filename=fields.pop("filename", "a.png"))
    for name, value in fields.items():
        form.add_field(name, value)
    answer = await client.http.post(path, data=form)
    await answer.read()
    return answer


def test_a_file_is_shown_with_its_name_and_in_parts(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "output" / "sub").mkdir()
        (client.base / "output" / "sub" / "a.png").write_bytes(png())
        answer = await client.response("GET", "/view?filename=a.png&subfolder=sub")

        assert answer.content_type == "image/png"
        assert answer.headers["Content-Disposition"] == 'filename="a.png"'
        assert await answer.read() == png()
        part = await client.response(
            "GET", "/api/view?filename=a.png&subfolder=sub", headers={"Range": "bytes=1-3"}
        )
        assert (part.status, await part.read()) == (206, b"PNG")

    serve(scenario)


@pytest.mark.parametrize(
    ("query", "form", "mode"),
    [
        ("preview=webp;50", "WEBP", "RGBA"),
        ("preview=jpeg;80&channel=rgb", "JPEG", "RGB"),
        ("preview=jpeg;80", "JPEG", "RGB"),
        ("preview=jpeg;80&channel=rgba", "WEBP", "RGBA"),
        ("preview=nonsense", "WEBP", "RGBA"),
        ("preview=webp;nonsense", "WEBP", "RGBA"),
        ("channel=rgb", "PNG", "RGB"),
        ("channel=a", "PNG", "RGBA"),
    ],
)
def test_previews_and_channels(serve: Serve, query: str, form: str, mode: str) -> None:
    async def scenario(client: Client) -> None:
        content = png(mode="RGBA", colour=(200, 10, 20, 99))
        (client.base / "input" / "a.png").write_bytes(content)
        answer = await client.response("GET", f"/view?filename=a.png&type=input&{query}")
        picture = opened(await answer.read())

        assert (picture.format, picture.mode) == (form, mode)
        assert answer.content_type == f"image/{form.lower()}"
        if query == "channel=a":
            assert picture.getpixel((0, 0)) == (0, 0, 0, 99)

    serve(scenario)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/none.png", "public, max-age=3600"),
        ("/none.css", "no-cache"),
        ("/none", None),
        ("/view?filename=none.png", None),
    ],
)
def test_browsers_keep_what_paths_name_as_pictures_as_comfyui_says(
    serve: Serve, path: str, kept: str | None
) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", path)

        assert (answer.status, answer.headers.get("Cache-Control")) == (404, kept)

    serve(scenario)


def test_a_suffix_names_the_folder(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "temp" / "a.png").write_bytes(png())

        assert await client.get("/view?filename=a.png%20[temp]") == png()

    serve(scenario)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 404),
        ("filename=", 404),
        ("filename=b.png", 404),
        ("filename=../secret", 400),
        ("filename=%2e%2e%2fsecret", 400),
        ("filename=/etc/passwd", 400),
        ("filename=..%5csecret", 400),
        ("filename=secret%00.png", 404),
        ("filename=secret&subfolder=..", 403),
        ("filename=secret&subfolder=../../x", 403),
        ("filename=secret&subfolder=a/../..", 403),
        ("filename=secret&subfolder=%00", 403),
        ("filename=passwd&subfolder=/etc", 403),
        ("filename=a.png&type=user", 400),
        ("filename=a.png&type=models", 400),
        ("filename=..", 400),
        ("filename=.", 404),
        ("filename=%ff", 404),
    ],
)
def test_no_name_leaves_the_folders(serve: Serve, query: str, status: int) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "secret").write_text("secret")
        answer = await client.response("GET", f"/view?{query}")

        assert answer.status == status
        assert b"root:" not in await answer.read()

    serve(scenario)


def test_a_link_that_leads_out_is_as_if_it_were_not_there(serve: Serve, tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "secret").write_text("secret")
        (client.base / "output" / "a.png").symlink_to(client.base / "secret")
        (client.base / "output" / "sub").symlink_to(client.base)

        assert (await client.response("GET", "/view?filename=a.png")).status == 404
        answer = await client.response("GET", "/view?filename=secret&subfolder=sub")
        assert answer.status == 403

    serve(scenario)


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js", "a.xml", "a.xhtml", "a.css"])
def test_files_that_a_browser_would_run_are_plain_bytes(serve: Serve, name: str) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "output" / name).write_text("<script>alert(1)</script>")
        answer = await client.response("GET", f"/view?filename={name}")

        assert answer.content_type == "application/octet-stream"
        assert "sandbox" in answer.headers["Content-Security-Policy"]

    serve(scenario)


def test_a_picture_is_taken_and_the_same_one_is_not_kept_twice(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        expected = {"name": "a.png", "subfolder": "", "type": "input"}
        assert await (await upload(client, png())).json() == expected
        assert await (await upload(client, png())).json() == expected
        other = png(colour=(1, 2, 3))
        assert (await (await upload(client, other)).json())["name"] == "a (1).png"
        await upload(client, other, overwrite="true")

        assert (client.base / "input" / "a.png").read_bytes() == other
        assert sorted(p.name for p in (client.base / "input").iterdir()) == ["a (1).png", "a.png"]
        answer = await upload(client, png(), type="temp", subfolder="deep/er")
        assert await answer.json() == {"name": "a.png", "subfolder": "deep/er", "type": "temp"}
        assert (client.base / "temp" / "deep" / "er" / "a.png").read_bytes() == png()

    serve(scenario)


@pytest.mark.parametrize("name", ["speech.wav", "song.FLAC", "clip.webm"])
def test_sound_and_video_are_taken_for_the_nodes_that_load_them(serve: Serve, name: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await upload(client, b"RIFF", filename=name)

        assert (answer.status, (await answer.json())["name"]) == (200, name)
        assert (client.base / "input" / name).read_bytes() == b"RIFF"

    serve(scenario)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "image_unknown"),
        (b"<html>", "image_unknown"),
        (png()[:60], "image_unknown"),
        (b"\x80\x04\x95pickle", "image_unknown"),
        (png()[:-20] + b"\0" * 8, "image_unreadable"),
    ],
    ids=["empty", "html", "cut off", "pickle", "damaged"],
)
def test_what_is_no_picture_is_refused(serve: Serve, content: bytes, code: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await upload(client, content)

        assert answer.status == 400
        error = (await answer.json())["error"]
        assert error["type"] == code
        assert "object at 0x" not in error["message"]
        assert list((client.base / "input").iterdir()) == []

    serve(scenario)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "user"},
        {"type": "nonsense"},
        {"subfolder": "../user"},
        {"subfolder": "/etc"},
        {"filename": "..", "subfolder": ""},
        {"filename": ".hidden"},
        {"filename": "a.html"},
    ],
    ids=str,
)
def test_an_upload_cannot_choose_another_place(serve: Serve, fields: dict[str, str]) -> None:
    async def scenario(client: Client) -> None:
        answer = await upload(client, png(), **fields)

        if fields.get("subfolder") == "/etc":  # a name below the folder, not the system's
            assert (client.base / "input" / "etc" / "a.png").is_file()
        else:
            assert answer.status == 400
            assert not any(path.is_file() for path in (client.base / "input").rglob("*"))
        assert not (client.base / "user" / "a.png").exists()

    serve(scenario)


@pytest.mark.parametrize("body", [b"", b"{}", b"--x\r\n\r\n--x--"])
def test_an_upload_that_is_no_form_is_told_so(serve: Serve, body: bytes) -> None:
    async def scenario(client: Client) -> None:
        for kind in ("application/json", "multipart/form-data; boundary=x", "multipart/form-data"):
            headers = {"Content-Type": kind}
            answer = await client.response("POST", "/upload/image", data=body, headers=headers)
            assert answer.status == 400

    serve(scenario)


def test_a_mask_becomes_the_alpha_of_the_picture(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "output" / "original.png").write_bytes(png())
        mask = png(mode="RGBA", colour=(0, 0, 0, 77))
        reference = json.dumps({"filename": "original.png", "subfolder": "", "type": "output"})
        answer = await upload(client, mask, "/upload/mask", original_ref=reference)
        name = (await answer.json())["name"]
        picture = opened((client.base / "input" / name).read_bytes())

        assert picture.getpixel((3, 3)) == (200, 10, 20, 77)
        assert picture.info["prompt"] == "{}"
        for wrong in ("{", "[]", "{}", '{"filename": "../x"}', '{"filename": "gone.png"}'):
            answer = await upload(client, mask, "/upload/mask", original_ref=wrong)
            assert answer.status in (400, 404)

    serve(scenario)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.webp", "image/webp"), ("B.WEBP", "image/webp"), ("a.flac", "audio/flac")],
)
def test_a_newer_kind_of_file_is_named_also_where_the_system_does_not_know_it(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setattr("mimetypes.guess_type", lambda _: (None, None))
    assert media_type(Path(name)) == kind

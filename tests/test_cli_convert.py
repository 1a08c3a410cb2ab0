"""``graphengine convert``; and ``run`` and ``validate`` with files that are not in API format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.comfy.drawing import drawn, file, slot
from tests.test_cli import PAINT, base, call, write

__all__ = ["base"]

DRAWN = file(
    [
        drawn(1, "TestColour", outputs="COLOUR", values=["red"], title="My colour"),
        drawn(2, "TestSave", [slot("colour", "COLOUR", 1)]),
    ],
    [[1, 1, 0, 2, 0, "COLOUR"]],
)


@pytest.fixture
def picture(base: Path) -> str:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", json.dumps(DRAWN))
    path = base / "picture.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return str(path)


def inputs(text: str) -> dict[str, Any]:
    return {node_id: node["inputs"] for node_id, node in json.loads(text).items()}


def test_a_picture_runs_and_is_valid(picture: str, base: Path) -> None:
    done = call("run", picture, "--set", "My colour.name=blue")

    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("painted blue")
    assert call("validate", picture).exit_code == 0


def test_convert_prints_what_runs(picture: str) -> None:
    done = call("convert", picture)

    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["1"]["inputs"]["name"] == PAINT["1"]["inputs"]["name"]
    assert found["1"]["_meta"] == PAINT["1"]["_meta"]
    assert found["2"]["inputs"] == {"colour": ["1", 0], "prefix": "picture"}


def test_convert_goes_from_every_format_to_every_other(picture: str, base: Path) -> None:
    expected = inputs(call("convert", picture).stdout)
    for form in ("native", "ui", "api"):
        target = base / f"{form}.json"
        assert call("convert", picture, "--to", form, "-o", str(target)).stdout == ""
        assert inputs(call("convert", str(target)).stdout) == expected


def test_convert_tells_what_was_changed(base: Path) -> None:
    unlinked = write(base, {**DRAWN, "links": []})

    done = call("convert", unlinked, "--language", "en")
    checked = call("validate", unlinked, "--json")

    assert done.exit_code == 0
    assert 'Warning: TestSave (#2), input "colour": It was linked to something' in done.stderr
    codes = [problem["code"] for problem in json.loads(checked.stdout)["problems"]]
    assert "link_to_nowhere" in codes


def test_what_cannot_be_opened_or_written_is_said(picture: str, base: Path) -> None:
    (base / "empty.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    nothing = call("convert", str(base / "empty.png"))
    nowhere = call("convert", picture, "-o", str(base / "no" / "such" / "folder.json"))

    assert (nothing.exit_code, nowhere.exit_code) == (1, 1)
    assert "carries no workflow" in nothing.stderr
    assert "cannot be written" in nowhere.stderr

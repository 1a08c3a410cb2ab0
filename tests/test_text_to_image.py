"""The whole way: from the shipped workflow and model to a picture on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from graphengine.settings import STARTER_FOLDER

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / "workflows" / "text_to_image.json"
STARTER = STARTER_FOLDER / "checkpoints" / "graphengine-starter.safetensors"

pytestmark = pytest.mark.skipif(not STARTER.is_file(), reason="the starter model is not there")


def paint(base: Path, *changes: str) -> Image.Image:
    """The picture that a new process makes of the workflow."""
    arguments = [part for change in changes for part in ("--set", change)]
    done = subprocess.run(
        [sys.executable, "-m", "graphengine", "run", str(WORKFLOW), *arguments],
        cwd=ROOT,
        env={**os.environ, "GRAPHENGINE_BASE_DIRECTORY": str(base), "GRAPHENGINE_DEVICE": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = done.stdout.splitlines()
    with Image.open(file) as picture:
        picture.load()
    return picture


def test_one_seed_gives_one_picture_in_every_process(tmp_path: Path) -> None:
    first, again = (paint(tmp_path, "Sampler.steps=3", "Sampler.seed=5") for _ in range(2))

    assert first.size == (128, 128)
    assert first.tobytes() == again.tobytes()
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == [
        "graphengine_00001_.png",
        "graphengine_00002_.png",
    ]


def test_the_picture_carries_the_workflow_with_the_seed_that_was_drawn(tmp_path: Path) -> None:
    picture = paint(tmp_path, "Sampler.steps=1", "Sampler.seed=-1")
    inputs = json.loads(picture.info["prompt"])["5"]["inputs"]

    assert inputs["steps"] == 1
    assert inputs["seed"] >= 0
    assert inputs["latent_image"] == ["4", 0]

"""The measuring plugin of the starter model: what it reads in captions and pictures."""

from __future__ import annotations

import csv
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "tools/starter_model"


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("scenes")


@pytest.mark.parametrize("things", [1, 2])
def test_a_caption_is_read_as_the_scene_that_it_was_made_of(scenes: Any, things: int) -> None:
    rng = Random(things)
    for _ in range(300):
        scene = scenes.random_scene(rng, things=things)
        text = scenes.full_caption(scene, rng)
        assert scenes.read(text) == scene, text


@pytest.mark.parametrize("text", ["", "a red circle", "a red circle, left", "a cat on a mat, left"])
def test_a_caption_that_leaves_a_part_open_is_no_scene(scenes: Any, text: str) -> None:
    assert scenes.read(text) is None


def test_a_plot_with_the_checker_has_its_measures_in_the_table(scenes: Any, tmp_path: Path) -> None:
    red = scenes.Scene((scenes.Thing("circle", "red", "left", "large"),), "white")
    (tmp_path / "input").mkdir()
    scenes.draw(red, Random(0)).save(tmp_path / "input/red.png")
    workflow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "red.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
        "3": {
            "class_type": "StarterSceneCheck",
            "inputs": {"image": ["1", 0], "prompt": "a red circle on the left, white background"},
        },
    }
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(workflow))

    done = plot(file, tmp_path, "3.prompt~circle,ring,cat")

    assert done.returncode == 0, done.stderr
    with (tmp_path / "plot.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [(row["right"], row["things"]) for row in rows] == [
        ("True", "1"),
        ("False", "1"),
        ("", ""),
    ]
    assert float(rows[0]["saturation"]) > 0.1
    assert "names no scene in full" in rows[2]["error"]


def test_a_script_of_the_training_names_the_one_that_has_to_run_before(tmp_path: Path) -> None:
    for script, before in (("train_unet.py", "train_text_encoder.py"), ("export.py", "train_unet")):
        ended = tool(script, "--state", str(tmp_path))

        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr
        assert before in ended.stderr


def test_a_setting_that_is_not_measured_is_refused() -> None:
    ended = tool("evaluate.py", "--all", "--settings", "vae,hue")

    assert ended.returncode == 2
    assert "no hue; there are: embedding, vae, lcm" in ended.stderr


def test_a_folder_of_another_training_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    ended = tool("evaluate.py", "--all", "--beside", str(tmp_path / "none"))

    assert ended.returncode == 2
    assert f"{tmp_path / 'none'} is no folder" in ended.stderr


def tool(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / script), *options]
    return subprocess.run(command, capture_output=True, text=True)


def plot(workflow: Path, base: Path, x: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphengine", "plot", str(workflow), "--x", x]
    command += ["--plugins", str(TOOLS / "plugin"), "--output", str(base / "plot.png")]
    environment = {
        **os.environ,
        "GRAPHENGINE_BASE_DIRECTORY": str(base),
        "GRAPHENGINE_DEVICE": "cpu",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True)

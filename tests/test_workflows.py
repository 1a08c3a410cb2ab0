"""The workflows that come along: explained in both languages, with a picture, and they run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from graphengine.engine import Engine
from graphengine.registry import builtin_folder
from graphengine.settings import STARTER_FOLDER, Settings
from graphengine.workflow import Link, Workflow, load_workflow

FOLDER = builtin_folder("workflows")
WORKFLOWS = sorted(FOLDER.glob("*.json"))
STARTER = STARTER_FOLDER / "checkpoints" / "graphengine-starter.safetensors"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("base")
    return Engine.open(Settings(base_directory=folder, device="cpu"))


def quick(workflow: Workflow) -> Workflow:
    """The workflow with two steps in every sampler, and short axes in every plot."""
    for node in workflow.nodes.values():
        if "steps" in node.inputs:
            workflow = workflow.set(f"{node.id}.steps", 2)
        if node.type == "PlotXYZ":
            workflow = workflow.set(f"{node.id}.x", ",".join(node.inputs["x"].split(",")[:2]))
    return workflow


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_explained_in_both_languages_and_has_a_small_picture(path: Path) -> None:
    texts = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))

    assert set(texts["en"]) == {"title", "description"}
    assert set(texts["ja"]) == {"title", "description", "nodes"}
    assert all((*texts["en"].values(), *texts["ja"].values(), *texts["ja"]["nodes"].values()))
    assert set(texts["ja"]["nodes"]) == set(load_workflow(path).nodes)
    assert not texts["ja"]["description"].isascii()
    assert 0 < path.with_suffix(".webp").stat().st_size < 20_000


@pytest.mark.skipif(not STARTER.is_file(), reason="the starter model is not there")
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_makes_a_picture(path: Path, engine: Engine) -> None:
    result = engine.run(quick(load_workflow(path)))

    assert result.status == "done", result.error
    assert all(file.stat().st_size > 0 for file in result.files)
    assert result.files


def test_swapping_the_vae_runs_only_the_decode_again(engine: Engine) -> None:
    workflow = quick(load_workflow(FOLDER / "swap_vae.json"))
    engine.run(workflow).raise_for_status()
    decode = next(node.id for node in workflow.nodes.values() if "vivid" in (node.title or ""))
    result = engine.run(workflow.set(f"{decode}.vae", Link("1", 2)), targets=[decode])

    assert [node for node, reason in result.reasons.items() if reason.runs] in ([], [decode])
    assert result.status == "done"

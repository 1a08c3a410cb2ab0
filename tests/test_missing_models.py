"""Model files that are not here: matched by hash, then by name, else substitutes are listed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import pytest

from graphengine.api import Artifacts, ModelFile, node
from graphengine.comfy.layouts import Layouts
from graphengine.folders import Folders, model_folders
from graphengine.missing_models import MissingModel, match_models
from graphengine.opening import open_content
from graphengine.registry import Registry
from graphengine.workflow import Workflow, WorkflowBuilder
from tests.comfy.drawing import drawn, file


@node("LoraLoaderModelOnly")
def load(lora_name: Annotated[str, ModelFile(kind="loras")]) -> Artifacts:
    """Names a file."""
    return Artifacts(texts=(lora_name,))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("sub/Style_v1.5.safetensors", "other.safetensors", "a/twice.pt", "b/twice.ckpt"):
        path = tmp_path / "models" / "loras" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    parts = (tmp_path / name for name in ("input", "output", "temp", "user"))
    return Folders(*parts, models=model_folders(tmp_path / "models"))


@pytest.fixture
def registry() -> Registry:
    found = Registry()
    found.add_functions(load)
    return found


def named(name: str) -> Workflow:
    build = WorkflowBuilder()
    build.add("LoraLoaderModelOnly", lora_name=name)
    return build.workflow()


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def test_what_is_there_stays(registry: Registry, folders: Folders) -> None:
    for name in ("other.safetensors", "sub/Style_v1.5.safetensors", "sub\\Style_v1.5.safetensors"):
        found = match_models(named(name), registry, folders)

        assert (found.workflow, found.changes, found.missing) == (named(name), (), ())


@pytest.mark.parametrize("name", ["style_V1.5.ckpt", "old\\style_v1.5.pt", "Style_v1.5"])
def test_a_file_in_another_folder_or_format(
    name: str, registry: Registry, folders: Folders
) -> None:
    found = match_models(named(name), registry, folders)

    assert found.workflow == named("sub/Style_v1.5.safetensors")
    (change,) = found.changes
    assert (change.code, change.input, change.got) == ("model_matched_name", "lora_name", name)


def test_a_renamed_file_is_known_by_its_hash(registry: Registry, folders: Folders) -> None:
    references = [{"name": "Style_v1.5.safetensors", "hash": digest("other.safetensors")[:10]}]

    found = match_models(named("Style_v1.5.ckpt"), registry, folders, references)

    assert found.workflow == named("other.safetensors")
    assert [change.code for change in found.changes] == ["model_matched_hash"]


def test_substitutes_are_listed_if_nothing_or_too_much_fits(
    registry: Registry, folders: Folders
) -> None:
    for name, first in (("twice.bin", "a/twice.pt"), ("othr.safetensors", "other.safetensors")):
        found = match_models(named(name), registry, folders)

        assert found.changes == ()
        (missing,) = found.missing
        assert missing == MissingModel("1", "lora_name", "loras", name, missing.substitutes)
        assert len(missing.substitutes) == 4
        assert first in missing.substitutes[:2]


def test_hashes_that_a_node_was_saved_with_are_used(registry: Registry, folders: Folders) -> None:
    saved = {"name": "gone.safetensors", "hash": digest("b/twice.ckpt"), "directory": "loras"}
    drawing = drawn(
        1, "LoraLoaderModelOnly", values=["gone.safetensors"], properties={"models": [saved]}
    )
    opened = open_content(json.dumps(file([drawing])).encode(), "x", Layouts(registry))

    found = opened.matched(registry, folders)

    assert found.workflow.nodes["1"].inputs["lora_name"] == "b/twice.ckpt"
    assert [change.code for change in found.changes][-1] == "model_matched_hash"

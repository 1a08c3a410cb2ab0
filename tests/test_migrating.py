"""Workflows that were saved with older node types open with the present ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from graphengine.api import Artifacts, node
from graphengine.comfy.layouts import Layouts
from graphengine.opening import open_content, open_data
from graphengine.registry import Registry
from tests.comfy.drawing import drawn, file


def halves(version: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 1 had a percentage, version 2 a fraction under another name."""
    assert version < 3
    name = "percent" if version == 1 else "part"
    return {"fraction": values[name] / 100}


@node("TestBlend", version=3, renamed_from=("TestMix", "TestMerge"), migrate=halves)
def blend(fraction: float = 0.5) -> Artifacts:
    """Shows a number."""
    return Artifacts(texts=(str(fraction),))


@pytest.fixture
def layouts() -> Layouts:
    registry = Registry()
    registry.add_functions(blend)
    return Layouts(registry)


def native(kind: str, version: int, **values: Any) -> dict[str, Any]:
    saved = {"id": "1", "type": kind, "version": version, "values": values}
    return {"format": "graphengine workflow", "version": 1, "nodes": [saved]}


@pytest.mark.parametrize("name", ["TestMix", "TestMerge"])
def test_a_renamed_node_opens_under_its_present_name(name: str, layouts: Layouts) -> None:
    api = open_data({"1": {"class_type": name, "inputs": {"fraction": 0.25}}}, layouts)
    ui = open_data(file([drawn(1, name, values=[0.25])]), layouts)

    for opened in (api, ui):
        assert opened.workflow.nodes["1"].type == "TestBlend"
        assert opened.workflow.nodes["1"].inputs == {"fraction": 0.25}
        assert [(c.code, c.got, c.expected) for c in opened.changes] == [
            ("node_renamed", name, "TestBlend")
        ]


def test_values_of_an_older_version_are_migrated(layouts: Layouts) -> None:
    first = open_data(native("TestMix", 1, percent=30), layouts)
    second = open_data(native("TestBlend", 2, part=40), layouts)

    assert first.workflow.nodes["1"].inputs == {"fraction": 0.3}
    assert [change.code for change in first.changes] == ["node_renamed", "node_migrated"]
    assert second.workflow.nodes["1"].inputs == {"fraction": 0.4}


def test_values_of_the_present_version_stay(layouts: Layouts) -> None:
    opened = open_data(native("TestBlend", 3, fraction=0.1), layouts)

    assert opened.workflow.nodes["1"].inputs == {"fraction": 0.1}
    assert opened.changes == ()


def test_a_migration_that_fails_keeps_the_values_and_is_told(layouts: Layouts) -> None:
    opened = open_data(native("TestBlend", 1, other=1), layouts)

    assert opened.canvas.nodes["1"].values == {"other": 1}
    assert opened.changes[0].code == "node_not_migrated"
    assert "KeyError" in opened.changes[0].text("ja")


def test_a_saved_workflow_tells_the_version_in_every_format(layouts: Layouts) -> None:
    opened = open_data({"1": {"class_type": "TestBlend", "inputs": {"fraction": 0.2}}}, layouts)

    saved = open_content(opened.native().encode(), "x", layouts)

    assert saved.canvas.nodes["1"].version == 3
    ui = json.loads(json.dumps(saved.ui()))
    assert ui["nodes"][0]["properties"] == {"graphengine_version": 3}
    assert open_data(ui, layouts).canvas.nodes["1"].version == 3

"""The nodes for latents, pictures, masks and texts are declared as saved workflows expect them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphengine.parameters import Choice, Float, Int, Seed, Text
from graphengine.registry import Registry
from graphengine.spec import REQUIRED, InputSpec

EXPECTED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "picture_nodes.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("node_id", EXPECTED)
def test_a_node_is_called_and_connected_as_in_saved_workflows(
    builtins: Registry, node_id: str
) -> None:
    spec, expected = builtins.get(node_id), EXPECTED[node_id]
    assert spec is not None
    assert spec.title == expected["title"]
    assert spec.sink is expected["sink"]
    assert [entry.name for entry in spec.inputs] == [entry["name"] for entry in expected["inputs"]]
    assert [entry.type for entry in spec.inputs] == [entry["type"] for entry in expected["inputs"]]
    names = [output.name.lower() for output in spec.outputs]
    assert names == [name.lower() for name in expected["outputs"]]


@pytest.mark.parametrize(
    ("node_id", "wanted"),
    [(node_id, entry) for node_id, node in EXPECTED.items() for entry in node["inputs"]],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_a_widget_has_the_fields_range_choices_and_default(
    builtins: Registry, node_id: str, wanted: dict[str, Any]
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    entry = spec.input[wanted["name"]]
    widget = entry.widget
    if isinstance(widget, Seed):
        assert (widget.ge, widget.le) == (-1, wanted["le"])  # -1 draws one
    elif isinstance(widget, Int | Float):
        assert (widget.ge, widget.le) == (wanted.get("ge"), wanted.get("le"))
    if isinstance(widget, Choice) and "options" in wanted:
        assert list(widget.options) == wanted["options"]
    if isinstance(widget, Text):
        assert widget.multiline is wanted.get("multiline", False)
    if "default" in wanted:
        assert _default(entry) == wanted["default"]


def _default(entry: InputSpec) -> Any:
    """What an editor shows first."""
    if entry.default is REQUIRED:
        assert entry.widget is not None
        return entry.widget.default
    return entry.default

"""What differs between two workflows is said in words, in English and Japanese."""

from __future__ import annotations

import json
from pathlib import Path

from graphengine.differences import differences
from graphengine.workflow import Workflow, parse_api
from tests.test_cli import PAINT, base, call, write

__all__ = ["base"]

OLD = parse_api(
    {
        "1": {"class_type": "Load", "inputs": {"name": "a"}, "_meta": {"title": "First"}},
        "2": {"class_type": "Load", "inputs": {"name": "b"}},
        "3": {"class_type": "Sample", "inputs": {"steps": 20, "model": ["1", 0], "old": 1}},
        "4": {"class_type": "Save", "inputs": {"image": ["3", 0]}},
    }
)


def said(new: Workflow, language: str = "en") -> list[str]:
    return [found.text(language) for found in differences(OLD, new)]


def test_the_same_workflow_has_no_differences() -> None:
    assert said(OLD) == []
    assert said(Workflow(dict(reversed(OLD.nodes.items())))) == []


def test_values_links_titles_and_nodes() -> None:
    new = parse_api(
        {
            "1": {"class_type": "Load", "inputs": {"name": "a"}, "_meta": {"title": "Main"}},
            "2": {"class_type": "Load", "inputs": {"name": "b"}},
            "3": {"class_type": "Sample", "inputs": {"steps": 30, "model": ["2", 1], "cfg": 7.5}},
            "5": {"class_type": "Show", "inputs": {}},
        }
    )

    assert said(new) == [
        "Main (#1): the title was changed from First to Main.",
        "Sample (#3): steps was changed from 20 to 30.",
        "Sample (#3): model comes from Load (#2)[1] now; it was First (#1)[0].",
        "Sample (#3): old is gone; it was 1.",
        "Sample (#3): cfg is new: 7.5.",
        "Show (#5) was added.",
        "Save (#4) was removed.",
    ]
    assert said(new, "ja")[1] == "Sample (#3): steps が 20 から 30 に変わりました。"


def test_other_ids_alone_are_no_difference() -> None:
    ids = {node_id: f"x{node_id}" for node_id in OLD.nodes}
    renamed = {
        ids[node.id]: node._replace(
            id=ids[node.id],
            inputs={
                name: value._replace(node=ids[value.node]) if isinstance(value, tuple) else value
                for name, value in node.inputs.items()
            },
        )
        for node in OLD.nodes.values()
    }

    assert said(Workflow(renamed)) == []


def test_true_and_1_differ_and_a_wrapped_list_is_the_list() -> None:
    one = parse_api({"1": {"class_type": "A", "inputs": {"x": 1, "l": {"__value__": [1]}}}})
    true = parse_api({"1": {"class_type": "A", "inputs": {"x": True, "l": {"__value__": [1]}}}})

    assert [found.input for found in differences(one, true)] == ["x"]


def test_diff_compares_two_files(base: Path) -> None:
    old = write(base, PAINT, "old.json")
    changed = json.loads(json.dumps(PAINT).replace("red", "blue"))
    new = write(base, changed, "new.json")

    done = call("diff", old, new)

    assert done.exit_code == 0
    assert done.stdout == 'My colour (#1): name was changed from "red" to "blue".\n'
    assert call("diff", old, old, "--language", "ja").stdout == ("2 つのワークフローは同じです。\n")
    assert json.loads(call("diff", old, new, "--json").stdout)["differences"][0]["new"] == '"blue"'

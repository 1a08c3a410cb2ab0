"""Compares how a folder of saved workflows converts with how it should.

``NAME.ui.json`` must become ``NAME.api.json``: the same node types, inputs and links.

    python tools/compare_workflows.py FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphengine.comfy.convert import to_workflow
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.ui_format import parse_ui
from graphengine.registry import load_registry
from graphengine.workflow import to_api

ABSENT = "nothing"


def main(folder: Path) -> int:
    """The exit status: 0 if every workflow of the folder converts as it should."""
    layouts = Layouts(load_registry())
    pairs = [(path, path.with_name(path.name.replace(".ui.", ".api."))) for path in _saved(folder)]
    started = time.perf_counter()
    equal = 0
    for saved, expected in pairs:
        differences = list(compare(saved, expected, layouts))
        equal += not differences
        for difference in differences:
            print(f"{saved.name}: {difference}")
    seconds = time.perf_counter() - started
    print(f"{equal} of {len(pairs)} convert exactly ({seconds:.2f} s)")
    return 0 if pairs and equal == len(pairs) else 1


def compare(saved: Path, expected: Path, layouts: Layouts) -> Iterator[str]:
    """What differs between a workflow as it converts and as it should, in words."""
    canvas, _ = parse_ui(json.loads(saved.read_text(encoding="utf-8")), layouts)
    got = essence(to_api(to_workflow(canvas, layouts)[0]))
    wanted = essence(json.loads(expected.read_text(encoding="utf-8")))
    for name in sorted(got.keys() | wanted.keys()):
        if got.get(name, ABSENT) != wanted.get(name, ABSENT):
            yield f"{name}: got {got.get(name, ABSENT)!r}, expected {wanted.get(name, ABSENT)!r}"


def essence(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt's node types and inputs, by ``id`` and ``id.input``."""
    found = {node_id: node["class_type"] for node_id, node in prompt.items()}
    for node_id, node in prompt.items():
        found.update({f"{node_id}.{name}": value for name, value in node["inputs"].items()})
    return found


def _saved(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ui.json"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

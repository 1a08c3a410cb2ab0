"""What a node's body must not do is contained: it fails, or is told, and nothing else suffers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from graphengine.api import Image, node
from graphengine.errors import NodeFailed
from graphengine.events import NodeWarning
from graphengine.printing import MOST_SHOWN_CHARACTERS
from tests.toy_engine import Toy, n


@node("White")
def white() -> Image:
    """A white picture."""
    return Image(torch.ones(1, 2, 2, 3))


@node("Mean")
def mean(image: Image) -> float:
    """How bright it is."""
    return float(image.pixels.mean())


def failed(toy: Toy, nodes: dict[str, Any], target: str) -> NodeFailed:
    result = toy.run(nodes, targets=(target,))
    assert isinstance(result.error, NodeFailed)
    return result.error


@pytest.mark.parametrize("how", ["plain", "async"])
def test_a_body_that_writes_into_its_input_fails_and_spoils_nothing(
    tmp_path: Path, how: str
) -> None:
    @node("Darken")
    def darken(image: Image) -> Image:
        """Writes into the picture, by way of a view of it."""
        image.pixels[..., 0].mul_(0)
        return image

    @node("DarkenAsync")
    async def darken_async(image: Image) -> Image:
        """Does the same."""
        return darken(image)

    toy = Toy(tmp_path, white, mean, darken, darken_async)
    spoiling = {
        "w": n("White"),
        "d": n("DarkenAsync" if how == "async" else "Darken", image=["w", 0]),
    }
    error = failed(toy, spoiling, "d")

    assert error.node_id == "d"
    assert '"image"' in error.text("en")
    assert "image.pixels.clone()" in error.text("ja")
    after = toy.run({"w": n("White"), "m": n("Mean", image=["w", 0])}, targets=("m",))
    assert after.outputs["m"] == (1.0,)


def test_tensors_without_a_count_of_writes_pass(tmp_path: Path) -> None:
    @node("Inference")
    def inference() -> Image:
        """Made where writes are not counted."""
        with torch.inference_mode():
            return Image(torch.ones(1, 2, 2, 3))

    toy = Toy(tmp_path, inference, mean)
    result = toy.run({"i": n("Inference"), "m": n("Mean", image=["i", 0])}, targets=("m",))

    assert result.outputs["m"] == (1.0,)


def test_a_body_that_exits_fails_with_its_own_words(tmp_path: Path) -> None:
    @node("Exit")
    def leave() -> int:
        """Ends the program, it thinks."""
        sys.exit(3)

    error = failed(Toy(tmp_path, leave), {"x": n("Exit")}, "x")

    assert "end the whole program (sys.exit, status 3)" in error.text("en")
    assert "sys.exit" in error.text("ja")


NOISY = """
    from graphengine.api import Artifacts, node

    @node("Noisy", {options})
    {keyword}def noisy() -> Artifacts:
        for _ in range(200):
            print("x" * 10_000)
        return Artifacts(texts=("done",))
"""


@pytest.mark.parametrize(
    ("keyword", "options"), [("", ""), ("async ", ""), ("", "concurrent=True")]
)
def test_printed_megabytes_are_cut_off_told_and_kept_out_of_the_answer(
    tmp_path: Path, keyword: str, options: str
) -> None:
    (tmp_path / "plugins").mkdir()
    text = dedent(NOISY).format(keyword=keyword, options=options)
    (tmp_path / "plugins" / "noisy.py").write_text(text)
    workflow = tmp_path / "noisy.json"
    workflow.write_text(json.dumps({"1": n("Noisy")}))
    environment = {
        **os.environ,
        "GRAPHENGINE_BASE_DIRECTORY": str(tmp_path),
        "GRAPHENGINE_PLUGIN_DIRECTORIES": str(tmp_path / "plugins"),
    }
    command = [sys.executable, "-m", "graphengine", "run", str(workflow), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]

    assert events[-1]["status"] == "done"
    (warning,) = (event for event in events if event["event"] == "node_warning")
    assert "2002000 characters" in json.dumps(warning) or "2000200 characters" in json.dumps(
        warning
    )
    assert MOST_SHOWN_CHARACTERS <= len(done.stderr) < MOST_SHOWN_CHARACTERS + 1000


def test_what_a_plugin_prints_while_it_is_imported_is_kept_out_of_the_answer(
    tmp_path: Path,
) -> None:
    (tmp_path / "loud.py").write_text("for _ in range(100):\n    print('hello ' * 2000)\n")
    command = [sys.executable, "-m", "graphengine", "nodes", "KSampler", "--json"]
    done = subprocess.run(
        [*command, "--plugins", str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["nodes"][0]["id"] == "KSampler"
    assert done.stderr.startswith("hello hello")
    assert len(done.stderr) <= MOST_SHOWN_CHARACTERS + 1000


def test_few_words_are_no_warning(tmp_path: Path) -> None:
    @node("Few")
    def few() -> int:
        """Says a word."""
        print("hello")  # noqa: T201
        return 1

    toy = Toy(tmp_path, few)
    toy.run({"x": n("Few")}, targets=("x",))

    assert not [event for event in toy.events if isinstance(event, NodeWarning)]

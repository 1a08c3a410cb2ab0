"""Events as a person or a program sees them: lines, bars, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from graphengine.errors import InputError, NodeFailed
from graphengine.events import (
    Artifacts,
    Event,
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodePreview,
    NodeProgress,
    NodesCached,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
    SavedFile,
)
from graphengine.graph import Graph, GraphNode
from graphengine.run_display import Show, bars, event_json, json_lines, lines
from graphengine.spec import NodeSpec

SPEC = NodeSpec("T", lambda: None)
TITLES = {"1": "Load", "2": "Sample", "3": "Save"}
GRAPH = Graph({key: GraphNode(key, SPEC, title, {}, {}) for key, title in TITLES.items()}, ())
WARNING = InputError("bad_shape", socket="IMAGE", expected="4", got="3")
EVENTS: tuple[Event, ...] = (
    RunStarted(("1", "2", "3")),
    NodesCached(("1",)),
    NodeFinished("1", cached=True),
    NodeStarted("2"),
    NodeProgress("2", 1, 20),
    NodePreview("2", object()),
    NodeWarning("2", WARNING),
    NodeStarted("2.a", parent="2"),
    NodeFinished("2.a", parent="2", seconds=0.1),
    NodeFinished("2", seconds=1.25),
    NodeBlocked("3", "no mask"),
    RunFinished("done", 2.0),
)


def shown(show: Show, events: Iterable[Event] = EVENTS) -> None:
    for event in events:
        show(event)


def test_lines_tell_what_ran_what_warns_and_what_was_blocked() -> None:
    written: list[str] = []
    shown(lines(GRAPH, "en", written.append))

    assert written == [
        f"Warning: Sample: {WARNING}",
        "[1/3] #2.a: 0.1 s",
        "[2/3] Sample: 1.2 s",
        "Save did not run: no mask",
    ]


def test_lines_speak_japanese() -> None:
    written: list[str] = []
    shown(lines(GRAPH, "ja", written.append))

    assert written[0].startswith("警告: Sample: ")
    assert written[-1] == "Save は実行されませんでした: no mask"


def test_json_lines_hold_every_event_but_previews() -> None:
    written: list[str] = []
    shown(json_lines(written.append))
    documents = [json.loads(line) for line in written]

    assert len(documents) == len(EVENTS) - 1
    assert documents[0] == {"event": "run_started", "nodes": ["1", "2", "3"]}
    assert documents[4] == {"event": "node_progress", "node_id": "2", "value": 1, "total": 20}
    assert documents[5]["warning"]["code"] == "bad_shape"


def test_artifacts_and_errors_become_json_too() -> None:
    artifacts = Artifacts(images=(SavedFile("a.png", "sub"),), more={"odd": (object(),)})
    failed = NodeFailed(node_id="2", title="S", node_type="T", inputs={}, cause=WARNING)
    written: list[str] = []
    shown(json_lines(written.append), [NodeFinished("3", artifacts), NodeError("2", failed)])

    finished, error = (json.loads(line) for line in written)
    assert finished["artifacts"]["images"] == [
        {"filename": "a.png", "subfolder": "sub", "type": "output"}
    ]
    assert error["error"]["node_id"] == "2"
    assert event_json(RunFinished("done", 1.0)) == {
        "event": "run_finished",
        "status": "done",
        "seconds": 1.0,
    }


def test_bars_show_nodes_and_steps_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    with bars(GRAPH, "en") as show:
        shown(show)
    out, err = capsys.readouterr()

    assert out == ""
    assert f"Warning: Sample: {WARNING}" in err.replace("\n", " ")
    assert "Save did not run: no mask" in err
    assert "Nodes" in err
    assert "3/3" in err

"""Our own saved workflows: nothing is lost on the way to ComfyUI's editor format and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphengine import native
from graphengine.canvas import Canvas, CanvasLink, CanvasNode, Slot, Subgraph
from graphengine.comfy.convert import to_workflow
from graphengine.comfy.ui_format import parse_ui
from graphengine.comfy.ui_writing import to_ui, without_repetition
from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.native import native_text, parse_native, to_native
from graphengine.workflow import to_api
from tests.comfy.drawing import LAYOUTS, drawn, file, slot, subgraph

ROOT = Path(__file__).parent.parent
SMALL = Canvas(
    {
        "4": CanvasNode(
            "4",
            "EmptyLatentImage",
            "Size",
            position=(10, 20.5),
            outputs=(Slot("LATENT", "LATENT"),),
            values={"width": 512, "height": 512},
            version=2,
        ),
        "3": CanvasNode(
            "3",
            "KSampler",
            mode=4,
            inputs=(Slot("model", "MODEL"), Slot("latent_image", "LATENT", link="1")),
            values={"seed": 2**64 - 1},
            controls={"seed": "randomize"},
        ),
    },
    {"1": CanvasLink("1", "4", 0, "3", 1, "LATENT")},
    groups=({"title": "first pass", "bounding": [0, 0, 300, 200]},),
    models=({"name": "a.safetensors", "directory": "checkpoints", "hash": "12ab"},),
    panel={"lcm": True},
)
TEXT = """{
  "format": "graphengine workflow",
  "version": 1,
  "panel": {
    "lcm": true
  },
  "models": [
    {"name": "a.safetensors", "directory": "checkpoints", "hash": "12ab"}
  ],
  "nodes": [
    {
      "id": "4",
      "type": "EmptyLatentImage",
      "version": 2,
      "title": "Size",
      "position": [10, 20.5],
      "values": {
        "width": 512,
        "height": 512
      },
      "outputs": [
        {"name": "LATENT", "type": "LATENT"}
      ]
    },
    {
      "id": "3",
      "type": "KSampler",
      "mode": "bypassed",
      "position": [0.0, 0.0],
      "values": {
        "seed": 18446744073709551615
      },
      "after_run": {
        "seed": "randomize"
      },
      "inputs": [
        {"name": "model", "type": "MODEL"},
        {"name": "latent_image", "type": "LATENT"}
      ]
    }
  ],
  "links": [
    {"id": "1", "from": ["4", 0], "to": ["3", 1], "type": "LATENT"}
  ],
  "groups": [
    {"title": "first pass", "bounding": [0, 0, 300, 200]}
  ]
}
"""


def test_a_saved_file_has_one_value_a_line() -> None:
    assert native_text(SMALL) == TEXT
    assert parse_native(json.loads(TEXT)) == SMALL


def test_the_published_schema_is_that_of_the_code() -> None:
    from tools.write_workflow_schema import TARGET, schema_text

    assert TARGET.read_text(encoding="utf-8") == schema_text(), "run tools/write_workflow_schema.py"


def test_what_a_later_program_adds_is_kept() -> None:
    data = json.loads(TEXT)
    data["nodes"][0]["colour_of_tomorrow"] = "red"

    canvas = parse_native(data)

    assert canvas.nodes["4"].extra == {"colour_of_tomorrow": "red"}
    assert parse_native(json.loads(native_text(canvas))) == canvas


def test_a_later_format_is_refused() -> None:
    with pytest.raises(GraphEngineError) as found:
        parse_native({"format": native.FORMAT, "version": 99})

    assert found.value.code == "native_too_new"
    assert "99" in found.value.text("ja")


def test_an_earlier_format_is_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_1(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "version": 1, "nodes": data["boxes"]}

    monkeypatch.setattr(native, "MIGRATIONS", {0: to_1})
    data = json.loads(TEXT)
    data |= {"version": 0, "boxes": data.pop("nodes")}

    assert list(parse_native(data).nodes) == ["4", "3"]


def test_all_that_cannot_be_read_is_told_at_once() -> None:
    data = json.loads(TEXT)
    data["nodes"][0]["position"] = "left"
    data["links"][0]["from"] = ["4"]

    with pytest.raises(ProblemsFound) as found:
        parse_native(data)

    assert [problem.details["where"] for problem in found.value.problems] == [
        "nodes.0.position",
        "links.0.from.1",
    ]


def test_two_nodes_of_one_id_are_refused() -> None:
    data = json.loads(TEXT)
    data["nodes"][1]["id"] = "4"

    with pytest.raises(ProblemsFound) as found:
        parse_native(data)

    assert [(p.code, p.node_id) for p in found.value.problems] == [("duplicate_id", "4")]


# --- round trips ----------------------------------------------------------------------------------

JSON = st.sampled_from([None, True, 0, 7, -1.5, "", "ü", [], [1, "b"], {}, {"k": [1, {}]}])
NAMES = st.sampled_from(["seed", "text", "a", "名前", ""])
TYPES = ["KSampler", "CLIPTextEncode", "LoadImage", "Note", "Reroute", "Plugin|Unknown", "未知"]
SLOTS = st.builds(slot, NAMES, st.sampled_from(["MODEL", "*", "INT"]), widget=st.booleans())
WORDS = st.sampled_from(["fixed", "randomize", "image", True, False, 1, 2.5, "text", None])
SAVED = st.none() | st.lists(WORDS | JSON, max_size=8) | st.dictionaries(NAMES, JSON, max_size=3)


@st.composite
def ui_graphs(draw: Any) -> dict[str, Any]:
    count = draw(st.integers(0, 4))
    nodes = [
        drawn(
            place + 1,
            draw(st.sampled_from(TYPES)),
            draw(st.lists(SLOTS, min_size=1, max_size=3)),
            "IMAGE MASK",
            draw(SAVED),
            mode=draw(st.sampled_from([0, 2, 4])),
            color="#123",
            properties=draw(st.dictionaries(NAMES, JSON, max_size=2)),
        )
        for place in range(count)
    ]
    links: list[list[Any]] = []
    for target in nodes:
        for place, wanted in enumerate(target["inputs"]):
            if not draw(st.booleans()):
                continue
            origin, output = draw(st.sampled_from(nodes)), draw(st.integers(0, 1))
            number = len(links) + 1
            links.append([number, origin["id"], output, target["id"], place, "IMAGE"])
            wanted["link"] = number
            origin["outputs"][output]["links"].append(number)
    return file(nodes, links, extra=draw(st.just({}) | st.just({"ds": {"scale": 1}})), config={})


def same(data: dict[str, Any]) -> str:
    """JSON as text: NaN equals itself, and true is not 1."""
    return json.dumps(data, sort_keys=True)


@settings(max_examples=40, deadline=None)
@given(ui_graphs())
def test_ui_to_native_to_ui_keeps_everything(data: dict[str, Any]) -> None:
    canvas, told = parse_ui(data, LAYOUTS)
    saved = json.loads(native_text(without_repetition(canvas, LAYOUTS)))
    again = to_ui(parse_native(saved), LAYOUTS)

    assert not [problem for problem in told if problem.code != "misplaced_value"]
    assert same({k: v for k, v in again.items() if not k.startswith("last_")}) == same(data)


@st.composite
def canvases(draw: Any) -> Canvas:
    ids = draw(st.lists(st.integers(1, 99).map(str) | st.just("5:12"), max_size=4, unique=True))
    nodes = {
        node_id: CanvasNode(
            node_id,
            draw(st.sampled_from(TYPES)),
            draw(st.none() | NAMES),
            draw(st.sampled_from([0, 2, 4])),
            (draw(st.integers(-999, 999)), draw(st.integers(-999, 999))),
            (200, 100),
            inputs=(Slot("a", "MODEL"), Slot("b", "INT", widget="b")),
            outputs=(Slot("OUT", "*"),),
            extra={"flags": {}, "order": 0, "properties": {}},
        )
        for node_id in ids
    }
    return Canvas(
        nodes,
        {},
        ({"title": draw(NAMES), "bounding": [0, 0, 1, 1]},),
        ({"name": draw(NAMES), "directory": "loras"},),
        draw(st.dictionaries(NAMES, JSON, min_size=1, max_size=2)),
        extra={"config": {}, "extra": {}, "version": 0.4, "last_node_id": 99, "last_link_id": 0},
    )


@settings(max_examples=40, deadline=None)
@given(canvases())
def test_native_to_ui_to_native_keeps_everything(canvas: Canvas) -> None:
    text = native_text(canvas)
    ui = json.loads(json.dumps(to_ui(parse_native(json.loads(text)), LAYOUTS)))
    again, told = parse_ui(ui, LAYOUTS)

    assert told == ()
    assert json.loads(native_text(again)) == json.loads(text)


def test_subgraphs_survive_both_ways() -> None:
    inner = drawn(2, "ImageInvert", [slot("image", "IMAGE", 1)], "IMAGE")
    definition = subgraph("s", [inner], [(1, -10, 0, 2, 0, "IMAGE")], "IMAGE", groups=[])
    definition["inputs"][0]["linkIds"] = [1]
    data = file([drawn(1, "s", [slot("IMAGE", "IMAGE")])], definitions={"subgraphs": [definition]})
    canvas, _ = parse_ui(data, LAYOUTS)

    again = parse_native(json.loads(native_text(canvas)))
    found = to_ui(again, LAYOUTS)["definitions"]["subgraphs"][0]

    assert isinstance(again.subgraphs["s"], Subgraph)
    assert found["links"] == definition["links"]
    assert found["nodes"][0]["type"] == "ImageInvert"
    assert found["inputs"] == definition["inputs"]


def test_an_edited_value_wins_over_what_was_saved() -> None:
    canvas, _ = parse_ui(file([drawn(1, "CLIPSetLastLayer", values=[-2, "odd"])]), LAYOUTS)
    data = to_native(canvas)
    data["nodes"][0]["values"]["stop_at_clip_layer"] = -3

    again = to_ui(parse_native(data), LAYOUTS)

    assert again["nodes"][0]["widgets_values"] == [-3, "odd"]


def test_an_instances_named_values_are_not_taken_by_their_place() -> None:
    """What our editor saves has no list of values: each goes to the input of its name."""
    inner = drawn(
        3,
        "EmptyLatentImage",
        [slot("width", "INT", 1, widget=True), slot("height", "INT", 2, widget=True)],
        "LATENT",
        [1, 2, 3],
    )
    links = [(1, -10, 0, 3, 0, "INT"), (2, -10, 1, 3, 1, "INT")]
    definition = subgraph("size", [inner], links, "width height", "")
    slots = [slot("width", "INT", widget=True), slot("height", "INT", widget=True)]
    canvas, _ = parse_ui(
        file([drawn(9, "size", slots)], definitions={"subgraphs": [definition]}), LAYOUTS
    )
    data = to_native(canvas)
    data["nodes"][0]["values"] = {"height": 768, "width": 512}

    workflow, _ = to_workflow(parse_native(data), LAYOUTS)

    found = to_api(workflow)["9:3"]["inputs"]
    assert found == {"width": 512, "height": 768, "batch_size": 3}

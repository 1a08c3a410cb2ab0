"""Whatever a workflow was saved as opens; what was changed on the way is told, item by item."""

from __future__ import annotations

import io
import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from graphengine.comfy.loose_json import completed, without_comments
from graphengine.errors import GraphEngineError
from graphengine.opening import Opened, open_content, open_data, open_file
from tests.comfy.drawing import LAYOUTS, drawn, file, slot

UI = file(
    [
        drawn(1, "LoadImage", outputs="IMAGE MASK", values=["a.png", "image"]),
        drawn(2, "SaveImage", [slot("images", "IMAGE", 1)], values=["p"]),
    ],
    [[1, 1, 0, 2, 0, "IMAGE"]],
)
API = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"filename_prefix": "p", "images": ["1", 0]}},
}
PARAMETERS = "a cat\nSteps: 4, Sampler: Euler, Seed: 1, Model: m, RNG: CPU"


def opened(content: bytes | str | dict[str, Any]) -> Opened:
    if isinstance(content, dict):
        content = json.dumps(content)
    return open_content(content.encode() if isinstance(content, str) else content, "x", LAYOUTS)


def told(found: Opened) -> list[str]:
    return [change.code for change in found.changes]


def refused(content: bytes | str) -> str:
    with pytest.raises(GraphEngineError) as error:
        opened(content)
    assert error.value.text("en") != error.value.text("ja")
    return error.value.code


def picture(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (json.dumps(UI).encode(), "ui"),
        (json.dumps(API).encode(), "api"),
        (json.dumps(API).encode("utf-16"), "api"),
        (json.dumps({"prompt": API, "client_id": "x"}).encode(), "api"),
        (opened(UI).native().encode(), "native"),
        (picture(workflow=json.dumps(UI), prompt=json.dumps(API)), "ui"),
        (picture(prompt=json.dumps(API)), "api"),
    ],
    ids=["ui", "api", "utf-16", "request", "native", "picture", "picture without workflow"],
)
def test_all_forms_of_a_workflow_are_the_same_workflow(content: bytes, form: str) -> None:
    found = opened(content)

    assert (found.form, told(found)) == (form, [])
    assert found.api() == API


def test_settings_of_the_web_ui_open_from_a_text_and_from_a_picture() -> None:
    for content in (PARAMETERS.encode(), picture(parameters=PARAMETERS)):
        found = opened(content)

        assert (found.form, told(found)) == ("a1111", [])
        assert len(found.workflow.nodes) == 7


def test_every_form_can_be_saved_as_every_other() -> None:
    for content in (json.dumps(UI), json.dumps(API), PARAMETERS):
        first = opened(content)

        assert opened(first.ui()).api() == first.api()
        assert opened(first.native()).api() == first.api()
        assert opened(first.api()).api() == first.api()


def test_a_list_input_keeps_its_links_on_the_canvas() -> None:
    prompt = {
        **API,
        "3": {"class_type": "Plugin", "inputs": {"all": [["1", 0], ["1", 1]], "many": [["1", 0]]}},
    }
    first = open_data(prompt, LAYOUTS)

    again = opened(first.ui()).api()

    assert again["3"]["inputs"]["all"] == [["1", 0], ["1", 1]]


def test_what_a_picture_will_carry_is_the_editors_workflow() -> None:
    assert opened(UI).workflow.ui == UI
    ui = opened(opened(UI).native()).workflow.ui
    assert ui is not None
    assert opened(dict(ui)).api() == API


def test_a_broken_workflow_in_a_picture_gives_way_to_the_prompt() -> None:
    found = opened(picture(workflow="{broken", prompt=json.dumps(API)))

    assert (found.form, told(found)) == ("api", ["carried_broken"])
    assert "line 1" in found.changes[0].text("en")
    assert "1 行" in found.changes[0].text("ja")


def test_a_file_from_disk_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(workflow=json.dumps(UI)))

    assert open_file(tmp_path / "a.png", LAYOUTS).api() == API
    with pytest.raises(GraphEngineError) as missing:
        open_file(tmp_path / "b.png", LAYOUTS)
    with pytest.raises(GraphEngineError) as folder:
        open_file(tmp_path, LAYOUTS)
    assert missing.value.code == "workflow_not_found"
    assert folder.value.code == "workflow_unreadable"


def test_api_files_may_hold_remarks_and_what_comfyui_adds() -> None:
    prompt = {
        "_comment": "made by hand",
        "1": {**API["1"], "is_changed": ["abc"], "_meta": {"title": "Picture"}},
        "2": API["2"],
        "note": "remember",
    }
    found = opened(prompt)

    assert told(found) == ["remark_left_out", "remark_left_out"]
    assert list(found.workflow.nodes) == ["1", "2"]
    assert found.workflow.nodes["1"].title == "Picture"


def test_comments_in_json_are_left_out_and_told() -> None:
    text = json.dumps(API)[:-1] + ",\n// the end\n/* really */ }"

    found = opened(text)

    assert told(found) == ["comments_left_out"]
    assert found.api() == API


# --- bad input ------------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_opens_as_far_as_it_goes() -> None:
    text = json.dumps(API, indent=1)

    found = opened(text[: text.index('"images"') + 4])

    assert told(found) == ["cut_off_opened"]
    assert list(found.workflow.nodes) == ["1", "2"]
    assert found.workflow.nodes["2"].inputs == {"filename_prefix": "p"}


def test_a_picture_cut_in_the_middle_opens_if_the_workflow_stands_before() -> None:
    content = picture(workflow=json.dumps(UI))

    assert opened(content[: len(content) - 60]).api() == API
    assert refused(content[:200]) == "nothing_carried"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "json_empty"),
        (b"\xff\xfe\x00\xd8 nothing", "json_not_text"),
        (b"[" * 5_000_000, "json_too_deep"),
        (b'{"a":' * 100_000, "json_too_deep"),
        (b"hello", "json_syntax"),
        (b'{"1": ', "json_cut_off"),
        (b"[1, 2]", "problems_found"),
        (b'{"1": {"class_type": "A"}, "1": {"class_type": "B"}}', "problems_found"),
        (picture(), "nothing_carried"),
        (struct.pack("<Q", 2) + b"{}", "nothing_carried"),
    ],
)
def test_what_holds_no_workflow_is_refused_with_a_clear_message(content: bytes, code: str) -> None:
    assert refused(content) == code


def test_broken_parts_of_an_editors_file_are_left_out_and_told() -> None:
    data = {
        **UI,
        "nodes": [*UI["nodes"], 7, {"id": 9}, {**UI["nodes"][1], "id": 1}],
        "links": [*UI["links"], None, [5], {"id": 3}],
        "definitions": {"subgraphs": [4]},
    }
    found = opened(data)

    assert told(found) == [
        "broken_subgraph",
        "broken_node",
        "broken_node",
        "renamed_node",
        "broken_link",
        "broken_link",
    ]
    assert list(found.workflow.nodes) == ["1", "2", "10"]
    assert found.changes[3].node_id == "10"


def test_a_link_to_nowhere_is_left_out_and_told() -> None:
    found = opened({**UI, "links": []})

    assert [(c.code, c.node_id, c.input) for c in found.changes] == [
        ("link_to_nowhere", "2", "images")
    ]
    assert "images" not in found.workflow.nodes["2"].inputs


def test_too_many_and_too_few_values_are_told() -> None:
    data = file(
        [
            drawn(1, "CLIPSetLastLayer", values=[-2, 5]),
            drawn(2, "EmptyLatentImage", values=[64]),
            drawn(3, "Plugin", values=["a", 1]),
        ]
    )
    found = opened(data)

    assert [(c.code, c.node_id, c.input, c.got) for c in found.changes] == [
        ("surplus_values", "1", None, "[5]"),
        ("value_filled_in", "2", "height", "512"),
        ("value_filled_in", "2", "batch_size", "1"),
        ("unnamed_values", "3", None, '["a", 1]'),
    ]
    assert found.ui()["nodes"][0]["widgets_values"] == [-2, 5]
    assert found.ui()["nodes"][2]["widgets_values"] == ["a", 1]


def test_infinity_and_nan_pass_through() -> None:
    node = drawn(1, "ImageScaleBy", values=["area", math.nan], pos=[math.inf, 0])
    found = opened(json.dumps(file([node])))

    assert math.isnan(found.workflow.nodes["1"].inputs["scale_by"])
    assert opened(found.native()).canvas.nodes["1"].position == (math.inf, 0)


def test_deeply_nested_values_can_be_saved() -> None:
    deep: Any = 0
    for _ in range(400):
        deep = {"a": [deep]}
    found = opened(file([drawn(1, "Note", values=["x"], properties=deep)]))

    assert opened(found.native()).canvas.nodes["1"].extra == found.canvas.nodes["1"].extra


def test_comments_and_cuts_are_found_outside_texts_only() -> None:
    assert without_comments('{"a": "// no", }//yes') == '{"a": "// no"  } '
    assert completed('{"a": [1, {"b": "x}') == '{"a": [1]}'
    assert completed('{"a": "b", "c') == '{"a": "b"}'
    assert completed('{"a') is None
    assert completed("]") is None


FIELDS = [
    *("nodes", "links", "id", "type", "inputs", "outputs", "link", "name", "mode", "pos", "1"),
    *("widgets_values", "class_type", "definitions", "subgraphs", "properties", "extra"),
    *("format", "version", "groups", "proxyWidgets", "widget"),
]
JSON = st.recursive(
    st.sampled_from([None, True, 0, -1, 2.5, "", "1", "KSampler", "Reroute", "s"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)


def texts_of(data: Any) -> list[str]:
    """What is told about JSON, whether it opens or not; if it does, it can be saved again."""
    try:
        found = open_data(data, LAYOUTS)
    except GraphEngineError as error:
        return [error.text("ja")]
    assert open_data(found.ui(), LAYOUTS).form == "ui"
    return [change.text("ja") for change in found.changes]


@settings(max_examples=100, deadline=None)
@given(JSON, st.sampled_from([{}, {"nodes": []}, {"format": "graphengine workflow"}]))
@example({"extra": {"nodes": None}}, {"format": "graphengine workflow"})
def test_no_json_makes_more_than_a_message(data: Any, start: dict[str, Any]) -> None:
    assert all(texts_of({**start, **data} if isinstance(data, dict) else data))

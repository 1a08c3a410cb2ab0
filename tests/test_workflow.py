"""Workflow files: reading, writing, setting values, building in code; everything that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphengine.errors import GraphEngineError, Problem, ProblemsFound
from graphengine.workflow import (
    Link,
    Workflow,
    WorkflowBuilder,
    WorkflowNode,
    load_workflow,
    parse_api,
    to_api,
)

TWO_NODES = {
    "1": {"class_type": "Number", "inputs": {"value": 3}, "_meta": {"title": "A number"}},
    "2": {"class_type": "Add", "inputs": {"a": ["1", 0], "b": 4}},
}


def codes(data: Any) -> list[tuple[str, str | None, str | None]]:
    with pytest.raises(ProblemsFound) as found:
        parse_api(data)
    return [(problem.code, problem.node_id, problem.input) for problem in found.value.problems]


def problems_of(data: Any) -> tuple[Problem, ...]:
    try:
        parse_api(data)
    except ProblemsFound as found:
        return found.problems
    return ()


def load_error(tmp_path: Path, content: bytes) -> GraphEngineError:
    path = tmp_path / "workflow.json"
    path.write_bytes(content)
    with pytest.raises(GraphEngineError) as found:
        load_workflow(path)
    return found.value


# --- parsing --------------------------------------------------------------------------------------


def test_links_and_literals_are_told_apart() -> None:
    workflow = parse_api(TWO_NODES)
    assert list(workflow.nodes) == ["1", "2"]
    assert workflow.nodes["1"].title == "A number"
    assert workflow.nodes["2"].inputs == {"a": Link("1", 0), "b": 4}
    assert type(workflow.nodes["2"].inputs["a"]) is Link


def test_a_list_of_links_is_a_list_input() -> None:
    workflow = parse_api({"3": {"class_type": "Sum", "inputs": {"values": [["1", 0], ["2", 1]]}}})
    assert workflow.nodes["3"].inputs["values"] == (Link("1", 0), Link("2", 1))


def test_links_may_be_written_with_numbers_as_scripts_do() -> None:
    workflow = parse_api({"2": {"class_type": "Add", "inputs": {"a": [1, 0.0]}}})
    assert workflow.nodes["2"].inputs["a"] == Link("1", 0)


def test_a_node_without_inputs_may_leave_them_out() -> None:
    assert parse_api({"1": {"class_type": "Clock"}}).nodes["1"].inputs == {}


def test_all_problems_of_shape_are_found_at_once() -> None:
    data = {
        "1": "text",
        "2": {"inputs": {}},
        "3": {"class_type": 7, "inputs": []},
        "4": {"class_type": "Add", "inputs": {"a": ["1"], "b": ["1", -1], "c": ["1", True]}},
        "5": {"class_type": "Add", "inputs": {"a": [[1, 2, 3]]}},
    }
    assert codes(data) == [
        ("node_not_object", "1", None),
        ("missing_class_type", "2", None),
        ("missing_class_type", "3", None),
        ("inputs_not_object", "3", None),
        ("bad_link", "4", "a"),
        ("bad_link", "4", "b"),
        ("bad_link", "4", "c"),
        ("bad_link", "5", "a"),
    ]


@pytest.mark.parametrize("data", [None, 3, "text", [TWO_NODES]])
def test_something_else_than_an_object_is_refused(data: Any) -> None:
    assert codes(data) == [("workflow_not_object", None, None)]


def test_the_editors_format_is_recognised() -> None:
    assert codes({"nodes": [], "links": [], "version": 0.4}) == [("ui_format", None, None)]


def test_in_a_piece_made_by_code_other_lists_are_values() -> None:
    piece = {"x": {"class_type": "Add", "inputs": {"a": [1, 2, 3], "b": [], "c": ["1", 0]}}}
    inputs = parse_api(piece, allow_objects=True).nodes["x"].inputs
    assert inputs == {"a": [1, 2, 3], "b": [], "c": Link("1", 0)}


# --- round trips ----------------------------------------------------------------------------------


def test_unknown_fields_survive_a_round_trip() -> None:
    data = {
        "7": {
            "class_type": "X",
            "inputs": {"list": {"__value__": [1, 2]}, "object": {"k": [1]}, "none": None},
            "_meta": {"title": "t", "colour": "red"},
            "is_changed": ["abc"],
        },
        "8": {"class_type": "Y", "inputs": {}, "_meta": {}},
        "9": {"class_type": "Y", "inputs": {}, "_meta": "odd"},
        "10": {"class_type": "Y", "inputs": {}, "_meta": {"title": 3}},
    }
    assert to_api(parse_api(data)) == data


def test_a_list_set_in_code_is_wrapped() -> None:
    node = WorkflowNode("1", "X", {"points": [1, 2]})
    assert to_api(Workflow({"1": node}))["1"]["inputs"] == {"points": {"__value__": [1, 2]}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
links = st.tuples(st.text(max_size=3), st.integers(0, 9)).map(list)
literals = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.dictionaries(st.text(max_size=5), json_values, max_size=2)
)
nodes = st.fixed_dictionaries(
    {
        "class_type": st.text(min_size=1, max_size=5),
        "inputs": st.dictionaries(
            st.text(max_size=5), literals | links | st.lists(links, max_size=3), max_size=4
        ),
    },
    optional={"_meta": json_values, "is_changed": json_values, "order": json_values},
)


@given(st.dictionaries(st.text(max_size=4).filter(lambda key: key != "nodes"), nodes, max_size=5))
def test_valid_workflows_survive_a_round_trip(data: dict[str, Any]) -> None:
    assert to_api(parse_api(data)) == data


@given(json_values | st.dictionaries(st.text(max_size=3), nodes | json_values, max_size=4))
@example({"1": {"class_type": "A", "inputs": {"x": [[], []]}}})
@example({"1": {"class_type": "A", "inputs": {"x": [1e400, 2]}}})
@example({"1": {"class_type": "A", "inputs": {"x": ["1", float("nan")]}}})
def test_any_json_parses_or_gives_problems_with_texts(data: Any) -> None:
    for problem in problems_of(data):
        assert problem.message("en") != problem.message("ja")
        assert problem.hint("en")
        assert problem.hint("ja")


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_may_have_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "w.json"
    data = {"1": {"class_type": "Text", "inputs": {"text": "赤い丸"}}}
    path.write_text(json.dumps(data, ensure_ascii=False), encoding=encoding)
    assert load_workflow(path).nodes["1"].inputs["text"] == "赤い丸"


def test_a_file_may_hold_what_is_sent_to_a_server(tmp_path: Path) -> None:
    path = tmp_path / "sent.json"
    node = '"7": {"class_type": "KSampler", "inputs": {}}'
    path.write_text(f'{{"client_id": "me", "prompt": {{{node}}}}}')
    assert list(load_workflow(path).nodes) == ["7"]

    path.write_text(f'{{"prompt": {{{node}, {node}}}}}')
    with pytest.raises(ProblemsFound) as caught:
        load_workflow(path)
    assert [(each.code, each.node_id) for each in caught.value.problems] == [("duplicate_id", "7")]


def test_a_syntax_error_is_told_with_line_column_and_what_stands_there(tmp_path: Path) -> None:
    error = load_error(tmp_path, b'{\n  "1": {"steps": 20 "cfg": 7}\n}')
    assert error.code == "json_syntax"
    assert (error.details["line"], error.details["column"]) == (2, 21)
    assert '"cfg": 7' in error.text("en")
    assert "2 行 21 列" in error.text("ja")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "json_empty"),
        (b" \n\t", "json_empty"),
        (b'{"1": {"class_type": "A"', "json_cut_off"),
        (b'{"1": {"class_type": "A', "json_cut_off"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "json_not_text"),
        (b"[" * 200_000, "json_too_deep"),
        (
            b'{"1": {"class_type": "A", "inputs": {"x": ' + b"9" * 5000 + b"}}}",
            "json_number_too_long",
        ),
        (b'{"1": {"class_type": "\\ud800"}}', "json_half_character"),
        (b"{} {}", "json_syntax"),
        (b"{'1': 2}", "json_syntax"),
    ],
)
def test_what_is_not_json_is_told_in_both_languages(
    tmp_path: Path, content: bytes, code: str
) -> None:
    error = load_error(tmp_path, content)
    assert error.code == code
    assert "workflow.json" in error.text("en")
    assert error.text("en") != error.text("ja")


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(GraphEngineError) as missing:
        load_workflow(tmp_path / "none.json")
    with pytest.raises(GraphEngineError) as folder:
        load_workflow(tmp_path)
    assert (missing.value.code, folder.value.code) == ("workflow_not_found", "workflow_unreadable")


def test_names_given_twice_are_refused_where_they_stand(tmp_path: Path) -> None:
    text = b"""{
        "1": {"class_type": "A", "inputs": {}},
        "1": {"class_type": "B", "inputs": {"x": 1, "x": 2}},
        "2": {"class_type": "B", "class_type": "C", "extra": {"k": 1, "k": 1}}
    }"""
    error = load_error(tmp_path, text)
    assert isinstance(error, ProblemsFound)
    found = [(p.code, p.node_id, p.details.get("name")) for p in error.problems]
    assert sorted(found, key=str) == [
        ("duplicate_id", "1", None),
        ("duplicate_name", "1", "x"),
        ("duplicate_name", "2", "class_type"),
        ("duplicate_name", None, "k"),
    ]


def test_escaped_emoji_are_whole_characters(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(r'{"1": {"class_type": "A", "inputs": {"text": "\ud83d\ude00"}}}')
    assert load_workflow(path).nodes["1"].inputs["text"] == "😀"


def test_nan_in_fields_that_nobody_reads_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"1": {"class_type": "A", "inputs": {}, "is_changed": [NaN]}}')
    assert list(load_workflow(path).nodes) == ["1"]


# --- setting values by name -----------------------------------------------------------------------


@pytest.fixture
def workflow() -> Workflow:
    return parse_api(
        {
            "3": {"class_type": "KSampler", "inputs": {"steps": 20}, "_meta": {"title": "Draw"}},
            "4": {"class_type": "Text", "inputs": {"text": "a"}, "_meta": {"title": "v1.5 text"}},
            "5:7": {"class_type": "Text", "inputs": {"text": ["4", 0]}},
        }
    )


@pytest.mark.parametrize(
    ("name", "node", "input_name"),
    [
        ("3.steps", "3", "steps"),
        ("Draw.steps", "3", "steps"),
        ("KSampler.steps", "3", "steps"),
        ("v1.5 text.text", "4", "text"),
        ("3.options.depth", "3", "options.depth"),
        ("5:7.text", "5:7", "text"),
    ],
)
def test_an_input_is_set_by_id_title_or_type(
    workflow: Workflow, name: str, node: str, input_name: str
) -> None:
    changed = workflow.set(name, "new")
    assert changed.nodes[node].inputs[input_name] == "new"
    assert list(changed.nodes) == list(workflow.nodes)
    assert workflow.nodes["3"].inputs == {"steps": 20}


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("steps", "set_form", "NODE.INPUT"),
        (".steps", "set_form", "NODE.INPUT"),
        ("3.", "set_form", "NODE.INPUT"),
        ("KSampIer.steps", "set_unknown_node", '"KSampler"'),
        ("Text.text", "set_ambiguous_node", "#4, #5:7"),
    ],
)
def test_a_name_that_fits_no_node_or_several_is_refused(
    workflow: Workflow, name: str, code: str, said: str
) -> None:
    with pytest.raises(GraphEngineError) as found:
        workflow.set(name, 1)
    assert found.value.code == code
    assert said in found.value.text("en")


# --- building in code -----------------------------------------------------------------------------


def test_a_workflow_is_built_in_code() -> None:
    build = WorkflowBuilder()
    one = build.add("Number", value=1)
    two = build.add("Number", _id="two", _title="The second", value=2)
    build.add("Sum", values=[one, two[0]], weights=[0.5, 0.5], first=one)
    assert to_api(build.workflow()) == {
        "1": {"class_type": "Number", "inputs": {"value": 1}},
        "two": {
            "class_type": "Number",
            "inputs": {"value": 2},
            "_meta": {"title": "The second"},
        },
        "3": {
            "class_type": "Sum",
            "inputs": {
                "values": [["1", 0], ["two", 0]],
                "weights": {"__value__": [0.5, 0.5]},
                "first": ["1", 0],
            },
        },
    }


def test_a_builder_keeps_ids_apart() -> None:
    build = WorkflowBuilder()
    build.add("A", _id="2")
    assert build.add("A").id == "3"
    with pytest.raises(ValueError, match="taken"):
        build.add("A", _id="2")


def test_a_handle_cannot_be_unpacked_by_mistake() -> None:
    with pytest.raises(TypeError):
        list(WorkflowBuilder().add("A"))  # type: ignore[call-overload]

"""From a workflow to a graph: defaults, checks, every problem with its place and its texts."""

from __future__ import annotations

import dataclasses
import random
import string
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.api import (
    Artifacts,
    Choice,
    Float,
    Help,
    Image,
    ImageFile,
    Int,
    Latent,
    ModelFile,
    Seed,
    Vae,
    node,
)
from graphengine.errors import Problem
from graphengine.folders import Folders, model_folders
from graphengine.graph import Graph, build_graph, check_graph, draw_seeds, executed_prompt
from graphengine.registry import Registry
from graphengine.shown import shown
from graphengine.spec import InputSpec, NodeSpec, NodeTexts, OutputSpec
from graphengine.workflow import Link, Workflow, WorkflowNode, load_workflow, parse_api


class Loaded(NamedTuple):
    """Two outputs."""

    vae: Vae
    width: int


@node("Load", title="Load model")
def load(name: Annotated[str, ModelFile(kind="checkpoints")]) -> Loaded:
    """A model file."""
    raise NotImplementedError


@node("Empty", title="Empty latent")
def empty(width: Annotated[int, Int(ge=16, le=64)] = 32, batch: int = 1) -> Latent:
    """A latent."""
    raise NotImplementedError


@node("Sample", title="Sampler")
def sample(
    latent_image: Latent,
    method: Annotated[str, Choice(options=("euler", "ddim", "dpmpp_2m"))],
    seed: Annotated[int, Seed()] = 0,
    cfg: Annotated[float, Float(ge=1.0, le=30.0)] = 7.0,
    mask: Image | None = None,
) -> Latent:
    """A latent from a latent."""
    raise NotImplementedError


@node("Decode", title="VAE decode")
def decode(samples: Latent, vae: Annotated[Vae, Help("…")]) -> Image:
    """A picture from a latent."""
    raise NotImplementedError


@node("LoadPicture", title="Load picture")
def load_picture(image: Annotated[str, ImageFile()]) -> Image:
    """A picture."""
    raise NotImplementedError


@node("Save", title="Save picture")
def save(images: Image) -> Artifacts:
    """Writes pictures."""
    raise NotImplementedError


@node("Batch", title="Batch")
def batch(images: list[Image], weights: list[float] | None = None) -> Image:
    """Several pictures as one."""
    raise NotImplementedError


@node("Anything", title="Anything")
def anything(value: Any, number: int | float | None = None) -> Artifacts:
    """Takes any link and any value."""
    raise NotImplementedError


@node("Open", title="Open")
def open_node(first: int, **more: Any) -> Artifacts:
    """Takes links of any name."""
    raise NotImplementedError


NODES = (load, empty, sample, decode, load_picture, save, batch, anything, open_node)


@pytest.fixture
def registry() -> Registry:
    found = Registry()
    found.add_functions(*NODES)
    return found


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    models = model_folders(tmp_path / "models")
    checkpoints = tmp_path / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name in ("starter.safetensors", "other.safetensors"):
        (checkpoints / name).touch()
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "cat.png").touch()
    return Folders(
        tmp_path / "input", tmp_path / "output", tmp_path / "temp", tmp_path / "user", models
    )


def good() -> dict[str, Any]:
    return {
        "1": {"class_type": "Load", "inputs": {"name": "starter.safetensors"}},
        "2": {"class_type": "Empty", "inputs": {"width": 64}},
        "3": {
            "class_type": "Sample",
            "inputs": {"latent_image": ["2", 0], "method": "euler", "seed": -1},
            "_meta": {"title": "Draw"},
        },
        "4": {"class_type": "Decode", "inputs": {"samples": ["3", 0], "vae": ["1", 0]}},
        "5": {"class_type": "Save", "inputs": {"images": ["4", 0]}},
    }


def changed(node_id: str, **inputs: Any) -> dict[str, Any]:
    data = good()
    data[node_id]["inputs"].update(inputs)
    return data


@pytest.fixture
def build(registry: Registry, folders: Folders) -> Any:
    def run(data: Mapping[str, Any], **options: Any) -> Graph:
        return build_graph(parse_api(data), registry, folders, **options)

    return run


@pytest.fixture
def problems(registry: Registry, folders: Folders) -> Any:
    def run(data: Mapping[str, Any], **options: Any) -> tuple[Problem, ...]:
        return check_graph(parse_api(data), registry, folders, **options)[1]

    return run


# --- what a right workflow becomes ----------------------------------------------------------------


def test_defaults_are_filled_in_and_values_and_links_are_apart(build: Any) -> None:
    graph = build(good())
    assert graph.problems == ()
    assert graph.nodes["3"].values == {"method": "euler", "seed": -1, "cfg": 7.0}
    assert graph.nodes["3"].links == {"latent_image": Link("2", 0)}
    assert graph.nodes["3"].title == "Draw"
    assert graph.nodes["2"].values == {"width": 64, "batch": 1}
    assert graph.nodes["2"].title == "Empty latent"
    assert graph.sinks == ("5",)


def test_an_optional_socket_may_be_absent_or_null(build: Any) -> None:
    assert "mask" not in build(good()).nodes["3"].values
    assert "mask" not in build(changed("3", mask=None)).nodes["3"].values


def test_values_become_what_the_widget_says(build: Any) -> None:
    graph = build(changed("2", width="48"))
    assert graph.nodes["2"].values["width"] == 48


def test_a_wrapped_value_is_unwrapped(build: Any) -> None:
    graph = build(changed("2", width={"__value__": 48}))
    assert graph.nodes["2"].values["width"] == 48


def test_a_list_input_takes_one_link_or_several_or_a_list_of_values(build: Any) -> None:
    data = good()
    data["6"] = {"class_type": "Batch", "inputs": {"images": [["4", 0], ["4", 0]]}}
    data["7"] = {
        "class_type": "Batch",
        "inputs": {"images": ["4", 0], "weights": {"__value__": [1, 0.5]}},
    }
    graph = build(data)
    assert graph.nodes["6"].links == {"images": (Link("4", 0), Link("4", 0))}
    assert graph.nodes["7"].links == {"images": (Link("4", 0),)}
    assert graph.nodes["7"].values == {"weights": [1.0, 0.5]}


def test_a_link_may_go_into_a_widget(build: Any) -> None:
    graph = build(changed("3", cfg=["1", 1], seed=["1", 1]))
    assert graph.nodes["3"].links["cfg"] == Link("1", 1)
    assert graph.nodes["3"].values == {"method": "euler"}


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        ("FLOAT", "INT", True),
        ("INT", "FLOAT", False),
        ("COMBO", "STRING", True),
        ("COMBO", "COMBO", True),
        ("STRING", "COMBO", False),
        ("IMAGE,MASK", "MASK", True),
        ("*", "LATENT", True),
        ("LATENT", "*", True),
        ("BOOLEAN", "INT", False),
    ],
)
def test_which_types_fit(folders: Folders, wanted: str, offered: str, fits: bool) -> None:
    source = NodeSpec("A", lambda: 0, outputs=(OutputSpec("x", offered),))
    sink = NodeSpec("B", lambda: 0, (InputSpec("x", wanted),), sink=True)
    workflow = Workflow(
        {"1": WorkflowNode("1", "A", {}), "2": WorkflowNode("2", "B", {"x": Link("1", 0)})}
    )
    graph, _ = check_graph(workflow, Registry((source, sink)), folders)
    assert (graph is not None) == fits


def test_an_input_for_anything_takes_values_too(build: Any) -> None:
    data = {"1": {"class_type": "Anything", "inputs": {"value": {"k": 1}, "number": 2.5}}}
    assert build(data).nodes["1"].values == {"value": {"k": 1}, "number": 2.5}


def test_open_inputs_pass_links_of_any_name_but_no_values(build: Any) -> None:
    data = good()
    inputs = {"first": 1, "picture": ["4", 0], "several": [["4", 0]], "value": 3}
    data["6"] = {"class_type": "Open", "inputs": inputs}
    graph = build(data)
    assert graph.nodes["6"].links == {"picture": Link("4", 0), "several": (Link("4", 0),)}
    assert graph.nodes["6"].values == {"first": 1}
    assert [(p.code, p.input) for p in graph.problems] == [("unknown_input", "value")]


# --- problems -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "place", "expected", "got", "said"),
    [
        (
            {**good(), "3": {"class_type": "Sampel", "inputs": {}}},
            "unknown_node",
            ("3", "Sampel", None),
            None,
            "Sampel",
            '"Sample"',
        ),
        (
            {**good(), "3": {"class_type": "ModelSamplingFlux", "inputs": {}}},
            "node_of_other_models",
            ("3", "ModelSamplingFlux", None),
            None,
            "ModelSamplingFlux",
            "for Flux",
        ),
        (
            {**good(), "5": {"class_type": "Save", "inputs": {}}},
            "missing_input",
            ("5", "Save picture", "images"),
            "IMAGE",
            None,
            "Link an output of type IMAGE",
        ),
        (
            changed("5", images=["3", 0]),
            "wrong_link_type",
            ("5", "Save picture", "images"),
            "IMAGE",
            "LATENT",
            "from Draw (#3). Link an output of type IMAGE. "
            'Nodes that could stand between them: "VAE decode"',
        ),
        (
            changed("3", cfg="high"),
            "wrong_value_type",
            ("3", "Draw", "cfg"),
            "FLOAT 1.0 … 30.0",
            '"high"',
            "(STRING)",
        ),
        (changed("2", width=3.9), "wrong_value_type", ("2", "Empty latent", "width"),
         "INT 16 … 64", "3.9", "(FLOAT)"),
        (changed("2", width=8), "below_minimum", ("2", "Empty latent", "width"),
         "INT 16 … 64", "8", "too small"),
        (changed("3", cfg=31), "above_maximum", ("3", "Draw", "cfg"),
         "FLOAT 1.0 … 30.0", "31", "too large"),
        (changed("3", cfg=float("nan")), "not_finite", ("3", "Draw", "cfg"),
         "FLOAT 1.0 … 30.0", "NaN", "finite"),
        (changed("3", method="eular"), "not_in_list", ("3", "Draw", "method"),
         "euler, ddim, dpmpp_2m", '"eular"', '"euler"'),
        (changed("1", name="startr.safetensors"), "missing_file", ("1", "Load model", "name"),
         "other.safetensors, starter.safetensors", '"startr.safetensors"',
         '"starter.safetensors"'),
        (changed("5", images=["9", 0]), "dangling_link", ("5", "Save picture", "images"),
         None, None, "#9"),
        (changed("4", vae=["1", 2]), "slot_out_of_range", ("4", "VAE decode", "vae"),
         "0 VAE, 1 width", "2", "Load model (#1)"),
        (changed("5", images="cat.png"), "link_needed", ("5", "Save picture", "images"),
         "IMAGE", '"cat.png"', "Link an output"),
        (changed("5", images=[["4", 0], ["4", 0]]), "one_link_only",
         ("5", "Save picture", "images"), "IMAGE", None, "got 2"),
    ],
)  # fmt: skip
def test_each_problem_tells_where_what_and_how_to_mend(
    problems: Any,
    data: dict[str, Any],
    code: str,
    place: tuple[str, str, str | None],
    expected: str | None,
    got: str | None,
    said: str,
) -> None:
    (problem,) = problems(data)
    assert problem.code == code
    assert problem.severity == "error"
    assert (problem.node_id, problem.title, problem.input) == place
    assert problem.got == got
    assert problem.expected == expected
    assert said in problem.text("en")
    assert problem.hint("ja")
    assert problem.message("ja") != problem.message("en")


def test_a_missing_picture_is_told_with_those_that_are_there(problems: Any) -> None:
    data = {
        "1": {"class_type": "LoadPicture", "inputs": {"image": "cat.jpg"}},
        "2": {"class_type": "Save", "inputs": {"images": ["1", 0]}},
    }
    (problem,) = problems(data)
    assert (problem.code, problem.expected) == ("missing_file", "cat.png")
    assert '"cat.png"' in problem.hint("en")


@pytest.mark.parametrize("name", ["x" * 10_000, "../../etc/passwd", "a\0b", "", ".", "/"])
def test_odd_file_names_are_missing_files(problems: Any, name: str) -> None:
    data = {
        "1": {"class_type": "LoadPicture", "inputs": {"image": name}},
        "2": {"class_type": "Save", "inputs": {"images": ["1", 0]}},
        "3": {"class_type": "Load", "inputs": {"name": name}},
        "4": {"class_type": "Anything", "inputs": {"value": ["3", 0]}},
    }
    assert [p.code for p in problems(data)] == ["missing_file", "missing_file"]


def test_all_problems_come_at_once_errors_first(problems: Any) -> None:
    data = changed("3", methd="euler", cfg=99)
    data["1"]["inputs"]["name"] = "gone"
    data["5"]["inputs"]["images"] = ["3", 0]
    found = [(problem.severity, problem.code, problem.node_id) for problem in problems(data)]
    assert found == [
        ("error", "above_maximum", "3"),
        ("error", "wrong_link_type", "5"),
        ("warning", "missing_file", "1"),
        ("warning", "unknown_input", "3"),
    ]


def test_an_unknown_input_is_a_warning_with_the_nearest_names(build: Any) -> None:
    graph = build(changed("3", methd="euler"))
    (problem,) = graph.problems
    assert (problem.code, problem.severity) == ("unknown_input", "warning")
    assert '"method"' in problem.text()
    assert "methd" not in graph.nodes["3"].values


def test_what_lies_behind_a_broken_node_is_not_blamed(problems: Any) -> None:
    data = good()
    data["2"]["class_type"] = "NoSuchNode"
    assert [(p.code, p.node_id) for p in problems(data)] == [("unknown_node", "2")]


def test_a_broken_node_that_no_sink_needs_is_only_a_warning(build: Any) -> None:
    data = good()
    data["6"] = {"class_type": "Decode", "inputs": {"samples": ["3", 0], "vae": ["9", 0]}}
    data["7"] = {"class_type": "Empty", "inputs": {}}
    graph = build(data)
    assert [(p.code, p.severity) for p in graph.problems] == [("dangling_link", "warning")]
    assert set(graph.nodes) == set(graph.order) == {"1", "2", "3", "4", "5"}


def test_an_unknown_node_that_ends_a_branch_may_be_a_sink_so_it_is_an_error(problems: Any) -> None:
    data = good()
    data["6"] = {"class_type": "SaveElsewhere", "inputs": {"images": ["4", 0]}}
    assert [(p.code, p.severity) for p in problems(data)] == [("unknown_node", "error")]
    assert problems(data, targets=["5"])[0].severity == "warning"


def test_with_targets_only_what_they_need_must_be_right(build: Any, problems: Any) -> None:
    data = changed("5", images=["3", 0])
    assert problems(data)[0].severity == "error"
    graph = build(data, targets=["4"])
    assert [p.severity for p in graph.problems] == ["warning"]
    assert graph.order == ("2", "3", "1", "4")


def test_an_unknown_target_is_told(problems: Any) -> None:
    (problem,) = problems(good(), targets=["55", "5"])
    assert (problem.code, problem.got) == ("unknown_target", "55")
    assert '"5"' in problem.hint()


@pytest.mark.parametrize("data", [{}, {"2": {"class_type": "Empty", "inputs": {}}}])
def test_a_workflow_without_an_output_is_told_which_there_are(problems: Any, data: Any) -> None:
    (problem,) = problems(data)
    assert (problem.code, problem.node_id) == ("no_output", None)
    assert '"Save picture"' in problem.hint()


def test_outputs_that_take_what_a_workflow_ends_in_are_proposed_first(problems: Any) -> None:
    (nothing,) = problems({"2": {"class_type": "Empty", "inputs": {}}})
    data = good()
    del data["5"]
    (picture,) = problems(data)
    assert nothing.details["sinks"]["en"] == '"Open", "Save picture", "Anything"'
    assert picture.details["sinks"]["en"] == '"Save picture", "Open", "Anything"'


def test_a_cycle_is_told_with_its_path(problems: Any) -> None:
    data = good()
    data["2"] = {
        "class_type": "Sample",
        "inputs": {"latent_image": ["3", 0], "method": "euler"},
    }
    (problem,) = problems(data)
    assert problem.code == "cycle"
    assert "Sampler (#2) → Draw (#3) → Sampler (#2)" in problem.text("en")
    assert "Sampler (#2) → Draw (#3) → Sampler (#2)" in problem.text("ja")


def test_problems_call_nodes_as_the_editor_does_in_each_language(
    registry: Registry, problems: Any
) -> None:
    for node_id, title in (("Sample", "サンプラー"), ("Empty", "空"), ("Save", "保存")):
        spec = registry.get(node_id)
        assert spec is not None
        registry.replace(dataclasses.replace(spec, texts={"ja": NodeTexts(title=title)}))
    data = changed("5", images=["2", 0])
    data["6"] = {"class_type": "Sample", "inputs": {"latent_image": ["3", 0], "method": "x"}}
    wrong_method, wrong_link = sorted(problems(data), key=lambda one: one.input, reverse=True)
    assert wrong_method.message("ja").startswith('サンプラー (#6), 入力 "method": ')
    assert wrong_method.message("en").startswith('Sampler (#6), input "method": ')
    assert wrong_link.message("ja").startswith('保存 (#5), 入力 "images": ')
    assert "空 (#2)" in wrong_link.message("ja")
    assert "Empty latent (#2)" in wrong_link.message("en")
    del data["5"], data["6"]["inputs"]["method"]
    data["6"]["inputs"]["latent_image"] = ["6", 0]
    circle = next(one for one in problems(data) if one.code == "cycle")
    (no_output,) = problems({"2": {"class_type": "Empty", "inputs": {}}})
    assert "サンプラー (#6) → サンプラー (#6)" in circle.text("ja")
    assert '"保存"' in no_output.text("ja")
    (named,) = problems(changed("3", method="x"))
    assert named.message("ja").startswith("Draw (#3)")  # the person's own title stays


def test_a_node_linked_to_itself_is_a_cycle(problems: Any) -> None:
    (problem,) = problems(changed("3", latent_image=["3", 0]))
    assert problem.details["path"]["en"] == "Draw (#3) → Draw (#3)"


def test_two_cycles_are_two_problems(problems: Any) -> None:
    data = {}
    for first, second in (("1", "2"), ("3", "4")):
        for node_id, source in ((first, second), (second, first)):
            inputs = {"latent_image": [source, 0], "method": "euler"}
            data[node_id] = {"class_type": "Sample", "inputs": inputs}
        data[f"{first}s"] = {"class_type": "Anything", "inputs": {"value": [first, 0]}}
    assert [(p.code, p.node_id) for p in problems(data)] == [("cycle", "1"), ("cycle", "3")]


def test_a_cycle_of_100_000_nodes_is_found_and_shown_in_part(problems: Any) -> None:
    count = 100_000
    data = {
        str(i): {
            "class_type": "Sample",
            "inputs": {"latent_image": [str((i or count) - 1), 0], "method": "ddim"},
        }
        for i in range(count)
    }
    data["out"] = {"class_type": "Anything", "inputs": {"value": ["5", 0]}}
    (problem,) = problems(data)
    assert problem.details["path"]["en"].startswith("Sampler (#0) → Sampler (#1) → ")
    assert problem.details["path"]["en"].endswith("… (99989) → Sampler (#0)")
    assert len(problem.text()) < 500


def test_thousands_of_wrong_values_are_all_told(problems: Any) -> None:
    data = {
        str(i): {"class_type": "Load", "inputs": {"name": f"startr{i}.safetensors"}}
        for i in range(3000)
    }
    inputs = {"value": [[str(i), 0] for i in range(3000)]}
    data["all"] = {"class_type": "Open", "inputs": {"first": 1, **inputs}}
    assert len(problems(data)) == 3000


ids = st.sampled_from("12345")
some_links = st.tuples(ids, st.integers(0, 2)).map(list)
some_values = (
    some_links
    | st.lists(some_links, max_size=2)
    | st.none()
    | st.booleans()
    | st.integers(-2, 70)
    | st.floats()
    | st.sampled_from(["euler", "48", "starter.safetensors", "true", ""])
    | st.dictionaries(st.sampled_from(["__value__", "k"]), st.lists(st.integers()), max_size=1)
)
input_names = st.sampled_from(
    ["latent_image", "samples", "vae", "images", "value", "number", "width", "cfg", "seed", "name"]
)
some_workflows = st.dictionaries(
    ids,
    st.fixed_dictionaries(
        {
            "class_type": st.sampled_from([function.__node__.id for function in NODES] + ["None"]),
            "inputs": st.dictionaries(input_names, some_values, max_size=4),
        }
    ),
)


@given(some_workflows, st.none() | st.sets(ids))
def test_any_workflow_becomes_a_sound_graph_or_problems(
    data: dict[str, Any], targets: set[str] | None
) -> None:
    registry = Registry()
    registry.add_functions(*NODES)
    nowhere = Folders(Path("none"), Path("none"), Path("none"), Path("none"))
    graph, found = check_graph(parse_api(data), registry, nowhere, targets=targets)
    assert (graph is None) == any(problem.severity == "error" for problem in found)
    assert all(problem.text("en") and problem.text("ja") for problem in found)
    if graph is not None:
        assert set(graph.order) == set(graph.nodes)
        assert set(targets or graph.sinks) <= set(graph.nodes)
        for node in graph.nodes.values():
            for link in node.links.values():
                for source, output in [link] if isinstance(link, Link) else link:
                    assert graph.rank[source] < graph.rank[node.id]
                    assert output < len(graph.nodes[source].spec.outputs)


# --- pieces of graph made by code -----------------------------------------------------------------


def test_a_piece_may_hold_objects_and_link_to_nodes_around_it(
    registry: Registry, folders: Folders, build: Any
) -> None:
    around = build(good()).nodes
    picture = object()
    data = {
        "a": {"class_type": "Decode", "inputs": {"samples": ["3", 0], "vae": ["1", 0]}},
        "b": {"class_type": "Batch", "inputs": {"images": [["a", 0], ["4", 0]]}},
        "c": {"class_type": "Save", "inputs": {"images": picture}},
    }
    piece = parse_api(data, allow_objects=True)
    graph = build_graph(piece, registry, folders, allow_objects=True, outside=around)
    assert graph.nodes["c"].values == {"images": picture}
    assert graph.order == ("a", "b", "c")
    _, found = check_graph(piece, registry, folders)
    assert {p.code for p in found} == {"dangling_link", "link_needed"}


def test_links_out_of_a_piece_are_checked(registry: Registry, folders: Folders, build: Any) -> None:
    piece = parse_api({"a": {"class_type": "Save", "inputs": {"images": ["3", 0]}}})
    _, (problem,) = check_graph(piece, registry, folders, outside=build(good()).nodes)
    assert problem.code == "wrong_link_type"
    assert "Draw (#3)" in problem.text()


# --- seeds and the executed prompt ----------------------------------------------------------------


def test_a_seed_of_minus_one_is_drawn_anew_and_others_stay(build: Any) -> None:
    graph = build(good())
    drawn = draw_seeds(graph, random.Random(1)).nodes["3"].values["seed"]
    assert 0 <= drawn < 2**64
    assert draw_seeds(graph, random.Random(1)).nodes["3"].values["seed"] == drawn
    assert draw_seeds(graph, random.Random(2)).nodes["3"].values["seed"] != drawn
    assert graph.nodes["3"].values["seed"] == -1
    fixed = build(changed("3", seed=5))
    assert draw_seeds(fixed, random.Random(1)) is fixed


def test_the_executed_prompt_shows_drawn_seeds_and_defaults(build: Any) -> None:
    data = changed("3", unknown="kept")
    data["3"]["is_changed"] = [float("nan")]
    graph = draw_seeds(build(data), random.Random(1))
    prompt = executed_prompt(graph, parse_api(data))
    assert prompt["3"] == {
        "class_type": "Sample",
        "inputs": {
            "latent_image": ["2", 0],
            "method": "euler",
            "seed": graph.nodes["3"].values["seed"],
            "unknown": "kept",
            "cfg": 7.0,
        },
        "_meta": {"title": "Draw"},
    }
    assert build(prompt).nodes == graph.nodes


# --- texts ----------------------------------------------------------------------------------------


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_message_exists_in_both_languages_with_the_same_details() -> None:
    folder = resources.files("graphengine") / "messages"
    english, japanese = (
        tomllib.loads((folder / f"graph.{language}.toml").read_text(encoding="utf-8"))
        for language in ("en", "ja")
    )
    assert list(english) == list(japanese)
    for code, texts in english.items():
        assert set(texts) == set(japanese[code]) == {"message", "hint"}
        for part, text in texts.items():
            assert _fields(text) == _fields(japanese[code][part]), (code, part)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        (True, "true"),
        (None, "null"),
        ([1, [2]], "[1, list]"),
        ({"a": 1}, "{a: …}"),
        (list(range(9)), "list (9)"),
        (object(), "object"),
    ],
)
def test_values_are_shown_as_in_the_file(value: Any, text: str) -> None:
    assert shown(value) == text


@given(st.text() | st.integers() | st.lists(st.text()) | st.floats())
def test_values_are_shown_short(value: Any) -> None:
    assert len(shown(value)) < 600
    assert len(shown("x" * 10**6)) < 100
    assert len(shown(10**10_000)) < 100


def test_a_file_becomes_a_graph(tmp_path: Path, registry: Registry, folders: Folders) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"1": {"class_type": "Anything", "inputs": {"value": "a"}}}')
    assert build_graph(load_workflow(path), registry, folders).sinks == ("1",)

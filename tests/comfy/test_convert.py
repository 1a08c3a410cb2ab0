"""Editor-format workflows become what runs: mute, bypass, Reroute, primitives, subgraphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphengine.comfy.convert import bypassed_input
from graphengine.comfy.ui_format import parse_ui
from graphengine.errors import GraphEngineError
from tests.comfy.drawing import LAYOUTS, drawn, file, inputs_of, opened, slot, subgraph

SHARED = Path(__file__).parents[3] / "shared" / "workflows"
IMAGES = [slot("images", "IMAGE", 1)]


def loader(node_id: int = 1, **more: Any) -> dict[str, Any]:
    return drawn(node_id, "LoadImage", outputs="IMAGE MASK", values=["a.png", "image"], **more)


def saver(node_id: int, link: int, prefix: str = "p") -> dict[str, Any]:
    return drawn(node_id, "SaveImage", [slot("images", "IMAGE", link)], values=[prefix])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real workflows are not in the repository")
def test_real_workflows_become_what_comfyui_queues() -> None:
    from tools.compare_workflows import compare

    saved = sorted(SHARED.glob("*.ui.json"))
    wrong = {
        path.name: list(compare(path, path.with_name(path.name.replace(".ui.", ".api.")), LAYOUTS))
        for path in saved
    }

    assert len(saved) == 37
    assert {name: found for name, found in wrong.items() if found} == {}


def test_values_and_links_stand_by_name() -> None:
    nodes = [
        drawn(
            3,
            "KSampler",
            [slot("model", "MODEL", 1), slot("positive", "CONDITIONING")],
            values=[7, "randomize", 12, 8, "dpmpp_sde", "normal", 1],
        ),
        drawn(4, "CheckpointLoaderSimple", outputs="MODEL CLIP VAE", values=["x.ckpt"]),
    ]

    assert opened(file(nodes, [[1, 4, 0, 3, 0, "MODEL"]]))[0] == {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 7,
                "steps": 12,
                "cfg": 8,
                "sampler_name": "dpmpp_sde",
                "scheduler": "normal",
                "denoise": 1,
                "model": ["4", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.ckpt"}},
    }


def test_a_muted_node_goes_and_its_links_with_it() -> None:
    data = file([loader(mode=2), saver(2, 1)], [[1, 1, 0, 2, 0, "IMAGE"]])

    assert inputs_of(data) == {"2": {"filename_prefix": "p"}}


def test_a_bypassed_node_passes_its_input_on() -> None:
    scale = drawn(2, "ImageScaleBy", [slot("image", "IMAGE", 1)], "IMAGE", ["area", 2], mode=4)
    data = file(
        [loader(), scale, saver(3, 2)], [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    )

    assert inputs_of(data) == {
        "1": {"image": "a.png"},
        "3": {"filename_prefix": "p", "images": ["1", 0]},
    }


@pytest.mark.parametrize(
    ("inputs", "outputs", "output", "wanted", "passed"),
    [
        ("MODEL CLIP", "MODEL CLIP", 1, "CLIP", 1),
        ("VAE IMAGE IMAGE", "IMAGE", 0, "IMAGE", 1),
        ("* IMAGE", "IMAGE", 0, "IMAGE", 0),
        ("VAE *", "IMAGE", 0, "IMAGE", 1),
        ("VAE CLIP", "IMAGE", 0, "IMAGE", None),
        ("VAE CLIP", "IMAGE MASK", 1, "*", 1),
        ("VAE", "IMAGE MASK", 1, "*", 0),
        ("", "IMAGE", 0, "*", None),
    ],
)
def test_bypass_takes_the_same_place_then_the_same_type_then_what_fits(
    inputs: str, outputs: str, output: int, wanted: str, passed: int | None
) -> None:
    slots = [slot(f"i{place}", kind) for place, kind in enumerate(inputs.split())]
    canvas, _ = parse_ui(file([drawn(1, "Any", slots, outputs)]), LAYOUTS)
    node = canvas.nodes["1"]

    found = bypassed_input(node, output, wanted)

    assert found == (None if passed is None else node.inputs[passed])


def test_reroutes_notes_and_frames_are_only_drawn() -> None:
    nodes = [
        loader(),
        drawn(2, "Reroute", [slot("", "*", 1)], "IMAGE"),
        drawn(3, "Reroute", [slot("", "*", 2)], "IMAGE"),
        saver(4, 3),
        drawn(5, "Note", values=["remember"]),
        drawn(6, "MarkdownNote", values=["# remember"]),
    ]
    links = [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "*"], [3, 3, 0, 4, 0, "IMAGE"]]
    group = {"title": "all", "bounding": [0, 0, 9, 9]}

    assert inputs_of(file(nodes, links, groups=[group])) == {
        "1": {"image": "a.png"},
        "4": {"filename_prefix": "p", "images": ["1", 0]},
    }


def test_native_reroutes_and_floating_links_change_nothing() -> None:
    extra = {
        "reroutes": [{"id": 1, "pos": [1, 2], "linkIds": [1]}],
        "linkExtensions": [{"id": 1, "parentId": 1}],
    }
    floating = [{"id": 9, "origin_id": 1, "origin_slot": 0, "target_id": -1, "target_slot": -1}]
    plain = file([loader(), saver(2, 1)], [[1, 1, 0, 2, 0, "IMAGE"]])

    assert inputs_of({**plain, "extra": extra, "floatingLinks": floating}) == inputs_of(plain)


def test_a_circle_of_reroutes_leads_nowhere() -> None:
    nodes = [
        drawn(2, "Reroute", [slot("", "*", 2)], "*"),
        drawn(3, "Reroute", [slot("", "*", 1)], "*"),
        saver(4, 3),
    ]
    links = [[1, 2, 0, 3, 0, "*"], [2, 3, 0, 2, 0, "*"], [3, 3, 0, 4, 0, "IMAGE"]]

    assert inputs_of(file(nodes, links)) == {"4": {"filename_prefix": "p"}}


def test_a_primitive_gives_its_value_to_the_widget() -> None:
    empty = drawn(
        2,
        "EmptyLatentImage",
        [slot("width", "INT", 1, widget=True), slot("height", "INT", 2, widget=True)],
        values=[512, 512, 1],
    )
    primitive = drawn(1, "PrimitiveNode", outputs="INT", values=[768, "fixed"])
    data = file([primitive, empty], [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 2, 1, "INT"]])

    assert inputs_of(data) == {"2": {"width": 768, "height": 768, "batch_size": 1}}


def test_set_and_get_nodes_are_wires() -> None:
    nodes = [
        loader(),
        drawn(2, "SetNode", [slot("IMAGE", "IMAGE", 1)], "*", ["picture"]),
        drawn(3, "GetNode", outputs="IMAGE", values=["picture"]),
        saver(4, 2),
    ]
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 3, 0, 4, 0, "IMAGE"]]

    assert inputs_of(file(nodes, links))["4"]["images"] == ["1", 0]


# --- subgraphs ------------------------------------------------------------------------------------


def sized(inputs: list[dict[str, Any]]) -> dict[str, Any]:
    return drawn(3, "EmptyLatentImage", inputs, "LATENT", [1, 2, 3])


def scaling(name: str = "scaling") -> dict[str, Any]:
    """A subgraph of one node: IMAGE → ImageScaleBy → IMAGE."""
    inner = drawn(12, "ImageScaleBy", [slot("image", "IMAGE", 1)], "IMAGE", ["area", 2.0])
    return subgraph(
        name,
        [inner],
        [(1, -10, 0, 12, 0, "IMAGE"), (2, 12, 0, -20, 0, "IMAGE")],
        "IMAGE",
        "IMAGE",
    )


def test_a_subgraph_is_unpacked_in_its_place() -> None:
    nodes = [loader(), drawn(5, "scaling", [slot("IMAGE", "IMAGE", 1)], "IMAGE"), saver(6, 2)]
    links = [[1, 1, 0, 5, 0, "IMAGE"], [2, 5, 0, 6, 0, "IMAGE"]]

    assert inputs_of(file(nodes, links, definitions={"subgraphs": [scaling()]})) == {
        "1": {"image": "a.png"},
        "5:12": {"upscale_method": "area", "scale_by": 2.0, "image": ["1", 0]},
        "6": {"filename_prefix": "p", "images": ["5:12", 0]},
    }


@pytest.mark.parametrize("nested", [True, False], ids=["defined inside", "defined at the root"])
def test_nested_subgraphs_join_their_ids(nested: bool) -> None:
    outer = subgraph(
        "outer",
        [drawn(7, "scaling", [slot("IMAGE", "IMAGE", 1)], "IMAGE")],
        [(1, -10, 0, 7, 0, "IMAGE"), (2, 7, 0, -20, 0, "IMAGE")],
        "IMAGE",
        "IMAGE",
    )
    if nested:
        definitions = [{**outer, "definitions": {"subgraphs": [scaling()]}}]
    else:
        definitions = [outer, scaling()]
    nodes = [loader(), drawn(5, "outer", [slot("IMAGE", "IMAGE", 1)], "IMAGE"), saver(6, 2)]
    links = [[1, 1, 0, 5, 0, "IMAGE"], [2, 5, 0, 6, 0, "IMAGE"]]

    found = inputs_of(file(nodes, links, definitions={"subgraphs": definitions}))

    assert found["5:7:12"]["image"] == ["1", 0]
    assert found["6"]["images"] == ["5:7:12", 0]


@pytest.mark.parametrize(
    "instance",
    [
        {"values": [768], "properties": {"proxyWidgets": [["3", "width"]]}},
        {"values": [768], "properties": {"proxyWidgets": [["-1", "width"]]}},
        {"widgets_values_named": {"width": 768}},
        {"values": {"width": 768}},
        {"values": [768]},
    ],
    ids=["by node", "by input", "named", "object", "by slot"],
)
def test_a_promoted_widget_gives_its_value_to_the_node_inside(instance: dict[str, Any]) -> None:
    inner = drawn(
        3, "EmptyLatentImage", [slot("width", "INT", 1, widget=True)], "LATENT", [1, 2, 3]
    )
    definition = subgraph("size", [inner], [(1, -10, 0, 3, 0, "INT")], "width", "")
    node = drawn(9, "size", [slot("width", "INT", widget=True)], **instance)

    found = inputs_of(file([node], definitions={"subgraphs": [definition]}))

    assert found == {"9:3": {"width": 768, "height": 2, "batch_size": 3}}


def test_promoted_values_and_controls_are_told_apart() -> None:
    inner = drawn(3, "KSampler", [], "LATENT", [1, "fixed", 20, 8, "euler", "normal", 1])
    text = drawn(4, "CLIPTextEncode", [slot("text", "STRING", 1, widget=True)], values=["inner"])
    definition = subgraph("s", [inner, text], [(1, -10, 0, 4, 0, "STRING")], "text")
    proxies = [["3", "seed"], ["3", "control_after_generate"], ["-1", "text"], ["3", "steps"]]
    node = drawn(
        9,
        "s",
        [slot("text", "STRING", widget=True)],
        values=[5, "randomize", "outer", None],
        properties={"proxyWidgets": proxies},
    )

    found = inputs_of(file([node], definitions={"subgraphs": [definition]}))

    assert found["9:3"]["seed"] == 5
    assert found["9:3"]["steps"] == 20
    assert "control_after_generate" not in found["9:3"]
    assert found["9:4"] == {"text": "outer"}


def test_one_promoted_value_belongs_to_the_widget_that_is_promoted() -> None:
    inner = drawn(3, "RandomNoise", [], "NOISE", [1, "fixed"])
    text = drawn(4, "CLIPTextEncode", [slot("text", "STRING", 1, widget=True)], values=["inner"])
    definition = subgraph("s", [inner, text], [(1, -10, 0, 4, 0, "STRING")], "text")
    node = drawn(
        9,
        "s",
        [slot("text", "STRING", widget=True)],
        values=[5],
        properties={"proxyWidgets": [["3", "noise_seed"]]},
    )

    found = inputs_of(file([node], definitions={"subgraphs": [definition]}))

    assert found["9:3"] == {"noise_seed": 5}
    assert found["9:4"] == {"text": "inner"}


def test_an_unlinked_input_of_a_subgraph_keeps_the_value_inside() -> None:
    inner = drawn(
        3, "EmptyLatentImage", [slot("width", "INT", 1, widget=True)], "LATENT", [1, 2, 3]
    )
    definition = subgraph("size", [inner], [(1, -10, 0, 3, 0, "INT")], "width", "")

    found = inputs_of(file([drawn(9, "size")], definitions={"subgraphs": [definition]}))

    assert found["9:3"]["width"] == 1


def test_two_instances_of_a_subgraph_keep_their_own_values() -> None:
    inner = sized([])
    definition = subgraph("size", [inner], [])
    proxies = {"proxyWidgets": [["3", "width"], ["3", "height"]]}
    nodes = [
        drawn(8, "size", values=[64, None], properties=proxies),
        drawn(9, "size", values=[96, 32], properties=proxies),
    ]

    found = inputs_of(file(nodes, definitions={"subgraphs": [definition]}))

    assert found["8:3"] == {"width": 64, "height": 2, "batch_size": 3}
    assert found["9:3"] == {"width": 96, "height": 32, "batch_size": 3}


def test_a_bypassed_subgraph_passes_its_input_on_and_a_muted_one_goes() -> None:
    links = [[1, 1, 0, 5, 0, "IMAGE"], [2, 5, 0, 6, 0, "IMAGE"]]
    definitions = {"subgraphs": [scaling()]}

    def images(mode: int) -> Any:
        node = drawn(5, "scaling", [slot("IMAGE", "IMAGE", 1)], "IMAGE", mode=mode)
        found = inputs_of(file([loader(), node, saver(6, 2)], links, definitions=definitions))
        assert "5:12" not in found
        return found["6"].get("images")

    assert images(4) == ["1", 0]
    assert images(2) is None


def test_a_subgraph_that_contains_itself_is_left_out_and_told() -> None:
    definition = subgraph("loop", [drawn(2, "loop")], [])
    prompt, told = opened(file([drawn(1, "loop")], definitions={"subgraphs": [definition]}))

    assert prompt == {}
    assert [(problem.code, problem.node_id) for problem in told] == [("subgraph_in_itself", "1:2")]


def test_subgraphs_that_would_unpack_to_millions_of_nodes_are_refused() -> None:
    levels = [
        subgraph(f"s{level}", [drawn(1, f"s{level + 1}"), drawn(2, f"s{level + 1}")], [])
        for level in range(40)
    ]

    with pytest.raises(GraphEngineError) as found:
        opened(file([drawn(1, "s0")], definitions={"subgraphs": levels}))

    assert found.value.code == "too_many_nodes"


def test_a_group_node_is_unpacked_with_its_own_values() -> None:
    inside = {
        "nodes": [
            drawn(-1, "LoadImage", outputs="IMAGE MASK", values=["old.png", "image"]),
            drawn(-1, "ImageScaleBy", [slot("image", "IMAGE")], "IMAGE", ["area", 2.0]),
            drawn(-1, "ImageBlend", [slot("image1", "IMAGE"), slot("image2", "IMAGE")], "IMAGE"),
        ],
        "links": [[0, 0, 1, 0, 1, "IMAGE"], [1, 0, 2, 0, 2, "IMAGE"]],
        "external": [],
    }
    group = drawn(
        5,
        "workflow>pair",
        [slot("image2", "IMAGE", 1)],
        "MASK IMAGE",
        ["new.png", "bislerp", 3.0],
    )
    nodes = [loader(), group, saver(6, 2)]
    links = [[1, 1, 0, 5, 0, "IMAGE"], [2, 5, 1, 6, 0, "IMAGE"]]

    found = inputs_of(file(nodes, links, extra={"groupNodes": {"pair": inside}}))

    assert found["5:0"] == {"image": "new.png"}
    assert found["5:1"] == {"upscale_method": "bislerp", "scale_by": 3.0, "image": ["5:0", 0]}
    assert found["5:2"]["image1"] == ["5:1", 0]
    assert found["5:2"]["image2"] == ["1", 0]
    assert found["6"]["images"] == ["5:2", 0]

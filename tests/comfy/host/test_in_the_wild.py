"""A plugin as people write them, through HTTP and WebSocket: what they import, and every rule."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import PIL.Image
import pytest

from tests.comfy.host.prompts import error_of, link, node, shown, started, watched
from tests.server.client import Client, data_of, until_done
from tests.server.conftest import Serve


def out(node_id: str, output: int = 0) -> dict[str, Any]:
    return node("WildOut", value=link(node_id, output))


async def of(client: Client, nodes: dict[str, Any], **fields: Any) -> tuple[Any, list[Any]]:
    """The history entry of a prompt that succeeds, and all that was said."""
    entry, frames = await watched(client, nodes, **fields)
    assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
    return entry, frames


async def refusals(client: Client, nodes: dict[str, Any], node_id: str) -> list[tuple[str, str]]:
    answer = await client.post("/prompt", {"prompt": nodes}, 400)
    return [(each["type"], each["details"]) for each in answer["node_errors"][node_id]["errors"]]


def test_routes_by_table_and_by_application_answer(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for base in ("", "/api"):
            answer = await client.get(f"{base}/wild/echo/a/b?x=1")
            assert (answer["name"], answer["query"]) == ("a/b", {"x": "1"})
        static = await client.response("GET", "/wild_static/data.json")
        assert await static.json() == {"a": 1}
        assert (await client.response("GET", "/wild/nothing")).status == 404
        entry, _ = await of(client, {"1": node("WildAbsolute", width=8), "o": out("1")})
        assert shown(entry, "o") == ["108"]

    serve(scenario)


def test_while_and_for_loops_that_copy_their_bodies(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        loop = {
            "n": node("WildMath", a=3, b=0, operation="add"),
            "open": node("WildWhileOpen", condition=True, value_0=link("n"), value_1="x"),
            "sub": node("WildMath", a=link("open", 1), b=1, operation="subtract"),
            "add": node("WildJoin", a=link("open", 2), b="y"),
            "more": node("WildToBool", value=link("sub")),
            "close": node(
                "WildWhileClose",
                flow=link("open"),
                condition=link("more"),
                value_0=link("sub"),
                value_1=link("add"),
            ),
            "o": out("close", 1),
        }
        entry, frames = await of(client, loop)
        assert shown(entry, "o") == ["'xyyy'"]
        assert (await client.get("/wild/calls"))["while close"] == 3
        displays = {data["display_node"] for data in data_of(frames, "executing") if data["node"]}
        assert displays == set(loop)
        _, frames = await of(client, loop)
        assert started(frames) == []
        counted = {
            "open": node("WildForOpen", remaining=4, value_1="s"),
            "add": node("WildJoin", a=link("open", 2), b="z"),
            "close": node("WildForClose", flow=link("open"), value_1=link("add")),
            "o": out("close"),
        }
        entry, _ = await of(client, counted)
        assert shown(entry, "o") == ["'szzzz'"]

    serve(scenario)


def test_lists_of_all_lengths(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "l": node("WildListOf", text="a\nb\nc"),
            "m": node("WildListOf", text="1\n2"),
            "join": node("WildJoin", a=link("l"), b="_", c=link("m")),
            "all": node("WildJoinAll", a=link("join"), sep=","),
            "o": out("join"),
            "p": out("all"),
            "q": out("l", 2),
            "r": out("l", 1),
            "s": out("o"),
        }
        entry, _ = await of(client, nodes)
        assert shown(entry, "o") == shown(entry, "s") == ["'a_1'", "'b_2'", "'c_2'"]
        assert shown(entry, "p") == ["'a_1,b_2,c_2@all'"]
        assert shown(entry, "q") == ["['a', 'b', 'c']"]
        assert shown(entry, "r") == ["3"]
        nodes["l"] = node("WildListOf", text="\n")
        nodes["m"] = node("WildListOf", text="1")
        assert error_of((await watched(client, nodes))[0])["node_id"] == "join"
        entry, _ = await of(client, {"l": nodes["l"], "o": out("l")})
        assert shown(entry, "o") == []

    serve(scenario)


def test_lazy_inputs_optional_async_in_lists_and_never_asked_for(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for kind in ("WildSwitch", "WildAsyncSwitch"):
            await client.post("/wild/reset", status=204)
            nodes = {
                "a": node("WildNumber", value=1.5, name=kind),
                "b": node("WildFails", value=1),
                "s": node(kind, which=0, a=link("a"), b=link("b")),
                "none": node(kind, which=2),
                "given": node(kind, which=2, c=9),
                "o": out("s"),
                "p": out("none"),
                "q": out("given"),
            }
            entry, _ = await of(client, nodes)
            values = [shown(entry, each)[0] for each in "opq"]
            assert values == ["1.5", "'no c'", "9"]
            asked = await client.get("/wild/calls")
            assert (asked["lazy a,b"], asked["lazy "], asked["lazy c"]) == (2, 1, 1)
        for enough, wanted in ((2, ["'a'", "'b'"]), (4, ["'a'", "'b'", "'c'", "2"])):
            nodes = {
                "l": node("WildListOf", text="a\nb\nc"),
                "n": node("WildMath", a=1, b=1, operation="add"),
                "z": node("WildLazyList", first=link("l"), second=link("n"), enough=enough),
                "o": out("z"),
            }
            entry, frames = await of(client, nodes)
            assert shown(entry, "o") == wanted
            assert ("n" in started(frames)) == (enough == 4)
        assert "lazy list (None,) (None,) [2]" in await client.get("/wild/calls")
        nodes = {
            "a": node("WildNumber", value=2.5),
            "n": node("WildNeverLazy", value=link("a")),
            "o": out("n"),
        }
        entry, frames = await of(client, nodes)
        assert shown(entry, "o") == ["'None'"]
        assert "a" not in started(frames)

    serve(scenario)


def test_blockers_quiet_loud_and_lifted(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "a": node("WildNumber", value=1.5),
            "b": node("WildBlock", value=link("a"), block=True),
            "o": out("b"),
            "p": out("b", 1),
            "q": out("a"),
        }
        entry, frames = await of(client, nodes)
        assert list(entry["outputs"]) == ["q"]
        assert data_of(frames, "execution_error") == []
        nodes["b"]["inputs"]["verbose"] = True
        entry, frames = await of(client, nodes)
        (error,) = data_of(frames, "execution_error")
        assert error["exception_type"] == "ExecutionBlocked"
        assert "Blocked by the test" in error["exception_message"]
        nodes["b"]["inputs"]["block"] = False
        entry, _ = await of(client, nodes)
        assert sorted(entry["outputs"]) == ["o", "p", "q"]

    serve(scenario)


def test_async_nodes_overlap_also_grown_ones_and_may_time_out(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            **{f"s{index}": node("WildSleep", value=index, seconds=0.4) for index in range(3)},
            **{f"o{index}": out(f"s{index}", 1 + index % 2) for index in range(3)},
        }
        entry, _ = await of(client, nodes)
        began, ended, last = (float(shown(entry, f"o{index}")[0]) for index in range(3))
        assert began < ended
        assert last < ended
        entry, _ = await of(client, {"1": node("WildSleeps", count=3), "o": out("1")})
        assert float(shown(entry, "o")[0]) < 3 * 0.3
        late = {"1": node("WildTimeout", seconds=0.05), "o": out("1")}
        assert "TimeoutError" in error_of((await watched(client, late))[0])["exception_type"]

    serve(scenario)


@pytest.mark.parametrize(
    ("kind", "runs"),
    [("constant", 1), ("bytes", 1), ("hash", 1), ("dict", 1), ("object", 2), ("true", 1)],
)
def test_values_of_is_changed_are_compared_and_others_never_equal(
    serve: Serve, kind: str, runs: int
) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/wild/reset", status=204)
        nodes = {"1": node("WildFingerprint", kind=kind, seed=3), "o": out("1")}
        await of(client, nodes)
        await of(client, nodes)
        calls = await client.get("/wild/calls")
        assert (calls[f"ran {kind}"], calls[f"changed {kind}"]) == (runs, 2)

    serve(scenario)


def test_an_is_changed_that_cannot_be_called_runs_always(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/wild/reset", status=204)
        nodes = {
            "w": node("WildWrongIsChanged", value=3),
            "n": node("WildMath", a=1, b=1, operation="add"),
            "x": node("WildNarrowIsChanged", value=3, other=link("n")),
            "o": out("w"),
            "p": out("x"),
        }
        await of(client, nodes)
        await of(client, nodes)
        calls = await client.get("/wild/calls")
        assert (calls["wrong is_changed"], calls["narrow"], calls["seen 3 None"]) == (2, 1, 2)

    serve(scenario)


def test_what_is_cached_is_told_again_under_whichever_id(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "1": node("WildNumber", value=7.25),
            "o": out("1"),
            "n": node("WildNothing", value=link("1")),
            "u": node("WildOnlyUi", value=link("1")),
        }
        await of(client, nodes)
        _, frames = await of(client, nodes)
        assert started(frames) == []
        told = {data["node"]: data["output"] for data in data_of(frames, "executed")}
        assert (told["o"], told["u"], told["n"]) == ({"shown": ["7.25"]},) * 2 + (None,)
        entry, frames = await of(client, {"x": nodes["1"], "y": out("x")})
        assert started(frames) == []
        assert shown(entry, "y") == ["7.25"]
        nodes["1"]["inputs"]["value"] = 8.25
        entry, frames = await of(client, nodes)
        assert set(started(frames)) == set(nodes)
        entry, _ = await of(client, nodes, partial_execution_targets=["o"])
        assert list(entry["outputs"]) == ["o"]

    serve(scenario)


def test_widgets_of_all_kinds_and_names_that_only_the_class_knows(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        given: dict[str, Any] = {
            "whole": "7",
            "number": 1,
            "text": 5,
            "yes": "false",
            "choice": 3,
            "combo": "not checked",
            "more": {"a": [1]},
        }
        nodes = {"1": node("WildPlain", **given), "o": out("1")}
        entry, _ = await of(client, nodes)
        taken = {**given, "whole": 7, "number": 1.0, "text": "5", "yes": True}
        assert shown(entry, "o") == [repr(repr(taken))]
        assert entry["prompt"][2]["1"]["inputs"] == taken
        given["more"] = {"__value__": [1, 2]}
        entry, _ = await of(client, {"1": node("WildPlain", **given), "o": out("1")})
        assert "'more': [1, 2]" in shown(entry, "o")[0]
        for name, value, kind in (
            ("whole", 11, "value_bigger_than_max"),
            ("whole", "x", "invalid_input_type"),
            ("number", -1, "value_smaller_than_min"),
            ("choice", "zz", "value_not_in_list"),
            ("maybe", ["1", 2, 3], "bad_linked_input"),
        ):
            wrong = {"1": node("WildPlain", **{**given, name: value}), "o": out("1")}
            assert (await refusals(client, wrong, "1"))[0][0] == kind
        lora = {"on": True, "lora": "x", "strength": 0.5}
        nodes = {
            "n": node("WildMath", a=1, b=1, operation="add"),
            "1": node("WildFlexible", lora_1=lora, n=link("n"), text="q"),
            "o": out("1"),
        }
        entry, _ = await of(client, nodes)
        assert json.loads(shown(entry, "o")[0][1:-1]) == {"lora_1": lora, "n": 2, "text": "q"}
        entry, _ = await of(client, {"1": node("WildUntyped", value=5), "o": out("1")})
        assert shown(entry, "o") == ["5"]
        info = (await client.get("/object_info/WildUntyped"))["WildUntyped"]
        assert (info["output"], info["output_name"]) == (["INT"], ["only"])

    serve(scenario)


def test_checks_by_name_for_everything_of_types_and_of_hidden_values(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        def checked(kind: str, **inputs: Any) -> dict[str, Any]:
            return {"1": node(kind, **inputs), "o": out("1")}

        await of(client, checked("WildValidateNamed", a=50, b=1))
        custom = "custom_validation_failed"
        refused = await refusals(client, checked("WildValidateNamed", a=1, b=50), "1")
        assert refused == [("value_bigger_than_max", "b")]
        refused = await refusals(client, checked("WildValidateNamed", a=101, b=1, c=9), "1")
        assert refused == [(custom, "a - a=101 c=9"), (custom, "c - a=101 c=9")]
        refused = await refusals(client, checked("WildValidateAll", a=20, b=20, c=20), "1")
        assert refused == [(custom, f"{name} - sum") for name in "abc"]
        await of(client, checked("WildValidateAll", a=20, b=20))
        nodes = checked("WildValidateTypes", a=link("n"), b="x")
        nodes["n"] = node("EmptyImage", width=16, height=16)
        assert "no pictures" in (await refusals(client, nodes, "1"))[0][1]
        for source in (node("WildNumber", value=1.0), node("WildNoInputs")):
            await of(client, {**nodes, "n": source})
        entry, _ = await of(client, checked("WildValidateHidden", a=2, b=1))
        assert shown(entry, "o") == ["'1 WildValidateHidden'"]
        refused = await refusals(client, checked("WildValidateHidden", a=9, b=1), "1")
        assert refused == [(custom, "a - node 1, {}")]

    serve(scenario)


def test_errors_amid_a_graph_name_their_node(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "a": node("WildNumber", value=3.5),
            "b": node("WildFails", value=link("a")),
            "o": out("b"),
            "p": out("a"),
        }
        error = error_of((await watched(client, nodes))[0])
        assert (error["node_id"], error["node_type"]) == ("b", "WildFails")
        assert (error["exception_type"], error["current_inputs"]) == (
            "RuntimeError",
            {"value": [3.5]},
        )
        assert error["exception_message"].endswith("it went wrong\n")
        _, frames = await of(client, {"a": nodes["a"], "p": nodes["p"]})
        assert "a" not in started(frames)
        unable = {"b": node("WildCannotBegin", value=1), "o": out("b")}
        assert error_of((await watched(client, unable))[0])["exception_type"] == "ValueError"

    serve(scenario)


def test_the_third_form_in_every_way(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        def third(how: str, **more: Any) -> dict[str, Any]:
            return {
                "1": node("WildThird", value=4, how=how, **more),
                "o": node("WildThirdShow", value=link("1"), thing=link("1", 1)),
            }

        for how in ("value", "tuple", "expand"):
            entry, _ = await of(client, third(how))
            assert shown(entry, "o") == ["4", "'thing'", "False"]
        entry, _ = await of(client, third("none"))
        assert shown(entry, "o")[:2] == ["None", "None"]
        _, frames = await of(client, third("block"))
        (error,) = data_of(frames, "execution_error")
        assert "third says no" in error["exception_message"]
        _, frames = await of(client, third("quiet"))
        assert data_of(frames, "execution_error") == []
        entry, _ = await of(client, third("ui", tags={"__value__": ["a", "c"]}, either=2.5))
        assert entry["outputs"]["1"]["text"] == ["['a', 'c'] None 2.5"]
        entry, _ = await of(client, third("list"))
        assert shown(entry, "o")[:2] == ["'1'", "True"]
        error = error_of((await watched(client, third("lock")))[0])
        assert "Third.kept cannot be set" in error["exception_message"]
        for mix, ran in ((0, ["a"]), (1, ["b"]), (0.5, ["a", "b"])):
            nodes = {
                "a": node("WildNumber", value=11 + mix),
                "b": node("WildNumber", value=21 + mix),
                "m": node("WildThirdLazy", mix=mix, a=link("a"), b=link("b")),
                "o": out("m"),
            }
            _, frames = await of(client, nodes)
            assert sorted(each for each in started(frames) if each in "ab") == ran
        await client.post("/wild/reset", status=204)
        nodes = {"1": node("WildThirdChecks", value=7, text="x"), "o": out("1")}
        await of(client, nodes)
        await of(client, nodes)
        calls = await client.get("/wild/calls")
        assert (calls["third checks"], calls["third fingerprint"]) == (1, 2)
        nodes["1"]["inputs"]["value"] = 12
        assert (await refusals(client, nodes, "1"))[0][1] == "value - too large: 12 ['text']"

    serve(scenario)


@pytest.mark.parametrize("how", ["bar", "throw", "loop", "catch", "later"])
def test_whatever_a_node_does_an_interrupt_ends_it(serve: Serve, how: str) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        endless = {"1": node("WildInterruptible", how=how), "o": out("1")}
        if how == "later":
            endless["1"] = node("WildInterruptibleLater")
        prompt_id = await client.queue(endless)
        while True:
            frame = await socket.receive_json()
            if frame["type"] == "executing" and frame["data"]["node"] == "1":
                break
        await asyncio.sleep(0.05)
        await client.post("/interrupt")
        frames = await until_done(socket, prompt_id)
        await socket.close()
        (told,) = data_of(frames, "execution_interrupted")
        assert told["prompt_id"] == prompt_id
        entry, _ = await of(client, {"1": node("WildNoInputs"), "o": out("1")})
        assert shown(entry, "o") == ["42"]

    serve(scenario)


def test_an_endless_is_changed_is_ended_too(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/wild/reset", status=204)
        prompt_id = await client.queue({"1": node("WildEndlessIsChanged"), "o": out("1")})
        while "endless is_changed" not in await client.get("/wild/calls"):
            await asyncio.sleep(0.02)
        await client.post("/interrupt")
        entry = await client.ended(prompt_id)
        assert entry["status"]["messages"][-1][0] == "execution_interrupted"

    serve(scenario)


def test_core_classes_can_be_derived_from(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        PIL.Image.new("RGBA", (12, 10), (255, 0, 0, 128)).save(client.base / "input" / "x.png")
        nodes = {
            "i": node("WildLoader", image="x.png"),
            "o": out("i", 2),
            "v": node("WildPreview", images=link("i")),
        }
        workflow = {"extra_pnginfo": {"workflow": {"a": 1}}}
        entry, _ = await of(client, nodes, extra_data=workflow)
        assert shown(entry, "o") == ["'(1, 10, 12, 3) (1, 10, 12)'"]
        (file,) = entry["outputs"]["v"]["images"]
        assert file == {
            "filename": "ComfyUI_wild_temp_00001_.png",
            "subfolder": "",
            "type": "temp",
        }
        with PIL.Image.open(client.base / "temp" / file["filename"]) as picture:
            assert json.loads(picture.text["workflow"]) == {"a": 1}
            assert json.loads(picture.text["prompt"])["v"]["class_type"] == "WildPreview"
        PIL.Image.new("RGB", (14, 10)).save(client.base / "output" / "x.png")
        nodes["i"]["inputs"]["image"] = "x.png [output]"
        entry, _ = await of(client, nodes)
        assert shown(entry, "o")[0].startswith("'(1, 10, 14, 3)")
        nodes["i"]["inputs"]["image"] = "none.png"
        refused = await refusals(client, nodes, "i")
        assert refused == [("custom_validation_failed", "image - Invalid image file: none.png")]

    serve(scenario)


def test_a_class_derived_from_the_sampler_samples(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "file": node("CheckpointLoaderSimple", ckpt_name="graphengine-starter.safetensors"),
            "w": node("CLIPTextEncode", clip=link("file", 1), text="a red circle"),
            "e": node("EmptyLatentImage", width=64, height=64, batch_size=1),
            "s": node(
                "WildSampler",
                model=link("file"),
                seed=1,
                steps=2,
                cfg=4.0,
                note="hi",
                sampler_name="euler",
                scheduler="normal",
                positive=link("w"),
                negative=link("w"),
                latent_image=link("e"),
                denoise=1.0,
            ),
            "o": out("s", 1),
        }
        entry, _ = await of(client, nodes)
        assert shown(entry, "o") == ["2"]

    serve(scenario)


def test_a_plugin_sees_the_queue_and_adds_nodes_and_scripts_directly(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        entry, _ = await watched(client, {"1": node("ServiceDirect", text="hello")})
        assert shown(entry, "1") == ["hello"]
        seen = await client.get("/service/queue")
        assert list(seen["history"].values()) == [{"1": {"shown": ["hello"]}}]
        assert (seen["running"], seen["pending"], seen["left"]) == ([], [], 0)
        assert seen["folders"] == ["service_more"]
        assert "/extensions/service_more/hello.js" in await client.get("/extensions")
        assert await client.get("/extensions/service_more/hello.js") != b""
        said = (await client.get("/service/absent"))["said"]
        assert "no prompt_queue.put" in said
        assert (await client.response("DELETE", "/service/queue/none")).status == 200

    serve(scenario)


def test_plugins_find_each_other_below_custom_nodes(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        info = await client.get("/object_info/ServiceDirect")
        assert info["ServiceDirect"]["description"] == "OldMix NewValue"

    serve(scenario)


@pytest.mark.parametrize("disabled", [True, False])
def test_plugins_know_whether_files_may_tell_of_their_making(serve: Serve, disabled: bool) -> None:
    async def scenario(client: Client) -> None:
        entry, _ = await watched(client, {"1": node("ServiceSecret")})
        assert shown(entry, "1") == [str(disabled)]

    serve(scenario, disable_metadata=disabled)

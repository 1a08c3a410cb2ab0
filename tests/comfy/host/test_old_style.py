"""Plugins in ComfyUI's older form, through HTTP and WebSocket: one test for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfy.host.prompts import error_of, link, node, shown, started, watched
from tests.server.client import Client, data_of
from tests.server.conftest import Serve


def test_a_list_is_run_item_by_item_and_gathered_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldSpread", count=3),
            "2": node("OldAdd", a=10, b=link("1")),
            "3": node("OldShow", value=link("2")),
            "4": node("OldGather", items=link("2"), scale=3),
            "5": node("OldShow", value=link("4")),
            "6": node("OldShowEach", value=link("4", 0), other=link("1")),
            "7": node("OldShow", value=link("4", 1)),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "3") == ["10", "11", "12"]
        assert shown(entry, "5") == ["30", "33", "36"]
        assert shown(entry, "6") == ["30/0", "33/1", "36/2"]
        assert shown(entry, "7") == ["[10, 11, 12]*[3]"]

    serve(scenario)


def test_the_shorter_list_repeats_its_last_item(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldSpread", count=4),
            "2": node("OldSpread", count=2),
            "3": node("OldShowEach", value=link("1"), other=link("2")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "3") == ["0/0", "1/1", "2/1", "3/1"]

    serve(scenario)


@pytest.mark.parametrize(
    ("which", "ran", "asked"), [(0, ["2"], 2), (1, ["3"], 2), (2, ["2", "3"], 3)]
)
def test_only_what_a_node_asks_for_is_run(
    serve: Serve, which: int, ran: list[str], asked: int
) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "2": node("OldValue", value=5),
            "3": node("OldValue", value=7),
            "4": node("OldMix", first=link("2"), second=link("3"), which=which),
            "5": node("OldShow", value=link("4")),
        }
        entry, frames = await watched(client, prompt)
        assert shown(entry, "5") == [str(5 * ("2" in ran) + 7 * ("3" in ran))]
        assert [each for each in started(frames) if each in ("2", "3")] == ran
        calls = await client.get("/old_style/calls")
        assert (calls["asked"], calls["mixed"]) == (asked, 1)

    serve(scenario)


def test_lists_ask_for_lazy_inputs_once_for_all_items(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/old_style/forget")
        prompt = {
            "1": node("OldSpread", count=2),
            "2": node("OldValue", value=5),
            "3": node("OldValue", value=7),
            "4": node("OldMix", first=link("2"), second=link("3"), which=link("1")),
            "5": node("OldShow", value=link("4")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "5") == ["12", "12"]
        calls = await client.get("/old_style/calls")
        assert (calls["asked"], calls["mixed"]) == (4, 2)

    serve(scenario)


def test_a_quiet_block_skips_what_is_behind_and_the_prompt_succeeds(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldValue", value=5),
            "2": node("OldGate", value=link("1"), open=False, reason=""),
            "3": node("OldShow", value=link("2")),
            "4": node("OldShow", value=link("1")),
        }
        entry, frames = await watched(client, prompt)
        assert entry["status"]["status_str"] == "success"
        assert "3" not in entry["outputs"]
        assert shown(entry, "4") == ["5"]
        assert data_of(frames, "execution_error") == []
        assert "3" not in started(frames)

    serve(scenario)


def test_a_loud_block_is_told_once_and_the_prompt_succeeds(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "2": node("OldGate", value=5, open=False, reason="closed today"),
            "3": node("OldShow", value=link("2")),
            "4": node("OldShow", value=link("2")),
        }
        entry, frames = await watched(client, prompt)
        assert entry["status"]["status_str"] == "success"
        errors = data_of(frames, "execution_error")
        assert len(errors) == 1
        assert errors[0]["exception_type"] == "ExecutionBlocked"
        assert "closed today" in errors[0]["exception_message"]

    serve(scenario)


def test_a_block_among_items_takes_only_its_own_call(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldSpread", count=4),
            "2": node("OldGateOdd", value=link("1")),
            "3": node("OldShowEach", value=link("2")),
            "4": node("OldShow", value=link("2")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "3") == ["0/None", "2/None"]
        assert "4" not in entry["outputs"]

    serve(scenario)


def test_a_loop_grows_until_it_ends(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/old_style/forget")
        prompt = {
            "1": node("OldCountDown", total=0, left=4),
            "2": node("OldShow", value=link("1")),
        }
        entry, frames = await watched(client, prompt)
        assert shown(entry, "2") == ["10"]
        calls = await client.get("/old_style/calls")
        assert calls["count 1"] == 5
        assert [calls[f"step {left}"] for left in (4, 3, 2, 1)] == [1, 1, 1, 1]
        displays = {data["display_node"] for data in data_of(frames, "executing") if data["node"]}
        assert displays == {"1", "2"}
        inner = [node_id for node_id in started(frames) if node_id not in ("1", "2")]
        assert inner[0].startswith("1.0.0.")

        _, frames = await watched(client, prompt)
        assert started(frames) == []

    serve(scenario)


def test_grown_nodes_take_tensors_as_literals(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldExpander", how="tensor", value=1),
            "2": node("MaskToImage", mask=link("1")),
            "3": node("PreviewImage", images=link("2")),
        }
        entry, _ = await watched(client, prompt)
        assert entry["status"]["status_str"] == "success", error_of(entry)
        file = entry["outputs"]["3"]["images"][0]
        assert (await client.response("GET", "/view", params=file)).status == 200
        _, frames = await watched(client, prompt)
        assert started(frames) == []

    serve(scenario)


def test_items_may_grow_or_give_values(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldSpread", count=4),
            "2": node("OldExpander", how="mixed", value=link("1")),
            "3": node("OldShow", value=link("2")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "3") == ["grown 0", "plain 1", "grown 2", "plain 3"]

    serve(scenario)


def test_output_nodes_that_grow_are_run(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldExpander", how="sink", value=6),
            "2": node("OldShow", value=link("1")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "2") == ["6"]
        assert shown(entry, "1.0.0.show") == ["inner 6"]
        meta = entry["meta"]["1.0.0.show"]
        assert (meta["display_node"], meta["real_node_id"]) == ("1", "1")

    serve(scenario)


@pytest.mark.parametrize(
    ("how", "kind"), [("twice", "DuplicateNodeError"), ("circle", "graph.DependencyCycleError")]
)
def test_a_wrong_piece_of_graph_is_an_error_of_the_node_that_grew(
    serve: Serve, how: str, kind: str
) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldExpander", how=how, value=1),
            "2": node("OldShow", value=link("1")),
        }
        error = error_of((await watched(client, prompt))[0])
        assert error["node_id"] == "1"
        assert error["node_type"] == "OldExpander"
        assert error["exception_type"].endswith(kind)

    serve(scenario)


def test_async_nodes_overlap(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            **{f"s{index}": node("OldSleep", value=index, seconds=0.3) for index in range(3)},
            **{f"o{index}": node("OldShow", value=link(f"s{index}")) for index in range(3)},
        }
        entry, _ = await watched(client, prompt)
        spans = [shown(entry, f"o{index}")[0].strip("()").split(", ") for index in range(3)]
        assert max(float(began) for began, _ in spans) < min(float(end) for _, end in spans)

    serve(scenario)


def test_an_async_node_that_fails_ends_the_prompt(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldFailLater", value=1),
            "2": node("OldShow", value=link("1")),
            "3": node("OldSleep", value=1, seconds=20),
            "4": node("OldShow", value=link("3")),
        }
        error = error_of((await watched(client, prompt))[0])
        assert (error["node_id"], error["exception_type"]) == ("1", "ValueError")
        assert error["exception_message"].endswith("failed later\n")
        assert error["current_inputs"] == {"value": [1]}
        assert error["traceback"]

    serve(scenario)


@pytest.mark.parametrize(
    ("how", "runs"), [("same", 1), ("list", 1), ("async", 1), ("nan", 2), ("raise", 2)]
)
def test_is_changed_decides_whether_a_node_runs_again(serve: Serve, how: str, runs: int) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/old_style/forget")
        prompt = {"1": node("OldClock", how=how), "2": node("OldShow", value=link("1"))}
        await watched(client, prompt)
        await watched(client, prompt)
        calls = await client.get("/old_style/calls")
        assert (calls[f"clock {how}"], calls[f"is_changed {how}"]) == (runs, 2)

    serve(scenario)


def test_equal_nodes_share_their_result_unless_they_say_no(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.post("/old_style/forget")
        prompt = {
            "1": node("OldValue", value=1),
            "2": node("OldValue", value=1),
            "3": node("OldPerNode", value=1),
            "4": node("OldPerNode", value=1),
            **{f"o{index}": node("OldShow", value=link(f"{index}")) for index in range(1, 5)},
        }
        await watched(client, prompt)
        calls = await client.get("/old_style/calls")
        assert (calls["value"], calls["per node"]) == (1, 2)

    serve(scenario)


def test_a_second_run_takes_everything_from_the_cache_and_shows_it_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"1": node("OldValue", value=1), "2": node("OldShow", value=link("1"))}
        await watched(client, prompt)
        entry, frames = await watched(client, prompt)
        assert started(frames) == []
        assert "2" in data_of(frames, "execution_cached")[0]["nodes"]
        assert shown(entry, "2") == ["1"]

    serve(scenario)


async def refused(client: Client, prompt: Any, status: int = 400) -> Any:
    answer = await client.post("/prompt", {"prompt": prompt}, status)
    return {key: value["errors"] for key, value in answer["node_errors"].items()}


@pytest.mark.parametrize(
    ("number", "details"),
    [
        (13, ["number - 13 brings no luck", "choice - 13 brings no luck"]),
        (14, ["number", "choice"]),
    ],
)
def test_a_node_refuses_once_for_each_input_that_it_checks(
    serve: Serve, number: int, details: list[str]
) -> None:
    async def scenario(client: Client) -> None:
        errors = await refused(client, {"1": node("OldChecked", number=number, choice="a", free=1)})
        assert [reason["type"] for reason in errors["1"]] == ["custom_validation_failed"] * 2
        assert [reason["details"] for reason in errors["1"]] == details
        assert errors["1"][0]["message"] == "Custom validation failed for node"

    serve(scenario)


def test_the_engine_leaves_the_checks_that_a_node_makes_itself(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"1": node("OldChecked", number="99", choice="z", free=7.9)}
        entry, _ = await watched(client, prompt)
        assert shown(entry, "1") == ["99 z 7"]
        errors = await refused(client, {"1": node("OldChecked", number=1, choice="a", free=11)})
        assert errors["1"][0]["type"] == "value_bigger_than_max"
        assert errors["1"][0]["extra_info"]["input_config"] == ["INT", {"min": 0, "max": 10}]
        errors = await refused(client, {"1": node("OldChecked", number=15, choice="a", free=1)})
        assert errors["1"][0]["type"] == "exception_during_validation"
        assert errors["1"][0]["details"] == "cannot check 15"
        assert errors["1"][0]["extra_info"]["exception_type"] == "RuntimeError"
        entry, _ = await watched(client, {"1": node("OldCheckedLater", number=6)})
        assert shown(entry, "1") == ["6"]
        errors = await refused(client, {"1": node("OldCheckedLater", number=8)})
        assert errors["1"][0]["details"] == "number - too large"

    serve(scenario)


def test_a_node_may_check_the_types_of_its_links_itself(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldValue", value=5),
            "2": node("OldCheckedTypes", value=link("1")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "2") == ["5"]
        prompt["1"] = node("EmptyImage", width=16, height=16)
        errors = await refused(client, prompt)
        assert errors["2"][0]["details"] == "input_types - IMAGE is no number"

    serve(scenario)


def test_types_fit_as_they_say_themselves(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        def typed(**inputs: Any) -> dict[str, Any]:
            usual = {"plain": 1, "any": link("i"), "set": link("v"), "file": "none"}
            return {
                "i": node("EmptyImage", width=16, height=16),
                "v": node("OldValue", value=5),
                "t": node("OldTyped", **{**usual, **inputs}),
                "o": node("OldShow", value=link("t")),
            }

        entry, _ = await watched(client, typed())
        assert entry["status"]["status_str"] == "success"
        for wrong in ({"plain": link("v")}, {"set": link("i")}):
            errors = await refused(client, typed(**wrong))
            assert errors["t"][0]["type"] == "return_type_mismatch"
        choice = {
            "t": typed()["t"],
            **typed(),
            "c": node("OldTakesChoice", choice=link("t", 1)),
        }
        entry, _ = await watched(client, choice)
        assert shown(entry, "c") == ["a"]
        partly = {**typed(), "c": node("OldTakesChoice", choice=link("v"))}
        errors = await refused(client, partly, 200)
        details = "choice, received_type(INT) mismatch input_type(['a', 'b'])"
        assert errors["c"][0]["details"] == details

    serve(scenario)


def test_raw_links_hidden_inputs_and_undeclared_ones_arrive(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldValue", value=5),
            "2": node("OldLinks", raw=link("1"), more=link("1"), dropped=3),
        }
        entry, _ = await watched(
            client, prompt, extra_data={"extra_pnginfo": {"workflow": {"nodes": []}}}
        )
        assert shown(entry, "2") == [
            "['1', 0]",
            "OldLinks",
            "{'workflow': {'nodes': []}}",
            "[('more', 5)]",
        ]

    serve(scenario)


def test_a_nodes_object_lives_as_long_as_its_id(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for value, calls in ((1, "1"), (2, "2")):
            entry, _ = await watched(client, {"1": node("OldKept", value=value)})
            assert shown(entry, "1") == [calls]
        await watched(client, {"9": node("OldKept", value=3)})
        entry, _ = await watched(client, {"1": node("OldKept", value=4)})
        assert shown(entry, "1") == ["1"]

    serve(scenario)


def test_progress_and_messages_reach_the_client(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        entry, frames = await watched(client, {"7": node("OldProgress", steps=3)})
        assert shown(entry, "7") == ["7"]
        last = data_of(frames, "progress")[-1]
        assert (last["value"], last["max"], last["node"]) == (3, 3, "7")
        assert data_of(frames, "old_style") == [{"steps": 3}]

    serve(scenario)


def test_only_wanted_targets_run(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("OldValue", value=1),
            "2": node("OldShow", value=link("1")),
            "3": node("OldShow", value=2),
        }
        entry, frames = await watched(client, prompt, partial_execution_targets=["2"])
        assert sorted(started(frames)) == ["1", "2"]
        assert list(entry["outputs"]) == ["2"]

    serve(scenario)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("few", "must return a tuple (INT, INT), but returned 1"),
        ("none", "but returned NoneType"),
        ("text", "but returned str"),
        ("exit", "sys.exit, status 3"),
        ("raise", "missing thing"),
        ("base", "worse than an exception"),
        ("ui", "is not JSON"),
    ],
)
def test_what_a_node_does_wrong_fails_that_node_alone(serve: Serve, how: str, said: str) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"1": node("OldWrong", how=how), "2": node("OldShow", value=link("1"))}
        error = error_of((await watched(client, prompt))[0])
        assert error["node_id"] == "1"
        assert said in error["exception_message"]
        entry, _ = await watched(client, {"1": node("OldShow", value="still here")})
        assert shown(entry, "1") == ["still here"]

    serve(scenario)


def test_a_changed_input_is_noticed_and_no_result_is_kept(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("SolidMask", value=1.0, width=8, height=8),
            "2": node("OldWrong", how="mutate", image=link("1")),
            "3": node("OldShow", value=link("2")),
        }
        entry, _ = await watched(client, prompt)
        assert entry["status"]["status_str"] == "success"
        _, frames = await watched(client, prompt)
        assert sorted(started(frames)) == ["1", "2", "3"]

    serve(scenario)


def test_a_node_that_cannot_describe_itself_is_left_out(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        import sys

        module = next(m for n, m in sys.modules.items() if n.endswith("old_style.nodes"))
        module.Broken.broken = True
        info = await client.get("/object_info")
        assert "OldBroken" not in info
        assert "OldValue" in info
        errors = await refused(client, {"1": node("OldBroken", value=1)})
        assert errors["1"][0]["type"] == "exception_during_validation"
        module.Broken.broken = False

    serve(scenario)


def test_object_info_says_what_was_declared(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        info = (await client.get("/object_info/OldTyped"))["OldTyped"]
        assert info["input"]["required"]["plain"] == ["*", {}]
        assert info["input"]["required"]["file"][1] == {"image_upload": True}
        assert info["input_order"] == {"required": ["plain", "any", "set", "file"]}
        assert info["output"] == ["INT", ["a", "b"]]
        assert info["output_name"] == ["number", "choice"]
        assert info["output_tooltips"] == ["A number.", "A choice."]
        assert info["python_module"] == "custom_nodes.old_style"
        assert info["experimental"] is True
        assert "deprecated" not in info
        wrong = (await client.get("/object_info/OldWrong"))["OldWrong"]
        assert wrong["deprecated"] is True

    serve(scenario)


def test_scripts_examples_and_texts_of_a_pack_are_served(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        assert "/extensions/old_style/hello.js" in await client.get("/extensions")
        script = await client.response("GET", "/extensions/old_style/hello.js")
        assert "loaded" in await script.text()
        assert script.content_type in ("text/javascript", "application/javascript")
        outside = await client.response("GET", "/extensions/old_style/..%2fnodes.py")
        assert outside.status == 404
        assert (await client.get("/workflow_templates"))["old_style"] == ["first"]
        example = await client.get("/api/workflow_templates/old_style/first.json")
        assert example["version"] == 0.4
        assert (await client.get("/i18n"))["ja"]["greeting"] == "こんにちは"
        assert await client.get("/api/old_style/calls") == await client.get("/old_style/calls")

    serve(scenario)

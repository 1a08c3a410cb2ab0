"""Prompts, queue and history: shapes, orders and errors that ComfyUI's clients expect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.client import Client, until_done
from tests.server.conftest import Serve

SHOW = {"1": {"class_type": "Show", "inputs": {"value": "hello"}}}


def waiting(seconds: float = 5.0) -> dict[str, Any]:
    """A prompt that runs until it is interrupted."""
    steps = {"count": int(seconds / 0.01), "seconds": 0.01}
    return {
        "1": {"class_type": "Steps", "inputs": steps},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }


def linked(**inputs: Any) -> dict[str, Any]:
    """An addition with some inputs, and what shows it."""
    return {
        "1": {"class_type": "Number", "inputs": {"value": 2}},
        "2": {"class_type": "Add", "inputs": {"a": ["1", 0], **inputs}},
        "3": {"class_type": "Show", "inputs": {"value": ["2", 0]}},
    }


def test_a_prompt_is_run_and_is_in_the_history(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post("/prompt", {"prompt": linked(), "client_id": "me"})
        assert answer["number"] == 0
        assert answer["node_errors"] == {}
        entry = await client.ended(answer["prompt_id"])

        number, prompt_id, prompt, extra, outputs = entry["prompt"]
        assert (number, prompt_id, extra, outputs) == (
            0,
            answer["prompt_id"],
            {"client_id": "me"},
            ["3"],
        )
        assert prompt["2"]["inputs"] == {"a": ["1", 0], "b": 1}
        assert entry["outputs"] == {"3": {"text": ["3"]}}
        assert entry["status"]["status_str"] == "success"
        assert entry["status"]["completed"] is True
        assert [name for name, _ in entry["status"]["messages"]] == [
            "execution_start",
            "execution_cached",
            "execution_success",
        ]
        meta = {"node_id": "3", "display_node": "3", "parent_node": None, "real_node_id": "3"}
        assert entry["meta"] == {"3": meta}

    serve(scenario)


def test_the_routes_exist_below_api_too(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post("/api/prompt", {"prompt": SHOW})
        await client.ended(answer["prompt_id"])

        assert list(await client.get("/api/history")) == [answer["prompt_id"]]
        assert await client.get("/api/prompt") == {"exec_info": {"queue_remaining": 0}}

    serve(scenario)


def test_a_body_is_json_whatever_its_content_type_says(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        body = b'{"prompt": {"1": {"class_type": "Show", "inputs": {"value": 1}}}}'
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.response("POST", "/prompt", data=body, headers=headers)

        assert answer.status == 200

    serve(scenario)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "json_cut_off"),
        (b"", "no_prompt"),
        (b"[]", "body_not_object"),
        (b"{}", "no_prompt"),
        (b"\xff\xfe\xff", "json_not_text"),
        (b'{"prompt": []}', "invalid_prompt"),
        (b'{"prompt": {"1": 5}}', "invalid_prompt"),
        (b'{"prompt": {"1": {}}}', "invalid_prompt"),
        (b'{"prompt": {"1": {"class_type": "NoSuch", "inputs": {}}}}', "invalid_prompt"),
        (b'{"prompt": {"1": {"class_type": "FluxGuidance", "inputs": {}}}}', "invalid_prompt"),
        (b'{"prompt": {}}', "prompt_no_outputs"),
        (b'{"prompt": {"1": {"class_type": "Number", "inputs": {}}}}', "prompt_no_outputs"),
        (b'{"prompt": {}, "number": "x"}', "bad_field"),
        (b'{"prompt": {}, "number": NaN}', "bad_field"),
        (b'{"prompt": {}, "partial_execution_targets": 3}', "bad_field"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so(serve: Serve, body: bytes, kind: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("POST", "/prompt", data=body)
        shape = await answer.json()

        assert answer.status == 400
        assert shape["error"]["type"] == kind
        assert set(shape) == {"error", "node_errors"}
        assert set(shape["error"]) == {"type", "message", "details", "extra_info"}
        assert shape["error"]["message"]
        extra = shape["error"]["extra_info"]
        assert set(extra.get("text") or extra["message"]) == {"en", "ja"}

    serve(scenario)


def test_an_unknown_class_is_named_at_its_node(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"7": {"class_type": "Shwo", "inputs": {}}}
        answer = await client.post("/prompt", {"prompt": prompt}, status=400)

        message = "Cannot execute because node Shwo does not exist."
        assert answer["error"]["message"] == message
        assert answer["error"]["details"] == "Node ID '#7'"
        assert "Show" in answer["node_errors"]["7"]["errors"][0]["details"]

    serve(scenario)


WIDGETS = {"class_type": "Widgets"}
TEXT = {"text": "x", "checkpoint": "none"}


@pytest.mark.parametrize(
    ("prompt", "node", "reason"),
    [
        (
            {"1": {**WIDGETS, "inputs": {"method": "euler"}}},
            "1",
            ("required_input_missing", "Required input is missing", "text"),
        ),
        (
            {"1": {**WIDGETS, "inputs": {**TEXT, "strength": 2}}},
            "1",
            ("value_bigger_than_max", "Value 2 bigger than max of 1", "strength"),
        ),
        (
            {"1": {**WIDGETS, "inputs": {**TEXT, "strength": -1}}},
            "1",
            ("value_smaller_than_min", "Value -1 smaller than min of 0", "strength"),
        ),
        (
            {"1": {**WIDGETS, "inputs": {**TEXT, "method": "x"}}},
            "1",
            ("value_not_in_list", "Value not in list", "method: 'x' not in ['euler', 'heun']"),
        ),
        (
            linked(b=["1", 7]),
            "2",
            ("bad_linked_input", "Bad linked input, there is no such output", None),
        ),
        (
            linked(b=["9", 0]),
            "2",
            ("bad_linked_input", "Bad linked input, there is no such node", None),
        ),
        (
            linked(b=[1, 2, 3]),
            "2",
            (
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                "b",
            ),
        ),
        (
            linked(b="many"),
            "2",
            ("invalid_input_type", "Failed to convert an input value to a INT value", None),
        ),
        (
            {
                "1": {"class_type": "Number", "inputs": {}},
                "2": {**WIDGETS, "inputs": {"text": ["1", 0]}},
            },
            "2",
            (
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                "text, received_type(INT) mismatch input_type(STRING)",
            ),
        ),
        (
            {
                "1": {"class_type": "Add", "inputs": {"a": ["2", 0]}},
                "2": {"class_type": "Add", "inputs": {"a": ["1", 0]}},
                "3": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
            },
            "1",
            ("dependency_cycle", "Dependency cycle detected", None),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_wrong_with_a_node_is_said_in_comfyuis_words(
    serve: Serve, prompt: Any, node: str, reason: tuple[str, str, str | None]
) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post("/prompt", {"prompt": prompt}, status=400)
        kind, message, details = reason

        assert answer["error"]["type"] == "prompt_outputs_failed_validation"
        found = answer["node_errors"][node]
        assert found["class_type"] == prompt[node]["class_type"]
        first = found["errors"][0]
        assert (first["type"], first["message"]) == (kind, message)
        assert details is None or first["details"] == details
        assert first["extra_info"]["text"]["ja"]

    serve(scenario)


def test_reasons_carry_what_was_received_and_expected(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"1": {**WIDGETS, "inputs": {**TEXT, "strength": 2}}}
        answer = await client.post("/prompt", {"prompt": prompt}, status=400)

        extra = answer["node_errors"]["1"]["errors"][0]["extra_info"]
        assert extra["input_name"] == "strength"
        assert extra["received_value"] == 2
        assert extra["input_config"][0] == "FLOAT"
        assert extra["input_config"][1]["max"] == 1
        assert answer["node_errors"]["1"]["dependent_outputs"] == ["1"]

    serve(scenario)


def test_good_outputs_of_a_partly_bad_prompt_are_run(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            **SHOW,
            "4": {"class_type": "Add", "inputs": {}},
            "5": {"class_type": "Show", "inputs": {"value": ["4", 0]}},
        }
        answer = await client.post("/prompt", {"prompt": prompt})

        assert answer["node_errors"]["4"]["dependent_outputs"] == ["5"]
        entry = await client.ended(answer["prompt_id"])
        assert entry["outputs"] == {"1": {"text": ["hello"]}}
        assert entry["prompt"][4] == ["1"]

    serve(scenario)


def test_targets_choose_among_the_outputs(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {**SHOW, "2": {"class_type": "Show", "inputs": {"value": "other"}}}
        entry = await client.run(prompt, partial_execution_targets=["2"])
        assert entry["outputs"] == {"2": {"text": ["other"]}}

        body = {"prompt": prompt, "partial_execution_targets": ["9"]}
        answer = await client.post("/prompt", body, status=400)
        assert answer["error"]["type"] == "prompt_no_outputs"

    serve(scenario)


def test_the_queue_shows_what_runs_and_waits_and_drops_what_is_deleted(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        running = await client.queue(waiting())
        waits = [await client.queue(SHOW) for _ in range(3)]
        front = await client.post("/prompt", {"prompt": SHOW, "front": True})
        assert front["number"] == -4
        given = await client.post("/prompt", {"prompt": SHOW, "number": 1.5})
        assert given["number"] == 1.5

        queue = await client.get("/queue")
        assert [item[1] for item in queue["queue_running"]] == [running]
        assert [item[1] for item in queue["queue_pending"]] == [
            front["prompt_id"],
            waits[0],
            given["prompt_id"],
            *waits[1:],
        ]
        assert await client.get("/prompt") == {"exec_info": {"queue_remaining": 6}}

        await client.post("/queue", {"delete": [waits[0], running, "unknown"]})
        await client.post("/queue", {"clear": True})
        assert (await client.get("/queue"))["queue_pending"] == []
        await client.post("/interrupt")
        entry = await client.ended(running)
        assert entry["status"]["status_str"] == "error"
        assert entry["status"]["completed"] is False
        assert entry["status"]["messages"][-1][0] == "execution_interrupted"

    serve(scenario)


def test_interrupting_another_job_than_the_running_one_does_nothing(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        running = await client.queue(waiting(0.3))
        await client.post("/interrupt", {"prompt_id": "other"})

        assert (await client.ended(running))["status"]["status_str"] == "success"

    serve(scenario)


def test_history_is_oldest_first_and_read_in_parts(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        ids = []
        for value in range(4):
            prompt = {"1": {"class_type": "Show", "inputs": {"value": value}}}
            ids.append(await client.queue(prompt, prompt_id=f"job-{value}"))
            await client.ended(ids[-1])

        assert list(await client.get("/history")) == ids
        assert list(await client.get("/history?max_items=2")) == ids[2:]
        assert list(await client.get("/history?max_items=2&offset=1")) == ids[1:3]
        assert await client.get("/history/unknown") == {}
        assert (await client.get("/history?max_items=x", status=400))["error"][
            "type"
        ] == "bad_field"

        await client.post("/history", {"delete": [ids[0]]})
        assert list(await client.get("/history")) == ids[1:]
        await client.post("/history", {"clear": True})
        assert await client.get("/history") == {}

    serve(scenario)


def test_the_same_idempotency_key_queues_one_job(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Idempotency-Key": "once"}
        first = await client.post("/prompt", {"prompt": SHOW}, headers=headers)
        second = await client.post("/prompt", {"prompt": SHOW}, headers=headers)

        assert first == second
        await client.ended(first["prompt_id"])
        assert len(await client.get("/history")) == 1

    serve(scenario)


def test_the_same_prompt_under_the_id_of_a_job_that_runs_is_that_job(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        first = await client.post("/prompt", {"prompt": waiting(), "prompt_id": "mine"})
        again = await client.post("/prompt", {"prompt": waiting(), "prompt_id": "mine"})
        queue = await client.get("/queue")

        assert again == first
        assert len(queue["queue_running"] + queue["queue_pending"]) == 1
        await client.post("/interrupt")

    serve(scenario)


def test_another_prompt_under_the_id_of_a_job_that_runs_is_refused(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.queue(waiting(), prompt_id="mine")
        answer = await client.post("/prompt", {"prompt": SHOW, "prompt_id": "mine"}, status=409)

        assert answer["error"]["type"] == "prompt_id_taken"
        await client.post("/interrupt")

    serve(scenario)


def test_the_id_of_a_job_that_has_ended_may_be_used_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run(SHOW, prompt_id="mine")
        socket = await client.socket()
        await client.queue(linked(), prompt_id="mine")
        await until_done(socket, "mine")

        assert list(await client.get("/history")) == ["mine"]
        assert (await client.get("/history/mine"))["mine"]["outputs"] == {"3": {"text": ["3"]}}

    serve(scenario)


def test_numbers_that_the_server_draws_are_whole_numbers_everywhere(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async def told(path: str) -> str:
            answer = await client.response("GET", path)
            return await answer.text()

        await client.run(SHOW, prompt_id="a")
        assert '{"a":{"prompt":[0,"a",' in await told("/history")
        given = {"prompt": waiting(), "prompt_id": "b", "number": 42}
        answer = await client.response("POST", "/prompt", json=given)
        assert '"number":42.0,' in await answer.text()
        await client.queue(SHOW, prompt_id="c")
        assert '"queue_pending":[[1,"c",' in await told("/queue")
        await client.post("/queue", {"clear": True})
        await client.post("/interrupt")

    serve(scenario)


def test_the_history_tells_at_which_node_a_job_was_interrupted(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt_id = await client.queue(waiting())
        while (await socket.receive_json())["type"] != "progress":
            pass
        await client.post("/interrupt")
        entry = await client.ended(prompt_id)

        kind, data = entry["status"]["messages"][-1]
        assert (kind, data["node_id"], data["node_type"]) == ("execution_interrupted", "1", "Steps")

    serve(scenario)


def test_reasons_hold_what_comfyuis_hold(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async def reason(prompt: dict[str, Any], node: str) -> Any:
            answer = await client.post("/prompt", {"prompt": prompt}, status=400)
            return answer["node_errors"][node]["errors"][0]["extra_info"]

        wrong = await reason({"1": {**WIDGETS, "inputs": {**TEXT, "strength": "x"}}}, "1")
        assert wrong["input_config"][0] == "FLOAT"
        assert (wrong["received_value"], bool(wrong["exception_message"])) == ("x", True)
        short = await reason(linked(b=["1"]), "2")
        assert (short["input_config"][0], short["received_value"]) == ("INT", ["1"])

    serve(scenario)


def test_a_failure_is_in_the_history_with_its_node(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": {"class_type": "Fail", "inputs": {"value": 3}},
            "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
        }
        entry = await client.run(prompt)

        kind, data = entry["status"]["messages"][-1]
        assert kind == "execution_error"
        assert (data["node_id"], data["node_type"]) == ("1", "Fail")
        assert data["exception_type"] == "graphengine.errors.InputError"
        assert data["exception_message"].endswith("\n")
        assert data["current_inputs"] == {"value": ["INT 3"]} or "value" in data["current_inputs"]

    serve(scenario)


def test_a_seed_of_minus_one_is_drawn_and_recorded(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "models" / "checkpoints").mkdir()
        (client.base / "models" / "checkpoints" / "none").touch()
        prompt = {"1": {**WIDGETS, "inputs": {"text": "x", "seed": -1}}}
        drawn = [(await client.run(prompt))["prompt"][2]["1"]["inputs"]["seed"] for _ in range(2)]

        assert drawn[0] != drawn[1]
        assert all(0 <= seed < 2**64 for seed in drawn)

    serve(scenario)


def test_a_restart_loses_nothing(serve: Serve) -> None:
    async def before(client: Client) -> None:
        await client.ended(await client.queue(SHOW, prompt_id="a"))
        await client.queue(waiting(60), prompt_id="b")
        for name in "cd":
            await client.queue(SHOW, prompt_id=name)
        while not (await client.get("/queue"))["queue_running"]:
            await asyncio.sleep(0.01)

    async def after(client: Client) -> None:
        queue = await client.get("/queue")
        assert [item[1] for item in queue["queue_running"] + queue["queue_pending"]] == [
            "b",
            "c",
            "d",
        ]
        assert list(await client.get("/history")) == ["a"]
        await client.post("/interrupt")
        await client.ended("d")
        assert list(await client.get("/history")) == ["a", "b", "c", "d"]

    serve(before)
    serve(after)


def test_numbers_go_on_after_a_restart_so_that_the_history_can_be_sorted_by_them(
    serve: Serve,
) -> None:
    async def scenario(client: Client) -> None:
        await client.run(SHOW)
        await client.run(linked())
        await client.run(SHOW, number=1e300)

    serve(scenario)
    serve(scenario)

    async def numbers(client: Client) -> list[float]:
        return [entry["prompt"][0] for entry in (await client.get("/history")).values()]

    assert serve(numbers) == [0, 1, 1e300, 2, 3, 1e300]


def test_free_lets_results_go(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run(SHOW)
        await client.post("/free", {"free_memory": True, "unload_models": True})
        entry = await client.run(SHOW)

        assert entry["status"]["messages"][1][1]["nodes"] == []

    serve(scenario)

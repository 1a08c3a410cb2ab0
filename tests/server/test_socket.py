"""The WebSocket: which messages, in which order, to whom."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
from typing import Any

import PIL.Image
import pytest
from aiohttp import WSMsgType

from tests.server.client import Client, data_of, kinds, until_done
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW, linked, waiting


def steps(count: int, **inputs: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": "Steps", "inputs": {"count": count, **inputs}},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }


def test_the_first_message_tells_the_queue_and_the_clients_id(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        named = await client.socket("me")
        data = {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"}
        assert await named.receive_json() == {"type": "status", "data": data}
        unnamed = await client.http.ws_connect("/ws")
        assert len((await unnamed.receive_json())["data"]["sid"]) == 32

    serve(scenario)


def test_a_run_is_told_in_order(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt_id = await client.queue(linked())
        frames = await until_done(socket, prompt_id)

        told = [kind for kind in kinds(frames) if kind not in ("status", "progress_state")]
        assert told == [
            "execution_start",
            "execution_cached",
            "executing",
            "executing",
            "executing",
            "executed",
            "execution_success",
            "executing",
        ]
        assert [data["node"] for data in data_of(frames, "executing")] == ["1", "2", "3", None]
        assert data_of(frames, "executing")[0] == {
            "node": "1",
            "display_node": "1",
            "prompt_id": prompt_id,
        }
        assert data_of(frames, "executed") == [
            {
                "node": "3",
                "display_node": "3",
                "output": {"text": ["3"]},
                "prompt_id": prompt_id,
            }
        ]
        assert set(data_of(frames, "execution_success")[0]) == {"prompt_id", "timestamp"}
        queue = [
            data["status"]["exec_info"]["queue_remaining"] for data in data_of(frames, "status")
        ]
        assert queue[-1] == 0
        states = {}
        for data in data_of(frames, "progress_state"):
            assert data["prompt_id"] == prompt_id
            states |= data["nodes"]
        assert {node_id: state["state"] for node_id, state in states.items()} == {
            "1": "finished",
            "2": "finished",
            "3": "finished",
        }

    serve(scenario)


def test_a_cached_node_in_the_middle_is_not_told_as_executed(serve: Serve) -> None:
    """Clients take the first ``executed`` for the picture."""

    async def scenario(client: Client) -> None:
        await client.run(linked())
        more = {**linked(), "4": {"class_type": "Add", "inputs": {"a": ["2", 0], "b": 5}}}
        more["3"] = {"class_type": "Show", "inputs": {"value": ["4", 0]}}
        socket = await client.socket()
        frames = await until_done(socket, await client.queue(more))

        assert set(data_of(frames, "execution_cached")[0]["nodes"]) == {"1", "2"}
        assert [data["node"] for data in data_of(frames, "executed")] == ["3"]

    serve(scenario)


def test_what_is_cached_is_told_and_shown_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run(linked())
        socket = await client.socket()
        frames = await until_done(socket, await client.queue(linked()))

        assert data_of(frames, "execution_cached")[0]["nodes"] == ["3", "1", "2"]
        told = data_of(frames, "executed")
        assert [(data["node"], data["output"]) for data in told] == [("3", {"text": ["3"]})]
        assert [data["node"] for data in data_of(frames, "executing")] == [None]

    serve(scenario)


def test_progress_ends_at_the_last_step_and_is_not_told_more_often_than_needed(
    serve: Serve,
) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt_id = await client.queue(steps(2000))
        frames = await until_done(socket, prompt_id)

        told = data_of(frames, "progress")
        assert told[-1] == {"value": 2000, "max": 2000, "prompt_id": prompt_id, "node": "1"}
        assert [data["value"] for data in told] == sorted(data["value"] for data in told)
        assert len(told) < 1000

    serve(scenario)


def test_previews_come_with_metadata_to_those_who_know_it(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        knows, other = await client.socket("knows"), await client.socket("other")
        flags = {"supports_preview_metadata": True}
        await knows.send_json({"type": "feature_flags", "data": flags})
        while (frame := await knows.receive_json())["type"] != "feature_flags":
            pass
        assert frame["data"] == {"supports_preview_metadata": True, "max_upload_size": 104857600}

        inputs = {"picture": True, "seconds": 0.05}
        for socket, name, event in ((knows, "knows", 4), (other, "other", 1)):
            count = 4 + event  # so that the second run is not taken from the cache
            prompt_id = await client.queue(steps(count, **inputs), client_id=name)
            frames = await until_done(socket, prompt_id)
            pictures = [frame for frame in frames if isinstance(frame, bytes)]
            assert 1 <= len(pictures) <= count
            assert {struct.unpack(">I", frame[:4])[0] for frame in pictures} == {event}
            if event == 1:
                assert pictures[0][4:10] == b"\0\0\0\1\xff\xd8"
                continue
            length = struct.unpack(">I", pictures[0][4:8])[0]
            metadata = json.loads(pictures[0][8 : 8 + length])
            assert (metadata["node_id"], metadata["prompt_id"]) == ("1", prompt_id)
            assert metadata["image_type"] == "image/jpeg"
            assert pictures[0][8 + length :].startswith(b"\xff\xd8")

    serve(scenario, preview_method="auto")


def test_previews_go_only_to_those_who_know_them_unless_a_method_is_named(serve: Serve) -> None:
    """Older clients take every picture on the socket for a result."""

    async def scenario(client: Client) -> None:
        knows, other = await client.socket("knows"), await client.socket("other")
        flags = {"supports_preview_metadata": True}
        await knows.send_json({"type": "feature_flags", "data": flags})
        seen = {}
        for count, (name, socket) in enumerate((("knows", knows), ("other", other)), start=3):
            prompt = steps(count, picture=True, seconds=0.05)
            frames = await until_done(socket, await client.queue(prompt, client_id=name))
            seen[name] = any(isinstance(frame, bytes) for frame in frames)
        assert seen == {"knows": True, "other": False}

    serve(scenario)


def test_who_comes_back_and_knows_previews_sees_the_last_one_at_once(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        socket = await client.socket("me")
        await socket.send_json(flags)
        prompt = steps(2, picture=True, seconds=3)
        await client.queue(prompt, client_id="me")
        while (await socket.receive(timeout=10)).type is not WSMsgType.BINARY:
            pass
        await socket.close()
        again = await client.socket("me")
        await again.send_json(flags)
        while (await again.receive(timeout=10)).type is not WSMsgType.BINARY:
            pass
        await client.post("/interrupt", {})

    serve(scenario)


def test_pictures_that_are_sent_over_the_socket_come_whole_and_all_of_them(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        paper = {"width": 700, "height": 8, "batch_size": 5, "color": 0x102030}
        prompt = {
            "1": {"class_type": "EmptyImage", "inputs": paper},
            "ws": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}},
        }
        knows, other = await client.socket("knows"), await client.socket("other")
        flags = {"supports_preview_metadata": True}
        await knows.send_json({"type": "feature_flags", "data": flags})
        for socket, name in ((knows, "knows"), (other, "other"), (other, "other")):
            frames = await until_done(socket, await client.queue(prompt, client_id=name))
            begun = frames.index(
                next(f for f in frames if isinstance(f, dict) and f["data"].get("node") == "ws")
            )
            sent = [frame for frame in frames[begun:] if isinstance(frame, bytes)]
            assert len(sent) == 5
            for frame in sent:
                event, second = struct.unpack(">II", frame[:8])
                if name == "knows":
                    assert event == 4
                    assert json.loads(frame[8 : 8 + second])["image_type"] == "image/png"
                    content = frame[8 + second :]
                else:
                    assert (event, second) == (1, 2)
                    content = frame[8:]
                picture = PIL.Image.open(io.BytesIO(content))
                assert (picture.format, picture.size) == ("PNG", (700, 8))
                assert picture.getpixel((0, 0)) == (0x10, 0x20, 0x30)
        assert not list((client.base / "output").iterdir())

    serve(scenario)


def test_a_client_that_answers_no_pings_is_pinged_and_stays(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphengine.server.socket.HEARTBEAT_S", 0.05)

    async def scenario(client: Client) -> None:
        socket = await client.socket("me", autoping=False)
        await socket.receive_json()
        pings = [await socket.receive(timeout=5) for _ in range(5)]
        assert {message.type for message in pings} == {WSMsgType.PING}

        prompt_id = await client.queue(SHOW)
        kinds_told = []
        while "execution_success" not in kinds_told:
            message = await socket.receive(timeout=5)
            if message.type is WSMsgType.TEXT:
                kinds_told.append(json.loads(message.data)["type"])
        assert prompt_id in await client.get("/history")

    serve(scenario)


def test_strangers_hear_of_the_queue_only(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        stranger = await client.socket("stranger")
        await client.run(linked(), client_id="somebody")
        await client.run(linked(b=7), client_id=None)
        await until_done(stranger, await client.queue(SHOW, client_id="stranger"))
        await client.run(linked(b=8), client_id="somebody")

        heard = []
        while True:
            try:
                heard.append(await stranger.receive_json(timeout=0.3))
            except TimeoutError:
                break
        assert {frame["type"] for frame in heard} <= {"status"}

    serve(scenario)


def test_who_asks_for_all_jobs_sees_those_of_others_too(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        viewer = await client.socket("viewer")
        flags = {"supports_preview_metadata": True, "all_jobs": True}
        await viewer.send_json({"type": "feature_flags", "data": flags})
        while (await viewer.receive_json())["type"] != "feature_flags":
            pass
        prompt_id = await client.queue(steps(3, picture=True, seconds=0.05), client_id=None)
        frames = await until_done(viewer, prompt_id)
        texts = [frame for frame in frames if not isinstance(frame, bytes)]
        assert {"execution_start", "executing", "execution_success"} <= set(kinds(texts))
        assert any(isinstance(frame, bytes) for frame in frames)

    serve(scenario)


def test_the_pictures_of_steps_are_kept_with_the_job_until_it_is_forgotten(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket("me")
        prompt_id = await client.queue(steps(4, picture=True, seconds=0.12))
        await until_done(socket, prompt_id)
        strip = (await client.get(f"/api/v1/jobs/{prompt_id}/filmstrip"))["steps"]
        assert [step["step"] for step in strip] == [1, 2, 3, 4]
        assert {step["node_id"] for step in strip} == {"1"}
        head, picture = strip[0]["picture"].split(",")
        assert head == "data:image/jpeg;base64"
        assert base64.b64decode(picture)[:2] == b"\xff\xd8"

        kept = client.base / "user" / "filmstrips"
        assert len(list(kept.iterdir())) == 1
        await client.delete(f"/api/v1/jobs/{prompt_id}", 204)
        assert list(kept.iterdir()) == []
        await client.get(f"/api/v1/jobs/{prompt_id}/filmstrip", 404)

    serve(scenario, preview_method="auto")


def test_a_job_without_pictures_shows_none_of_an_earlier_job_of_its_id(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket("me")
        for prompt in (steps(2, picture=True, seconds=0.12), steps(2)):
            await client.queue(prompt, prompt_id="mine")
            await until_done(socket, "mine")
            strip = (await client.get("/api/v1/jobs/mine/filmstrip"))["steps"]
        assert strip == []

    serve(scenario, preview_method="auto")


def test_a_client_that_comes_back_gets_the_state_at_once(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        first = await client.socket()
        prompt_id = await client.queue(waiting())
        while (await first.receive_json())["type"] != "progress":
            pass
        await first.close()

        again = await client.socket()
        status = await again.receive_json()
        assert status["data"]["status"]["exec_info"]["queue_remaining"] == 1
        frames = [await again.receive_json() for _ in range(2)]
        assert data_of(frames, "executing")[0]["node"] == "1"
        states = data_of(frames, "progress_state")
        if not states:
            states = [(await again.receive_json())["data"]]
        assert states[0].get("nodes", {"1": {}})["1"] is not None
        await client.post("/interrupt", {"prompt_id": prompt_id})
        frames = await until_done(again, prompt_id)
        interrupted = data_of(frames, "execution_interrupted")[0]
        assert (interrupted["node_id"], interrupted["node_type"]) == ("1", "Steps")

    serve(scenario)


def test_an_error_is_told_once_and_then_that_it_is_over(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt = {
            "1": {"class_type": "Number", "inputs": {"value": 3}},
            "2": {"class_type": "Fail", "inputs": {"value": ["1", 0]}},
            "3": {"class_type": "Show", "inputs": {"value": ["2", 0]}},
        }
        frames = await until_done(socket, await client.queue(prompt))

        errors = data_of(frames, "execution_error")
        assert len(errors) == 1
        assert (errors[0]["node_id"], errors[0]["executed"]) == ("2", ["1"])
        assert errors[0]["traceback"]
        assert "execution_success" not in kinds(frames)

    serve(scenario)


def test_a_blocked_branch_says_why_and_the_run_goes_on(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt = {
            "1": {"class_type": "Maybe", "inputs": {"value": 3, "open": False, "reason": "shut"}},
            "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
            **{"3": SHOW["1"]},
        }
        frames = await until_done(socket, await client.queue(prompt))

        error = data_of(frames, "execution_error")[0]
        assert error["exception_type"] == "ExecutionBlocked"
        assert error["exception_message"] == "Execution Blocked: shut\n"
        assert "execution_success" in kinds(frames)

    serve(scenario)


def test_what_grew_is_shown_at_the_node_it_grew_out_of(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt = {
            "1": {"class_type": "Grow", "inputs": {"value": 3}},
            "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
        }
        frames = await until_done(socket, await client.queue(prompt))

        grown = [data for data in data_of(frames, "executed") if data["node"] not in ("1", "2")]
        assert [(data["display_node"], data["output"]) for data in grown] == [
            ("1", {"text": ["grown 3"]})
        ]

    serve(scenario)


def test_frames_that_mean_nothing_are_ignored(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        for text in ("", "nonsense", "[]", '{"type": "feature_flags", "data": 3}', "[" * 5000):
            await socket.send_str(text)
        await socket.send_bytes(b"\0\1")

        frames = await until_done(socket, await client.queue(SHOW))
        assert "feature_flags" not in kinds(frames)

    serve(scenario)


def test_a_client_that_does_not_read_keeps_nobody_waiting(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        deaf = [await client.socket(f"deaf-{index}") for index in range(20)]
        socket = await client.socket()
        for index in range(10):
            prompt_id = await client.queue(linked(b=index))
            frames = await asyncio.wait_for(until_done(socket, prompt_id), 10)
            assert "execution_success" in kinds(frames)
        assert len(deaf) == 20

    serve(scenario)


def test_no_preview_comes_after_the_next_node_has_begun(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        prompt_id = await client.queue(steps(3, seconds=0.04, picture=True))
        frames = await until_done(socket, prompt_id)

        next_begins = frames.index(
            next(f for f in frames if isinstance(f, dict) and f["data"].get("node") == "2")
        )
        previews = [place for place, frame in enumerate(frames) if isinstance(frame, bytes)]
        assert previews
        assert max(previews) < next_begins

    serve(scenario, preview_method="auto")

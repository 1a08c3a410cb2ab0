"""What is odd, huge or broken: each is refused or fails with a word, and the server goes on."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import sqlite3
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from graphengine.job import JobResult, NewJob
from graphengine.jobs import Jobs
from graphengine.server import answers, view
from graphengine.store import Store
from graphengine.worker import JobEnded, Worker
from tests.server.client import Client
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW, linked, waiting
from tests.server.test_view import png
from tests.toy_engine import Toy


def shown(value: str) -> bytes:
    """A request with a value as it is written."""
    return b'{"prompt": {"1": {"class_type": "Show", "inputs": {"value": %s}}}}' % value.encode()


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def test_answers_are_json_also_where_a_prompt_holds_numbers_that_json_has_not(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {"1": {**SHOW["1"], "is_changed": [float("nan")]}}
        body = {"prompt": prompt, "extra_data": {"x": float("-inf")}, "client_id": "me"}
        socket = await client.socket()
        job = await client.post("/prompt", body)
        await client.ended(job["prompt_id"])
        text = await (await client.response("GET", "/history")).text()
        entry = json.loads(text, parse_constant=refuse_constant)[job["prompt_id"]]

        assert entry["prompt"][3]["x"] is None
        assert (await socket.receive_json())["type"] == "status"

    serve(scenario)


@pytest.mark.parametrize("depth", [150, 400, 900])
@pytest.mark.parametrize("path", ["/prompt", "/api/v1/jobs", "/api/v1/validate"])
def test_a_value_that_is_nested_too_deeply_is_named(serve: Serve, path: str, depth: int) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response(
            "POST", path, data=shown('{"a":' * depth + "1" + "}" * depth)
        )
        told = await answer.text()

        assert "value_too_deep" in told
        assert answer.status == (200 if path.endswith("validate") else 400)
        assert (await client.get("/api/v1/jobs"))["jobs"] == []

    serve(scenario)


def test_a_value_may_be_nested_somewhat(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        job = await client.http.post("/prompt", data=shown('{"a":' * 99 + "1" + "}" * 99))
        await client.ended((await job.json())["prompt_id"])

        assert len((await client.get("/api/v1/jobs"))["jobs"]) == 1

    serve(scenario)


@pytest.mark.parametrize("name", ["a\0b", "x" * 1001])
@pytest.mark.parametrize("field", ["prompt_id", "client_id"])
def test_a_name_that_no_database_holds_is_refused(serve: Serve, field: str, name: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post("/prompt", {"prompt": SHOW, field: name}, status=400)

        assert (answer["error"]["type"], field in str(answer)) == ("bad_field", True)
        await client.post("/queue", {"delete": [name]})
        await client.post("/history", {"delete": [name]})
        assert await client.get("/history/a%00b") == {}

    serve(scenario)


@pytest.mark.parametrize("node_id", ["", " ", "日本", "\n", "1:2", "__proto__", "../x", "\0"])
def test_a_node_may_be_called_anything(serve: Serve, node_id: str) -> None:
    async def scenario(client: Client) -> None:
        number = {"class_type": "Number", "inputs": {"value": 7}}
        show = {"class_type": "Show", "inputs": {"value": [node_id, 0]}}
        entry = await client.run({node_id: number, "show": show})
        assert entry["outputs"] == {"show": {"text": ["7"]}}

        fail = {"class_type": "Fail", "inputs": {"value": 1}}
        entry = await client.run({node_id: fail, "show": show})
        assert entry["status"]["messages"][-1][1]["node_id"] == node_id

    serve(scenario)


def test_a_body_of_too_many_values_is_refused_before_it_is_read(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_VALUES", 10)

    async def scenario(client: Client) -> None:
        answer = await client.post("/prompt", {"prompt": SHOW, "x": [0] * 12}, status=413)

        assert answer["error"]["type"] == "too_many_values"

    serve(scenario)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_may_come_compressed_and_one_that_only_says_so_is_refused(
    serve: Serve, coding: str
) -> None:
    async def scenario(client: Client) -> None:
        content = json.dumps({"prompt": SHOW}).encode()
        packed = gzip.compress(content) if coding == "gzip" else zlib.compress(content)
        headers = {"Content-Encoding": coding}
        answer = await client.response("POST", "/prompt", data=packed, headers=headers)
        assert answer.status == 200

        answer = await client.response("POST", "/prompt", data=b"plain" * 9, headers=headers)
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "body_garbled"

    serve(scenario)


def test_a_megabyte_of_text_is_a_value_as_any(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        text = "x" * 1_500_000
        answer = await client.response("POST", "/prompt", data=BytesIO(shown(f'"{text}"')))
        entry = await client.ended((await answer.json())["prompt_id"])

        assert entry["outputs"]["1"]["text"] == [text]

    serve(scenario)


def test_a_full_disk_is_told_by_uploads_and_settings(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(view, "write_whole", full)
    monkeypatch.setattr("graphengine.server.userdata.write_whole", full)

    async def scenario(client: Client) -> None:
        form = FormData()
        form.add_field("image", png(), filename="a.png")
        upload = await client.response("POST", "/upload/image", data=form)
        setting = await client.response("POST", "/settings/a", data=b"1")

        for answer in (upload, setting):
            told = (await answer.json())["error"]
            assert (answer.status, told["type"]) == (400, "file_not_written")
            assert "No space left" in told["message"]

    serve(scenario)


def test_a_locked_database_is_told_and_the_queue_goes_on_later(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt_id = await client.queue(waiting(0.5))
        other = sqlite3.connect(client.base / "user" / "graphengine.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        answer = await client.response("POST", "/prompt", json={"prompt": linked()})
        told = await answer.json()
        assert (answer.status, told["error"]["type"]) == (423, "store_unavailable")
        assert answer.headers["Retry-After"] == "1"
        await client.get("/queue")
        other.execute("ROLLBACK")
        other.close()

        assert (await client.ended(prompt_id))["status"]["status_str"] == "success"
        assert (await client.run(linked()))["status"]["status_str"] == "success"

    serve(scenario)


def test_a_result_that_cannot_be_stored_makes_the_job_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.in_folder(tmp_path / "user")
    jobs = Jobs(store)
    ended: list[JobEnded] = []
    kept = store.end

    def only_failures(job_id: str, state: Any, result: JobResult) -> bool:
        if state == "done":
            raise TypeError("Object of type object is not JSON serializable")
        return kept(job_id, state, result)

    monkeypatch.setattr(store, "end", only_failures)
    worker = Worker(
        jobs,
        Toy(tmp_path).engine,
        lambda _, event: ended.append(event) if isinstance(event, JobEnded) else None,
    )
    worker.start()
    jobs.submit(NewJob("a", 0, {"1": {"class_type": "Show", "inputs": {"value": 1}}}, ("1",)))
    asyncio.run(until(lambda: bool(ended)))
    jobs.close()
    worker.join(5)
    job = store.get("a")
    store.close()

    assert job is not None
    assert job.result is not None
    assert job.result.error is not None
    assert (job.state, ended[0].state) == ("failed", "failed")
    assert "not JSON serializable" in job.result.error.message["en"]


async def until(true: Any) -> None:
    """Wait for something, at most ten seconds."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError

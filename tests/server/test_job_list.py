"""Jobs in one list: what newer clients of ComfyUI ask instead of the queue and the history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.client import Client
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW, linked, waiting

PICTURE = {
    "1": {"class_type": "Show", "inputs": {"value": "text"}},
    "2": {"class_type": "Picture", "inputs": {}},
}
FAILING = {
    "1": {"class_type": "Fail", "inputs": {"value": 1}},
    "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
}


async def listed(client: Client, query: str = "") -> list[Any]:
    return list((await client.get(f"/api/jobs?{query}"))["jobs"])


async def until_running(client: Client, prompt_id: str) -> None:
    while (await client.get(f"/jobs/{prompt_id}"))["status"] != "in_progress":
        await asyncio.sleep(0.01)


def test_a_job_that_is_done_is_listed_with_its_times_and_its_picture(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        drawn = {"extra_pnginfo": {"workflow": {"id": "drawn", "nodes": []}}}
        prompt_id = await client.queue(PICTURE, extra_data=drawn)
        await client.ended(prompt_id)
        [job] = await listed(client)

        file = {"filename": "made.txt", "subfolder": "", "type": "output"}
        assert job["id"] == prompt_id
        assert (job["status"], job["outputs_count"]) == ("completed", 1)
        assert job["preview_output"] == {**file, "nodeId": "2", "mediaType": "images"}
        assert job["workflow_id"] == "drawn"
        assert job["create_time"] <= job["execution_start_time"] <= job["execution_end_time"]
        assert job["create_time"] > 1.7e12
        assert "execution_error" not in job

        whole = await client.get(f"/api/jobs/{prompt_id}")
        assert {name: whole[name] for name in job} == job
        assert whole["outputs"] == {"1": {"text": ["text"]}, "2": {"images": [file]}}
        assert set(whole["workflow"]["prompt"]) == {"1", "2"}
        assert whole["workflow"]["extra_data"] == {"client_id": "me", **drawn}
        assert whole["update_time"] == job["execution_end_time"]

    serve(scenario)


def test_a_job_that_failed_is_listed_with_its_error(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run(FAILING)
        [job] = await listed(client, "status=failed")

        error = job["execution_error"]
        assert (error["node_id"], error["node_type"]) == ("1", "Fail")
        assert "something else" in error["exception_message"]
        assert isinstance(error["exception_type"], str)
        assert isinstance(error["traceback"], list)

    serve(scenario)


def test_jobs_are_listed_by_status_and_in_parts(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        ended = [await client.queue({"1": SHOW["1"]}) for _ in range(3)]
        for prompt_id in ended:
            await client.ended(prompt_id)
        runs, waits = await client.queue(waiting()), await client.queue(linked())
        await until_running(client, runs)

        ids = [job["id"] for job in await listed(client)]
        assert ids == [waits, runs, *reversed(ended)]
        unended = await client.get("/api/jobs?status=in_progress,pending&limit=200&offset=0")
        assert [job["status"] for job in unended["jobs"]] == ["pending", "in_progress"]
        page = await client.get("/api/jobs?status=completed&limit=2&offset=1&sort_order=asc")
        assert [job["id"] for job in page["jobs"]] == ended[1:]
        assert page["pagination"] == {"offset": 1, "limit": 2, "total": 3, "has_more": False}
        page = await client.get("/api/jobs?limit=2")
        assert page["pagination"] == {"offset": 0, "limit": 2, "total": 5, "has_more": True}
        await client.get("/api/jobs?status=nonsense", status=400)
        await client.post("/interrupt", {})

    serve(scenario)


@pytest.mark.parametrize("together", [False, True])
def test_a_job_is_cancelled_whether_it_runs_or_waits(serve: Serve, together: bool) -> None:
    async def scenario(client: Client) -> None:
        runs, waits = await client.queue(waiting()), await client.queue(linked())
        await until_running(client, runs)
        if together:
            body = {"job_ids": [waits, runs, "nobody"]}
            assert await client.post("/api/jobs/cancel", body) == {"cancelled": [waits, runs]}
        else:
            for prompt_id in (waits, runs):
                answer = await client.post(f"/api/jobs/{prompt_id}/cancel")
                assert answer == {"cancelled": True}
        assert (await client.ended(runs))["status"]["status_str"] == "error"

        assert [(job["id"], job["status"]) for job in await listed(client)] == [(runs, "cancelled")]
        assert await client.post(f"/api/jobs/{runs}/cancel") == {"cancelled": False}
        await client.post("/api/jobs/nobody/cancel", status=404)
        await client.get("/api/jobs/nobody", status=404)

    serve(scenario)

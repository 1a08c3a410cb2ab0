"""/api/v1: jobs as resources, checking, explaining, and its description."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.client import Client
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW, linked, waiting

JOBS = "/api/v1/jobs"


async def queued(client: Client) -> list[str]:
    return (await client.get("/api/v1/queue"))["queued"]


def test_a_job_is_queued_read_and_run_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        job = await client.post(JOBS, {"prompt": SHOW}, status=201)
        await client.ended(job["id"])
        ended = await client.get(f"{JOBS}/{job['id']}")
        assert (ended["state"], ended["outputs"]) == ("done", {"1": {"text": ["hello"]}})
        assert ended["created"] <= ended["started"] <= ended["finished"]

        again = await client.post(f"{JOBS}/{job['id']}/retry", status=201)
        await client.ended(again["id"])
        assert (await client.get(f"{JOBS}/{again['id']}"))["cached"] == ["1"]
        page = await client.get(f"{JOBS}?state=done&limit=1")
        assert [entry["id"] for entry in page["jobs"]] == [again["id"]]
        assert page["counts"] == {"done": 2}
        await client.delete(f"{JOBS}/{job['id']}", status=204)
        await client.get(f"{JOBS}/{job['id']}", status=404)

    serve(scenario)


def test_the_queue_is_paused_reordered_edited_and_cleared(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async def put(path: str, body: Any, status: int = 200) -> Any:
            return await client._answer("PUT", path, status, json=body)

        assert (await put("/api/v1/queue", {"paused": True}))["paused"] is True
        for name in "abc":
            await client.post(JOBS, {"prompt": SHOW, "prompt_id": name}, status=201)
        assert await queued(client) == ["a", "b", "c"]
        await client.post(f"{JOBS}/c/move", {"place": 0})
        assert await queued(client) == ["c", "a", "b"]
        await put(f"{JOBS}/a", {"prompt": linked()})
        await client.delete(f"{JOBS}/b", status=204)
        await client.post(f"{JOBS}/c/retry", status=409)
        await put("/api/v1/queue", {"paused": False})
        assert (await client.ended("a"))["outputs"] == {"3": {"text": ["3"]}}
        await put(f"{JOBS}/a", {"prompt": SHOW}, 409)
        await client.post(f"{JOBS}/a/move", {"place": 0}, status=409)

        running = await client.queue(waiting())
        while running not in (await client.get("/api/v1/queue"))["running"]:
            await asyncio.sleep(0.01)
        await client.queue(SHOW)
        await client.delete("/api/v1/queue", status=204)
        assert await queued(client) == []
        await client.delete(f"{JOBS}/{running}", status=204)
        assert (await client.ended(running))["status"]["completed"] is False

    serve(scenario)


def test_a_workflow_is_checked_and_explained_without_running(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        good = await client.post("/api/v1/validate", {"prompt": linked()})
        assert good == {"valid": True, "problems": []}
        bad = await client.post("/api/v1/validate", {"prompt": linked(b=["9", 0])})
        assert bad["valid"] is False
        assert [(p["code"], p["node_id"]) for p in bad["problems"]] == [("dangling_link", "2")]
        broken = await client.post("/api/v1/validate", {"prompt": {"1": 5}})
        assert broken["problems"][0]["code"] == "node_not_object"

        before = await client.post("/api/v1/explain", {"prompt": linked()})
        assert {reason["kind"] for reason in before["nodes"].values()} == {"first_run"}
        await client.run(linked())
        after = await client.post("/api/v1/explain", {"prompt": linked()})
        assert not any(reason["runs"] for reason in after["nodes"].values())
        assert len(await client.get("/history")) == 1

    serve(scenario)


def test_cache_devices_plugins_and_metrics_are_told(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run(linked())
        assert (await client.get("/api/v1/cache"))["entries"] == 3
        await client.delete("/api/v1/cache", status=204)
        while (await client.get("/api/v1/cache"))["entries"]:  # forgotten once the worker rests
            await asyncio.sleep(0.01)
        devices = await client.get("/api/v1/devices")
        assert devices["networks"] == []
        plugins = await client.get("/api/v1/plugins")
        assert "Widgets" in plugins["nodes"]["graphengine_plugins.toys"]
        metrics = (await client.get("/metrics")).decode()
        assert 'graphengine_jobs{state="done"} 1\n' in metrics
        assert "# TYPE graphengine_cache_hits_total counter\n" in metrics

    serve(scenario)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (JOBS, {}),
        (JOBS, {"prompt": 3}),
        (JOBS, {"prompt": SHOW, "nonsense": 1}),
        (JOBS, {"prompt": SHOW, "number": "x"}),
        ("/api/v1/validate", []),
        ("/api/v1/explain", {"prompt": {}}),
    ],
)
def test_a_wrong_body_is_told_in_the_one_shape(serve: Serve, path: str, body: Any) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post(path, body, status=400)

        assert set(answer) == {"error", "node_errors"}

    serve(scenario)


def test_the_description_names_every_route_and_model(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        document = await client.get("/api/v1/openapi.json")
        described = {
            (method.upper(), path) for path, entry in document["paths"].items() for method in entry
        }
        served = {
            (route.method, route.resource.canonical)
            for route in client.http.app.router.routes()
            if route.resource is not None
            and route.resource.canonical.startswith("/api/v1/")
            and route.method != "HEAD"
        }
        own = {("GET", "/api/v1/openapi.json"), ("GET", "/api/v1/docs")}
        assert document["openapi"] == "3.1.0"
        assert described == served - own
        page = (await client.get("/api/v1/docs")).decode()
        assert all(f'id="{name}"' in page for name in document["components"]["schemas"])

    serve(scenario)


def saved_by_an_editor(value: int) -> dict[str, Any]:
    """A number and what shows it, with places and links as drawn."""
    number = {
        "id": 1,
        "type": "Number",
        "mode": 0,
        "inputs": [],
        "outputs": [{"name": "INT", "type": "INT", "links": [1]}],
        "widgets_values": [value],
    }
    show = {
        "id": 2,
        "type": "Show",
        "mode": 0,
        "inputs": [{"name": "value", "type": "*", "link": 1}],
        "outputs": [],
    }
    return {"nodes": [number, show], "links": [[1, 1, 0, 2, 0, "INT"]], "version": 0.4}


def test_an_editors_workflow_is_run_as_it_was_saved(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        saved = saved_by_an_editor(41)
        entry = await client.run(saved)

        assert entry["outputs"] == {"2": {"text": ["41"]}}
        assert entry["prompt"][3]["extra_pnginfo"]["workflow"] == saved

    serve(scenario)


def test_an_edited_job_carries_its_new_workflow_into_pictures(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async def put(path: str, body: Any) -> Any:
            return await client._answer("PUT", path, 200, json=body)

        await put("/api/v1/queue", {"paused": True})
        more = {"extra_pnginfo": {"workflow": saved_by_an_editor(1), "note": "kept"}}
        for name in "ab":
            await client.queue(saved_by_an_editor(1), prompt_id=name, extra_data=more)
        await put(f"{JOBS}/a", {"prompt": saved_by_an_editor(2)})
        await put(f"{JOBS}/b", {"prompt": SHOW})
        await put("/api/v1/queue", {"paused": False})

        drawn, undrawn = [(await client.ended(name))["prompt"][3] for name in "ab"]
        assert drawn["extra_pnginfo"] == {"workflow": saved_by_an_editor(2), "note": "kept"}
        assert undrawn["extra_pnginfo"] == {"note": "kept"}

    serve(scenario)


def test_each_device_runs_a_job_of_its_own_and_the_job_tells_which(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        long = {
            "1": {"class_type": "Steps", "inputs": {"count": 2000, "seconds": 0.01}},
            "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
        }
        first, second, third = [await client.queue(long) for _ in range(3)]

        async def device(job: str) -> str | None:
            found: str | None = (await client.get(f"{JOBS}/{job}"))["device"]
            return found

        # A job runs a moment before a worker has taken it.
        while None in (devices := [await device(job) for job in (first, second)]):
            await asyncio.sleep(0.01)
        assert sorted(map(str, devices)) == ["cpu", "cuda:7"]
        assert await device(third) is None
        await client.post("/queue", {"clear": True})
        await client.post("/interrupt")
        await client.ended(first)
        await client.ended(second)
        assert (await client.get(f"{JOBS}/{second}"))["device"] == devices[1]

    serve(scenario, devices=("cpu", "cuda:7"))

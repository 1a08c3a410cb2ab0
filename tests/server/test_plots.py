"""/api/v1/plots: a plot is a job."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client
from tests.server.conftest import Serve

PLOTS = "/api/v1/plots"
PROMPT = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
        "_meta": {"title": "Paper"},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}


def test_a_plot_runs_as_a_job_and_shows_its_sheet(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        body = {"prompt": PROMPT, "x": "Paper.color=0,255,65280", "y": "Paper.width=8,16,-1"}
        plot = await client.post(PLOTS, body, status=201)
        await client.ended(plot["job"]["id"])
        ended = await client.get(f"/api/v1/jobs/{plot['job']['id']}")
        shown = ended["outputs"][plot["node"]]

        assert (plot["cells"], ended["state"], len(shown["table"])) == (9, "done", 9)
        assert [row["error"] is None for row in shown["table"]] == [True] * 6 + [False] * 3
        assert shown["images"][0]["filename"] == "plot_00001_.png"

    serve(scenario)


def test_the_same_idempotency_key_queues_one_plot(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        body = {"prompt": PROMPT, "x": "Paper.color=0,255", "y": "Paper.width=8,16"}
        headers = {"Idempotency-Key": "once"}
        first = await client.post(PLOTS, body, status=201, headers=headers)
        again = await client.post(PLOTS, body, headers=headers)

        assert again["job"]["id"] == first["job"]["id"]
        assert (again["node"], again["cells"]) == (first["node"], 4)
        assert (await client.get("/api/v1/jobs"))["counts"].keys() <= {"running", "done"}
        assert len((await client.get("/api/v1/jobs"))["jobs"]) == 1

        headers = {"Idempotency-Key": "a job"}
        await client.post("/prompt", {"prompt": PROMPT}, headers=headers)
        answer = await client.post(PLOTS, body, status=409, headers=headers)
        assert answer["error"]["type"] == "idempotency_key_used"

    serve(scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"x": "Paper.depth=1"}, "plot_unknown_input"),
        ({"x": "Paper.width=1..300"}, "plot_many_cells"),
        ({"x": "Paper.width=1", "picture": "nobody"}, "plot_no_picture_node"),
        ({"x": " "}, "plot_no_axes"),
        ({}, "bad_field"),
    ],
)
def test_a_plot_that_does_not_fit_is_refused(serve: Serve, body: dict[str, Any], code: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post(PLOTS, {"prompt": PROMPT, **body}, status=400)
        assert answer["error"]["type"] == code

    serve(scenario)

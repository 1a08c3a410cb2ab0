"""X/Y/Z plots over ``/api/v1``: a plot is a job, with a plot node put behind the picture."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from pydantic import Field

from graphengine.errors import GraphEngineError
from graphengine.job import Job
from graphengine.plot.inside import NODE, with_plot_node
from graphengine.plot.plot import ASK_ABOVE, cell_count
from graphengine.plot.targets import picture_source
from graphengine.server.answers import read_model, refusal_of
from graphengine.server.node_models import Model
from graphengine.server.operations import Operation, answer
from graphengine.server.parts import Parts, parts_of
from graphengine.server.prompts import Accepted, accept, read_prompt
from graphengine.server.queue import submit
from graphengine.server.v1_models import JobAnswer
from graphengine.workflow import parse_api, to_api


class PlotBody(Model):
    """A workflow and what changes in it: NODE.INPUT=VALUES or NODE.INPUT~search,other."""

    prompt: dict[str, Any] = Field(description="As for a job.")
    x: str = Field(description="What changes to the right, such as Sampler.steps=5..50:5.")
    y: str | None = Field(None, description="What changes downwards.")
    z: str | None = Field(None, description="What changes from block to block.")
    picture: str | None = Field(None, description="Whose picture cells show; else what is saved.")
    confirmed: bool = Field(False, description=f"More than {ASK_ABOVE} cells are meant.")
    client_id: str | None = Field(None, description="Who is told of it over the WebSocket.")
    front: bool = Field(False, description="Before everything that is queued.")

    @property
    def axes(self) -> list[str]:
        """The axes that are given, in order."""
        return [axis for axis in (self.x, self.y, self.z) if axis and axis.strip()]


class PlotAnswer(Model):
    """The job that makes the plot; its node's picture and ``table`` are in its outputs."""

    job: JobAnswer
    node: str = Field(description="The plot node's id, by which the job tells progress.")
    cells: int


async def create_plot(request: web.Request) -> web.Response:
    """Queue a plot as a job; with ``Idempotency-Key`` only once."""
    parts = parts_of(request)
    body = await read_model(request, PlotBody)
    key = request.headers.get("Idempotency-Key")
    known = None if key is None else parts.jobs.store.by_idempotency_key(key)
    if known is not None:
        return answer(await asyncio.to_thread(_told_again, parts, known))
    accepted, node, cells = await asyncio.to_thread(_accepted, parts, body)
    number = parts.jobs.draw_number(front=body.front)
    job = submit(parts, accepted, {"client_id": body.client_id}, number, key)
    return answer(PlotAnswer(job=JobAnswer.of(job), node=node, cells=cells), 201)


def _told_again(parts: Parts, job: Job) -> PlotAnswer:
    """What was answered when a plot was queued; raises `Refusal` for a job that is no plot."""
    node = next((key for key in job.targets if job.prompt[key]["class_type"] == NODE), None)
    if node is None:
        raise refusal_of(GraphEngineError("idempotency_key_used", id=job.id), 409)
    inputs = job.prompt[node]["inputs"]
    axes = [inputs[axis] for axis in "xyz" if axis in inputs]
    cells = cell_count(parts.engine, parse_api(dict(job.prompt)), axes, confirmed=True)
    return PlotAnswer(job=JobAnswer.of(job), node=node, cells=cells)


def _accepted(parts: Parts, body: PlotBody) -> tuple[Accepted, str, int]:
    engine = parts.engine
    try:
        workflow = read_prompt(body.prompt, engine)
        cells = cell_count(engine, workflow, body.axes, confirmed=body.confirmed)
        source = picture_source(workflow, engine.registry, body.picture)
    except GraphEngineError as error:
        raise refusal_of(error) from error
    grown, node = with_plot_node(to_api(workflow), body.axes, source, confirmed=body.confirmed)
    return accept(grown, engine, only=[node]), node, cells


OPERATIONS = (
    Operation("POST", "/plots", "Queue an X/Y/Z plot", create_plot, PlotAnswer, PlotBody, 201),
)

"""What ComfyUI's protocol lacks: jobs as resources, checking and explaining without running."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.job import ENDED, Job, State
from graphengine.jobs import STUCK_AFTER_S
from graphengine.reasons import one_of
from graphengine.server import (
    plots,
    system,
    v1_documents,
    v1_files,
    v1_nodes,
    v1_plugins,
)
from graphengine.server.answers import (
    Refusal,
    bad_field,
    not_found,
    page_asked,
    read_model,
    refusal_of,
)
from graphengine.server.operations import PREFIX, Operation, answer
from graphengine.server.parts import Parts, parts_of
from graphengine.server.prompts import accept, read_prompt
from graphengine.server.queue import edited_extra, submit
from graphengine.server.supervision import START_ANEW
from graphengine.server.v1_models import (
    CacheAnswer,
    DevicesAnswer,
    DiskCacheAnswer,
    ExplainAnswer,
    FilmstripAnswer,
    JobAnswer,
    JobBody,
    JobsAnswer,
    MoveBody,
    PromptBody,
    QueueAnswer,
    QueueBody,
    ValidateAnswer,
)

STATES = ("queued", "running", *ENDED)
ANSWERED_AFTER_S = 0.2


# --- jobs -----------------------------------------------------------------------------------------


async def list_jobs(request: web.Request) -> web.Response:
    """A page of jobs."""
    states = [state for state in request.query.get("state", "").split(",") if state]
    if any(state not in STATES for state in states):
        raise bad_field("state", one_of(STATES))
    limit, offset = page_asked(request)
    store = parts_of(request).jobs.store
    page = await asyncio.to_thread(
        store.page, cast(list[State], states), limit=limit, offset=offset
    )
    return answer(JobsAnswer(jobs=[_told(request, job) for job in page], counts=store.counts()))


async def create_job(request: web.Request) -> web.Response:
    """Queue a job; with ``Idempotency-Key`` only once."""
    parts = parts_of(request)
    body = await read_model(request, JobBody)
    key = request.headers.get("Idempotency-Key")
    known = None if key is None else parts.jobs.store.by_idempotency_key(key)
    if known is not None:
        return answer(JobAnswer.of(known))
    accepted = await asyncio.to_thread(accept, body.prompt, parts.engine, only=body.targets)
    number = parts.jobs.draw_number(front=body.front) if body.number is None else body.number
    job = submit(parts, accepted, body.model_dump(), number, key)
    return answer(JobAnswer.of(job, dict(accepted.node_errors)), status=201)


async def get_job(request: web.Request) -> web.Response:
    """A job."""
    return answer(_told(request, _job(request)))


async def edit_job(request: web.Request) -> web.Response:
    """Give a queued job another workflow; it keeps its place."""
    parts = parts_of(request)
    job = _job(request)
    body = await read_model(request, PromptBody)
    accepted = await asyncio.to_thread(accept, body.prompt, parts.engine, only=body.targets)
    extra = edited_extra(job, accepted)
    edited = parts.jobs.edit(job.id, accepted.prompt, accepted.targets, extra)
    if edited is None:
        raise _not_queued(job)
    return answer(JobAnswer.of(edited, dict(accepted.node_errors)))


async def cancel_job(request: web.Request) -> web.Response:
    """Take a queued job out of the queue, stop a running one, forget one that has ended."""
    parts = parts_of(request)
    job = _job(request)
    if not parts.jobs.stop(job.id):
        parts.forget([job.id])
    return web.Response(status=204)


async def kill_job(request: web.Request) -> web.Response:
    """End the process with a job that does not stop; it is started again without that job."""
    parts = parts_of(request)
    job = _job(request)
    if not parts.supervised or not parts.jobs.is_stuck(job.id):
        error = GraphEngineError("job_not_stuck", id=job.id, state=job.state, seconds=STUCK_AFTER_S)
        raise refusal_of(error, 409)
    asyncio.get_running_loop().call_later(ANSWERED_AFTER_S, os._exit, START_ANEW)
    return web.Response(status=202)


async def get_filmstrip(request: web.Request) -> web.Response:
    """What was seen of a job's pictures after each step, if somebody watched it."""
    parts = parts_of(request)
    found = await asyncio.to_thread(parts.filmstrips.of, _job(request).id)
    return answer(FilmstripAnswer.of(found))


async def retry_job(request: web.Request) -> web.Response:
    """Queue an ended job's workflow again, as a new job."""
    job = _job(request)
    again = parts_of(request).jobs.retry(job.id)
    if again is None:
        raise refusal_of(GraphEngineError("job_not_ended", id=job.id, state=job.state), 409)
    return answer(JobAnswer.of(again), status=201)


async def move_job(request: web.Request) -> web.Response:
    """Put a queued job at another place of the queue."""
    job = _job(request)
    body = await read_model(request, MoveBody)
    if not parts_of(request).jobs.move(job.id, body.place):
        raise _not_queued(job)
    return await get_queue(request)


# --- the queue ------------------------------------------------------------------------------------


async def get_queue(request: web.Request) -> web.Response:
    """The queue."""
    jobs = parts_of(request).jobs
    running, queued = jobs.unended()
    ids = {"running": [job.id for job in running], "queued": [job.id for job in queued]}
    return answer(QueueAnswer(paused=jobs.paused, **ids))


async def set_queue(request: web.Request) -> web.Response:
    """Pause the queue after what runs now, or let it go on."""
    body = await read_model(request, QueueBody)
    parts_of(request).jobs.pause(body.paused)
    return await get_queue(request)


async def clear_queue(request: web.Request) -> web.Response:
    """Take all queued jobs out of the queue."""
    parts_of(request).jobs.clear()
    return web.Response(status=204)


# --- workflows ------------------------------------------------------------------------------------


async def validate(request: web.Request) -> web.Response:
    """Everything that is wrong with a workflow, without running it."""
    body = await read_model(request, PromptBody)
    problems = await asyncio.to_thread(_problems, parts_of(request), body)
    valid = all(problem["severity"] == "warning" for problem in problems)
    return answer(ValidateAnswer.model_validate({"valid": valid, "problems": problems}))


async def explain(request: web.Request) -> web.Response:
    """Why each node would run now, or not, without running anything."""
    parts = parts_of(request)
    body = await read_model(request, PromptBody)
    accepted = await asyncio.to_thread(accept, body.prompt, parts.engine, only=body.targets)
    reasons = await asyncio.to_thread(parts.engine.explain, accepted.workflow)
    told = {node: {**vars(reason), "runs": reason.runs} for node, reason in reasons.items()}
    return answer(ExplainAnswer.model_validate({"nodes": told}))


def _problems(parts: Parts, body: PromptBody) -> list[dict[str, Any]]:
    from graphengine.graph import check_graph

    engine = parts.engine
    try:
        workflow = read_prompt(body.prompt, engine)
        found = check_graph(workflow, engine.registry, engine.folders, targets=body.targets)[1]
    except ProblemsFound as error:
        found = error.problems
    return [problem.as_dict() for problem in found]


# --- the engine -----------------------------------------------------------------------------------


async def get_cache(request: web.Request) -> web.Response:
    """What the cache of results holds."""
    cache = parts_of(request).engine.cache
    disk = None if cache.disk is None else await asyncio.to_thread(cache.disk.statistics)
    on_disk = None if disk is None else DiskCacheAnswer(**dataclasses.asdict(disk))
    return answer(CacheAnswer(**dataclasses.asdict(cache.statistics()), disk=on_disk))


async def clear_cache(request: web.Request) -> web.Response:
    """Forget all results: those in memory after what runs now, and those on disk."""
    parts = parts_of(request)
    parts.free(models=False, results=True)
    if parts.engine.cache.disk is not None:
        await asyncio.to_thread(parts.engine.cache.disk.clear)
    return web.Response(status=204)


async def get_devices(request: web.Request) -> web.Response:
    """The devices and what lies on them."""
    parts = parts_of(request)
    found = await asyncio.to_thread(
        system.devices, parts.settings.device, *parts.settings.devices[1:]
    )
    networks = [
        {
            "network": resident.recipe.network,
            "file": Path(resident.recipe.weights.file.path).name,
            "patches": len(resident.recipe.patches),
            "size_bytes": resident.size_bytes,
            "own_bytes": resident.own_bytes,
            "held": resident.held,
        }
        for resident in parts.engine.residents()
    ]
    return answer(DevicesAnswer.model_validate({"devices": found, "networks": networks}))


# --- the table ------------------------------------------------------------------------------------

OPERATIONS = (
    Operation(
        "GET",
        "/jobs",
        "Jobs, newest first",
        list_jobs,
        JobsAnswer,
        query=(
            ("state", "States, separated by commas."),
            ("limit", "How many."),
            ("offset", "How many to leave out."),
        ),
    ),
    Operation("POST", "/jobs", "Queue a job", create_job, JobAnswer, JobBody, 201),
    Operation("GET", "/jobs/{id}", "A job", get_job, JobAnswer),
    Operation("PUT", "/jobs/{id}", "Edit a queued job", edit_job, JobAnswer, PromptBody),
    Operation("DELETE", "/jobs/{id}", "Cancel, stop or forget a job", cancel_job, status=204),
    Operation("POST", "/jobs/{id}/kill", "End a job that does not stop", kill_job, status=202),
    Operation(
        "POST", "/jobs/{id}/retry", "Queue an ended job again", retry_job, JobAnswer, status=201
    ),
    Operation("POST", "/jobs/{id}/move", "Move a queued job", move_job, QueueAnswer, MoveBody),
    Operation(
        "GET", "/jobs/{id}/filmstrip", "Its pictures step by step", get_filmstrip, FilmstripAnswer
    ),
    Operation("GET", "/queue", "The queue", get_queue, QueueAnswer),
    Operation("PUT", "/queue", "Pause or go on", set_queue, QueueAnswer, QueueBody),
    Operation("DELETE", "/queue", "Clear the queue", clear_queue, status=204),
    Operation("POST", "/validate", "Check a workflow", validate, ValidateAnswer, PromptBody),
    Operation("POST", "/explain", "Why nodes would run", explain, ExplainAnswer, PromptBody),
    Operation("GET", "/cache", "The cache of results", get_cache, CacheAnswer),
    Operation("DELETE", "/cache", "Forget all results", clear_cache, status=204),
    Operation("GET", "/devices", "Devices and networks", get_devices, DevicesAnswer),
    *v1_plugins.OPERATIONS,
    *v1_nodes.OPERATIONS,
    *v1_documents.OPERATIONS,
    *v1_files.OPERATIONS,
    *plots.OPERATIONS,
)
routes = [
    web.route(each.method, PREFIX + each.path.replace("{path}", "{path:.+}"), each.call)
    for each in OPERATIONS
]


def _told(request: web.Request, job: Job) -> JobAnswer:
    return JobAnswer.of(job, device=parts_of(request).jobs.device_of(job))


def _job(request: web.Request) -> Job:
    job_id = request.match_info["id"]
    job = parts_of(request).jobs.store.get(job_id)
    if job is None:
        raise not_found("job_not_found", job_id)
    return job


def _not_queued(job: Job) -> Refusal:
    return refusal_of(GraphEngineError("job_not_queued", id=job.id, state=job.state), 409)

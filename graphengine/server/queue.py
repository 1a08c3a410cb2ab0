"""Prompts in, queue, history, interrupt: ComfyUI's routes."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from graphengine.errors import GraphEngineError
from graphengine.job import Job, NewJob
from graphengine.reasons import reason
from graphengine.server.answers import (
    Refusal,
    bad_field,
    json_answer,
    read_object,
    refusal_of,
    string_list,
    whole_number,
)
from graphengine.server.history import ended_entry, history_entry, queue_item
from graphengine.server.parts import Parts, parts_of
from graphengine.server.prompts import Accepted, accept
from graphengine.store import Taken

routes = web.RouteTableDef()
_SECRETS = ("auth_token_comfy_org", "api_key_comfy_org", "client_id")
_LARGE_BODY = 32 * 1024
LONGEST_NAME = 1000


@routes.post("/prompt")
async def post_prompt(request: web.Request) -> web.Response:
    """Queue a prompt; 200 with its id and number, 400 with all that is wrong."""
    parts = parts_of(request)
    body = await read_object(request)
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        known = parts.jobs.store.by_idempotency_key(key)
        if known is not None:
            return _queued_answer(known, {})
    host = parts.engine.host
    if host is not None and host.server is not None:
        body = host.server.trigger_on_prompt(body)
    number = _number(body, parts)
    if "prompt" not in body:
        texts = {"message": GraphEngineError("no_prompt").texts()}
        said = "No prompt provided"
        raise Refusal(400, "no_prompt", said, said, extra_info=texts)
    accepted = await _checked(body, parts, large=(request.content_length or 0) > _LARGE_BODY)
    job = submit(parts, accepted, body, number, key)
    return _queued_answer(job, accepted.node_errors)


def submit(
    parts: Parts, accepted: Accepted, body: Mapping[str, Any], number: float, key: str | None
) -> Job:
    """Queue what was accepted, with the fields of a request's body; raises `Refusal`."""
    extra = body.get("extra_data") or {}
    if not isinstance(extra, dict):
        raise bad_field("extra_data", reason("reason_object"))
    client_id = body.get("client_id", extra.get("client_id"))
    new = NewJob(
        id=_name(body.get("prompt_id") or uuid.uuid4(), "prompt_id"),
        number=number,
        prompt=accepted.prompt,
        targets=accepted.targets,
        client_id=None if client_id is None else _name(client_id, "client_id"),
        extra_data=_kept(extra, accepted),
        idempotency_key=key,
    )
    parts.checked.keep(new, accepted.workflow, accepted.graph)
    try:
        return parts.jobs.submit(new)
    except Taken as error:
        raise refusal_of(GraphEngineError("prompt_id_taken", id=new.id), 409) from error


@routes.get("/prompt")
async def get_prompt(request: web.Request) -> web.Response:
    """How many jobs have not ended."""
    return json_answer({"exec_info": {"queue_remaining": parts_of(request).jobs.remaining}})


@routes.get("/queue")
async def get_queue(request: web.Request) -> web.Response:
    """What runs and what waits, the next one first."""
    running, queued = parts_of(request).jobs.unended()
    return json_answer(
        {
            "queue_running": [queue_item(job) for job in running],
            "queue_pending": [queue_item(job) for job in queued],
        }
    )


@routes.post("/queue")
async def post_queue(request: web.Request) -> web.Response:
    """``clear`` or ``delete`` what waits."""
    jobs = parts_of(request).jobs
    body = await read_object(request)
    if body.get("clear"):
        jobs.clear()
    if "delete" in body:
        jobs.cancel(string_list(body["delete"], "delete"))
    return web.Response()


@routes.post("/interrupt")
async def post_interrupt(request: web.Request) -> web.Response:
    """Stop what runs, or the job ``prompt_id`` if it runs."""
    body = await read_object(request)
    prompt_id = body.get("prompt_id")
    parts_of(request).jobs.interrupt(None if prompt_id is None else str(prompt_id))
    return web.Response()


@routes.post("/free")
async def post_free(request: web.Request) -> web.Response:
    """Let networks and kept results go after what runs now."""
    body = await read_object(request)
    results = bool(body.get("free_memory"))
    models = bool(body.get("unload_models")) or results
    parts_of(request).free(models=models, results=results)
    return web.Response()


@routes.get("/history")
async def get_history(request: web.Request) -> web.Response:
    """Jobs that have ended, oldest first."""
    store = parts_of(request).jobs.store
    most = whole_number(request, "max_items")
    offset = whole_number(request, "offset", -1)
    if offset is None or offset < 0:
        ended = await asyncio.to_thread(store.ended, last=None if most is None else max(most, 0))
    else:
        ended = await asyncio.to_thread(store.ended, offset=offset)
        ended = ended if most is None else ended[: max(most, 0)]
    return json_answer({job.id: history_entry(job) for job in ended})


@routes.get("/history/{prompt_id}")
async def get_history_entry(request: web.Request) -> web.Response:
    """One ended job by its id; an empty object if it has not ended or is not known."""
    job = parts_of(request).jobs.store.get(request.match_info["prompt_id"])
    return json_answer(ended_entry(job))


@routes.post("/history")
async def post_history(request: web.Request) -> web.Response:
    """``clear`` or ``delete`` what has ended."""
    parts = parts_of(request)
    body = await read_object(request)
    if body.get("clear"):
        parts.forget()
    if "delete" in body:
        parts.forget(string_list(body["delete"], "delete"))
    return web.Response()


async def _checked(body: Mapping[str, Any], parts: Parts, *, large: bool) -> Accepted:
    """Checked beside the loop, so that others are answered meanwhile, where it may take long."""
    only = body.get("partial_execution_targets")
    if only is not None:
        only = string_list(only, "partial_execution_targets")
    if large or parts.engine.host is not None:
        return await asyncio.to_thread(accept, body["prompt"], parts.engine, only=only)
    return accept(body["prompt"], parts.engine, only=only)


def _kept(extra: Mapping[str, Any], accepted: Accepted) -> dict[str, Any]:
    """What is stored with the job: no secrets; the editor's own workflow for pictures to carry."""
    kept = {name: value for name, value in extra.items() if name not in _SECRETS}
    if accepted.workflow.ui is not None and "extra_pnginfo" not in kept:
        kept["extra_pnginfo"] = {"workflow": accepted.workflow.ui}
    return kept


def edited_extra(job: Job, accepted: Accepted) -> dict[str, Any]:
    """What is stored with a job that gets another workflow: the old drawing goes with the old."""
    info = dict(job.extra_data.get("extra_pnginfo") or {})
    info.pop("workflow", None)
    if accepted.workflow.ui is not None:
        info["workflow"] = accepted.workflow.ui
    kept = {name: value for name, value in job.extra_data.items() if name != "extra_pnginfo"}
    return {**kept, "extra_pnginfo": info} if info else kept


def _queued_answer(job: Job, node_errors: Mapping[str, Any]) -> web.Response:
    return json_answer({"prompt_id": job.id, "number": job.number, "node_errors": node_errors})


def _number(body: Mapping[str, Any], parts: Parts) -> float:
    """The client's own number, as a float, or the next one; negative for the front."""
    if body.get("number") is None:
        return parts.jobs.draw_number(front=bool(body.get("front")))
    try:
        number = float(body["number"])
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise bad_field("number", reason("reason_number"))
    return number


def _name(value: Any, field: str) -> str:
    """What a client calls a job or itself."""
    name = str(value)
    if len(name) > LONGEST_NAME or "\0" in name:
        raise bad_field(field, reason("reason_id", most=LONGEST_NAME))
    return name

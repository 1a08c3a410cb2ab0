"""Jobs as newer clients of ComfyUI read them: one list of all, each with what it came to.

Times are milliseconds since 1970.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from graphengine.job import Job, State
from graphengine.reasons import one_of
from graphengine.server.answers import (
    bad_field,
    json_answer,
    not_found,
    page_asked,
    read_object,
    string_list,
)
from graphengine.server.history import error_message, queue_item
from graphengine.server.parts import parts_of

routes = web.RouteTableDef()
_STATUSES: dict[State, str] = {
    "queued": "pending",
    "running": "in_progress",
    "done": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "interrupted": "cancelled",
}


@routes.get("/jobs")
async def get_jobs(request: web.Request) -> web.Response:
    """A page of jobs in some ``status``, newest first unless ``sort_order`` is ``asc``."""
    store = parts_of(request).jobs.store
    limit, offset = page_asked(request)
    states = _states(request.query.get("status", ""))
    oldest_first = request.query.get("sort_order") == "asc"
    found, total = await asyncio.to_thread(
        store.listing, states, limit=limit, offset=offset, oldest_first=oldest_first
    )
    pagination = {
        "offset": offset,
        "limit": limit,
        "total": total,
        "has_more": offset + len(found) < total,
    }
    return json_answer({"jobs": [_listed(job) for job in found], "pagination": pagination})


@routes.get("/jobs/{job_id}")
async def get_job(request: web.Request) -> web.Response:
    """One job, with its workflow and all that it shows."""
    job = _found(request)
    _, _, prompt, extra_data, _ = queue_item(job)
    more = {
        "update_time": _ms(job.finished or job.started or job.created),
        "outputs": _outputs(job),
        "workflow": {"prompt": prompt, "extra_data": extra_data},
    }
    return json_answer({**_listed(job), **more})


@routes.post("/jobs/cancel")
async def post_cancel_some(request: web.Request) -> web.Response:
    """Cancel the jobs ``job_ids``; the answer names those that had not ended."""
    ids = string_list((await read_object(request)).get("job_ids"), "job_ids")
    parts = parts_of(request)
    return json_answer({"cancelled": [job_id for job_id in ids if parts.jobs.stop(job_id)]})


@routes.post("/jobs/{job_id}/cancel")
async def post_cancel(request: web.Request) -> web.Response:
    """Cancel a job, whether it waits or runs; false if it has ended."""
    return json_answer({"cancelled": parts_of(request).jobs.stop(_found(request).id)})


def _found(request: web.Request) -> Job:
    job_id = request.match_info["job_id"]
    job = parts_of(request).jobs.store.get(job_id)
    if job is None:
        raise not_found("job_not_found", job_id)
    return job


def _states(wanted: str) -> tuple[State, ...]:
    """The states of statuses that are named with commas between; all if none is."""
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    unknown = names - set(_STATUSES.values())
    if unknown:
        raise bad_field("status", one_of(dict.fromkeys(_STATUSES.values())))
    return tuple(state for state, name in _STATUSES.items() if not names or name in names)


def _listed(job: Job) -> dict[str, Any]:
    """What the list says of a job; what is not known yet is left out."""
    shown = list(_files(job))
    drawing = (job.extra_data.get("extra_pnginfo") or {}).get("workflow")
    told = {
        "id": job.id,
        "status": _STATUSES[job.state],
        "priority": job.number,
        "create_time": _ms(job.created),
        "execution_start_time": _ms(job.started),
        "execution_end_time": None if job.started is None else _ms(job.finished),
        "outputs_count": len(shown) if job.result is not None else None,
        "preview_output": _preview(shown),
        "execution_error": _error(job),
        "workflow_id": drawing.get("id") if isinstance(drawing, dict) else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _files(job: Job) -> Iterator[dict[str, Any]]:
    """The files that a job's nodes show."""
    for node_id, output in _outputs(job).items():
        for kind, items in output.items():
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and "filename" in item:
                    yield {**item, "nodeId": node_id, "mediaType": kind}


def _preview(shown: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The file that stands for a job: one that was saved rather than one that was only shown."""
    saved = (file for file in shown if file.get("type") == "output")
    return next(saved, shown[0] if shown else None)


def _error(job: Job) -> dict[str, Any] | None:
    """Why a job failed; clients expect texts where no node is to blame too."""
    if job.result is None or job.result.error is None:
        return None
    told = error_message(job, job.result.error, job.result.executed, _ms(job.finished) or 0)
    return {**told, "node_id": told["node_id"] or "", "node_type": told["node_type"] or ""}


def _outputs(job: Job) -> dict[str, Any]:
    return {} if job.result is None else dict(job.result.outputs)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)

"""Jobs as ComfyUI's clients read them: queue items, history entries, messages of their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphengine.job import Job, JobError, JobResult, State
from graphengine.worker import top_node


def queue_item(job: Job) -> list[Any]:
    """``[number, prompt_id, prompt, extra_data, outputs]``."""
    extra = dict(job.extra_data)
    if job.client_id is not None:
        extra["client_id"] = job.client_id
    prompt = job.prompt
    if job.result is not None and job.result.prompt is not None:
        prompt = job.result.prompt
    return [job.number, job.id, prompt, extra, list(job.targets)]


def ended_entry(job: Job | None) -> dict[str, Any]:
    """A job's entry under its id; empty if it has not run to an end, or is not known."""
    if job is None or job.finished is None or job.started is None:
        return {}
    return {job.id: history_entry(job)}


def history_entry(job: Job) -> dict[str, Any]:
    """An ended job."""
    result = job.result or JobResult()
    return {
        "prompt": queue_item(job),
        "outputs": result.outputs,
        "status": {
            "status_str": "success" if job.state == "done" else "error",
            "completed": job.state == "done",
            "messages": _messages(job, result),
        },
        "meta": {node_id: _meta(node_id, result.parents) for node_id in result.outputs},
    }


def end_message(
    job: Job, state: State, result: JobResult, timestamp: int
) -> tuple[str, dict[str, Any]]:
    """Type and data of the message that a job is over."""
    if state == "done":
        return "execution_success", {"prompt_id": job.id, "timestamp": timestamp}
    if state == "failed":
        error = result.error or JobError("defect", {})
        return "execution_error", error_message(job, error, result.executed, timestamp)
    node = None if result.stopped is None else top_node(result.stopped, result.parents)
    return "execution_interrupted", {
        "prompt_id": job.id,
        "node_id": node,
        "node_type": job.prompt.get(node, {}).get("class_type") if node is not None else None,
        "executed": list(result.executed),
        "timestamp": timestamp,
    }


def error_message(
    job: Job, error: JobError, executed: Sequence[str], timestamp: int
) -> dict[str, Any]:
    """The data of ``execution_error``; ``message`` in every language is ours."""
    return {
        "prompt_id": job.id,
        "node_id": error.node_id,
        "node_type": error.node_type,
        "executed": list(executed),
        "exception_message": error.message.get("en", error.code) + "\n",
        "exception_type": error.exception_type,
        "traceback": list(error.traceback),
        "current_inputs": {name: [value] for name, value in error.inputs.items()},
        "current_outputs": list(executed),
        "timestamp": timestamp,
        "code": error.code,
        "message": dict(error.message),
    }


def _messages(job: Job, result: JobResult) -> list[list[Any]]:
    started, finished = (int((at or 0) * 1000) for at in (job.started, job.finished))
    start = {"prompt_id": job.id, "timestamp": started}
    cached = {"nodes": list(result.cached), "prompt_id": job.id, "timestamp": started}
    return [
        ["execution_start", start],
        ["execution_cached", cached],
        list(end_message(job, job.state, result, finished)),
    ]


def _meta(node_id: str, parents: Mapping[str, str]) -> dict[str, Any]:
    top = top_node(node_id, parents)
    return {
        "node_id": node_id,
        "display_node": top,
        "parent_node": parents.get(node_id),
        "real_node_id": top,
    }

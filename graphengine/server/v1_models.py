"""What goes over /api/v1, as pydantic models; the OpenAPI document is made from them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from graphengine.job import Job, State


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptBody(_Model):
    """A workflow to check or to explain: in API format, or as an editor saved it."""

    prompt: dict[str, Any]
    targets: list[str] | None = Field(None, description="Output nodes to run; all by default.")


class JobBody(PromptBody):
    """A job to queue."""

    client_id: str | None = Field(None, description="Whose WebSocket hears of it.")
    prompt_id: str | None = Field(None, description="An id of the client's own.", min_length=1)
    number: float | None = Field(None, description="Lower runs first.", allow_inf_nan=False)
    front: bool = Field(False, description="Before everything that is queued.")
    extra_data: dict[str, Any] = Field(default_factory=dict)


class MoveBody(_Model):
    """Where a queued job goes."""

    place: int = Field(ge=0, description="0 is next.")


class QueueBody(_Model):
    """How the queue is set."""

    paused: bool


class JobAnswer(_Model):
    """A job: where it stands and what came of it."""

    id: str
    state: State
    number: float
    client_id: str | None
    targets: list[str]
    created: float = Field(description="Seconds since 1970, as the other times.")
    started: float | None
    finished: float | None
    attempts: int
    prompt: dict[str, Any] = Field(description="As executed once it has run: seeds are drawn.")
    outputs: dict[str, Any] = Field(description="What nodes showed, by node.")
    executed: list[str]
    cached: list[str]
    seconds: float | None
    error: dict[str, Any] | None
    node_errors: dict[str, Any] = Field(
        default_factory=dict, description="What is wrong with outputs that were left out."
    )

    @classmethod
    def of(cls, job: Job, node_errors: dict[str, Any] | None = None) -> JobAnswer:
        """A job as it is told."""
        result = job.result
        error = None if result is None or result.error is None else vars(result.error)
        return cls(
            id=job.id,
            state=job.state,
            number=job.number,
            client_id=job.client_id,
            targets=list(job.targets),
            created=job.created,
            started=job.started,
            finished=job.finished,
            attempts=job.attempts,
            prompt=dict((result and result.prompt) or job.prompt),
            outputs=dict(result.outputs) if result else {},
            executed=list(result.executed) if result else [],
            cached=list(result.cached) if result else [],
            seconds=result.seconds if result else None,
            error=None if error is None else dict(error),
            node_errors=node_errors or {},
        )


class JobsAnswer(_Model):
    """A page of jobs, newest first, and how many there are in each state."""

    jobs: list[JobAnswer]
    counts: dict[str, int]


class QueueAnswer(_Model):
    """The queue: what runs, what waits in order."""

    paused: bool
    running: list[str]
    queued: list[str]


class ValidateAnswer(_Model):
    """Everything that is wrong, errors first."""

    valid: bool
    problems: list[dict[str, Any]]


class ExplainAnswer(_Model):
    """For each node, why it would run, or that it would not."""

    nodes: dict[str, dict[str, Any]]


class CacheAnswer(_Model):
    """What the cache of results holds and how it served."""

    entries: int
    host_bytes: int
    device_bytes: int
    hits: int
    misses: int
    evictions: int


class DevicesAnswer(_Model):
    """The devices, and the networks in memory, least recently used first."""

    devices: list[dict[str, Any]]
    networks: list[dict[str, Any]]


class PluginsAnswer(_Model):
    """Which modules brought which nodes, and what could not be loaded."""

    nodes: dict[str, list[str]]
    failures: list[dict[str, Any]]


class ErrorAnswer(_Model):
    """What is wrong, in one shape everywhere."""

    error: dict[str, Any]
    node_errors: dict[str, Any]

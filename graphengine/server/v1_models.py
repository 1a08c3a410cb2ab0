"""What goes over /api/v1, as pydantic models; the OpenAPI document is made from them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema

from graphengine.job import Job, State
from graphengine.server.filmstrips import StepPicture
from graphengine.server.node_models import Model, Texts
from graphengine.server.workflow_models import ProblemAnswer
from graphengine.trace import Kind

_ANY_PROMPT: dict[str, Any] = {
    "type": "object",
    "description": "In API format, or as an editor saved it.",
    "x-model": "NativeWorkflow | { readonly [name: string]: unknown }",
}


class PromptBody(Model):
    """A workflow to check or to explain: in API format, or as an editor saved it."""

    prompt: Annotated[dict[str, Any], WithJsonSchema(_ANY_PROMPT)]
    targets: list[str] | None = Field(None, description="Output nodes to run; all by default.")


class JobBody(PromptBody):
    """A job to queue."""

    client_id: str | None = Field(None, description="Whose WebSocket hears of it.")
    prompt_id: str | None = Field(None, description="An id of the client's own.", min_length=1)
    number: float | None = Field(None, description="Lower runs first.", allow_inf_nan=False)
    front: bool = Field(False, description="Before everything that is queued.")
    extra_data: dict[str, Any] = Field(default_factory=dict)


class MoveBody(Model):
    """Where a queued job goes."""

    place: int = Field(ge=0, description="0 is next.")


class QueueBody(Model):
    """How the queue is set."""

    paused: bool


class JobErrorAnswer(Model):
    """Why a job failed; ``node_id`` is the workflow's own node."""

    code: str
    message: dict[Literal["en", "ja"], str]
    node_id: str | None
    node_type: str | None
    exception_type: str
    traceback: list[str]
    inputs: dict[str, Any] = Field(description="Described, never whole; short values as they are.")


class JobAnswer(Model):
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
    device: str | None = Field(description="Where it runs or ran.")
    prompt: dict[str, Any] = Field(description="As executed once it has run: seeds are drawn.")
    outputs: dict[str, dict[str, Any]] = Field(description="What nodes showed, by node.")
    executed: list[str]
    cached: list[str]
    seconds: float | None
    error: JobErrorAnswer | None
    node_errors: dict[str, Any] = Field(
        default_factory=dict, description="What is wrong with outputs that were left out."
    )

    @classmethod
    def of(
        cls, job: Job, node_errors: dict[str, Any] | None = None, *, device: str | None = None
    ) -> JobAnswer:
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
            device=device or (None if result is None else result.device),
            prompt=dict((result and result.prompt) or job.prompt),
            outputs={key: dict(shown) for key, shown in result.outputs.items()} if result else {},
            executed=list(result.executed) if result else [],
            cached=list(result.cached) if result else [],
            seconds=result.seconds if result else None,
            error=None if error is None else JobErrorAnswer.model_validate(error),
            node_errors=node_errors or {},
        )


class JobsAnswer(Model):
    """A page of jobs, newest first, and how many there are in each state."""

    jobs: list[JobAnswer]
    counts: dict[str, int]


class StepAnswer(Model):
    """How a node's picture looked after a step: a small JPEG as an address of its own."""

    node_id: str
    step: int
    picture: str = Field(description="data:image/jpeg;base64,…")


class FilmstripAnswer(Model):
    """The pictures of a job's steps, in their order."""

    steps: list[StepAnswer]

    @classmethod
    def of(cls, strip: Iterable[StepPicture]) -> Self:
        """As it is sent."""
        head = "data:image/jpeg;base64,"
        return cls(
            steps=[
                StepAnswer(
                    node_id=each.node_id,
                    step=each.step,
                    picture=head + base64.b64encode(each.jpeg).decode(),
                )
                for each in strip
            ]
        )


class QueueAnswer(Model):
    """The queue: what runs, what waits in order."""

    paused: bool
    running: list[str]
    queued: list[str]


class ValidateAnswer(Model):
    """Everything that is wrong, errors first."""

    valid: bool
    problems: list[ProblemAnswer]


class ReasonAnswer(Model):
    """Why a node would run; ``input`` and ``source`` name what has changed."""

    kind: Kind
    runs: bool
    input: str | None
    source: str | None
    before: Any
    after: Any


class ExplainAnswer(Model):
    """For each node, why it would run, or that it would not."""

    nodes: dict[str, ReasonAnswer]


class DiskCacheAnswer(Model):
    """What lies on disk of results, and how it served since the start."""

    entries: int
    size_bytes: int
    hits: int
    damaged: int
    evictions: int


class CacheAnswer(Model):
    """What the cache of results holds and how it served; ``disk``: null where that is off."""

    entries: int
    host_bytes: int
    device_bytes: int
    hits: int
    misses: int
    evictions: int
    disk: DiskCacheAnswer | None


class DeviceAnswer(Model):
    """A device; memory in bytes."""

    name: str
    type: str
    index: int | None
    vram_total: int
    vram_free: int
    torch_vram_total: int
    torch_vram_free: int


class NetworkAnswer(Model):
    """A network in memory. ``own_bytes``: what it does not share with others."""

    network: str
    file: str
    patches: int
    size_bytes: int
    own_bytes: int
    held: bool


class DevicesAnswer(Model):
    """The devices, and the networks in memory, least recently used first."""

    devices: list[DeviceAnswer]
    networks: list[NetworkAnswer]


class FailureAnswer(Model):
    """Something that could not be loaded."""

    package: str
    file: str
    line: int
    cause: str = Field(description="In English, or in Python's words.")
    message: Texts = Field(description="The cause in every language.")


class ErrorDetail(Model):
    """What is wrong; ``extra_info.message`` says it in every language where it is ours."""

    type: str
    message: str
    details: str
    extra_info: dict[str, Any]


class ErrorAnswer(Model):
    """What is wrong, in one shape everywhere."""

    error: ErrorDetail
    node_errors: dict[str, Any]

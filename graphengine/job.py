"""A job: a workflow that somebody asked to be run, where it stands, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class JobError:
    """Why a job failed, as JSON values.

    ``code``, ``message`` by language; ``node_id`` is the workflow's own node, also where a piece
    of graph failed that grew out of it. ``inputs`` are described, never whole.
    """

    code: str
    message: Mapping[str, str]
    node_id: str | None = None
    node_type: str | None = None
    exception_type: str = ""
    traceback: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobResult:
    """What a run left behind.

    ``prompt``: the workflow as executed, seeds drawn. ``outputs``: what nodes showed, by node.
    ``parents``: node → the node that grew into it. ``cached`` and ``executed``: nodes that did not
    need to run, and that did. ``device``: where it ran. ``stopped``: where it was interrupted.
    """

    prompt: Mapping[str, Any] | None = None
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    cached: tuple[str, ...] = ()
    executed: tuple[str, ...] = ()
    seconds: float = 0.0
    error: JobError | None = None
    device: str | None = None
    stopped: str | None = None


@dataclass(frozen=True)
class NewJob:
    """What is asked: an API workflow, its targets, and who wants to hear of it.

    Jobs run by ascending ``number``, equal ones as they came.
    """

    id: str
    number: float
    prompt: Mapping[str, Any]
    targets: tuple[str, ...]
    client_id: str | None = None
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Job(NewJob):
    """A job in the store. Times are seconds since 1970; ``place`` counts arrivals.

    ``stop_asked``: somebody asked it to stop while it was running.
    """

    place: int = 0
    state: State = "queued"
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    result: JobResult | None = None
    stop_asked: bool = False

    @property
    def order(self) -> tuple[float, int]:
        """What decides which job runs first."""
        return (self.number, self.place)

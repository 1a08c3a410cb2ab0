"""A thread that runs jobs, one at a time: one for each device."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphengine.crash import RunningNodes
from graphengine.engine import Engine, RunResult
from graphengine.errors import LANGUAGES, GraphEngineError, NodeFailed, ProblemsFound, said
from graphengine.events import Event, NodeError, NodeFinished, NodesCached, NodeStarted
from graphengine.graph import Graph
from graphengine.job import Job, JobError, JobResult, NewJob, State
from graphengine.jobs import Jobs, Running
from graphengine.store import StoreUnavailable
from graphengine.workflow import Workflow, parse_api

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobEnded:
    """A job is over, and the store knows."""

    state: State
    result: JobResult


@dataclass(frozen=True)
class ProblemsAppeared:
    """A job that was right when it was queued is so no longer: a file has gone."""

    error: JobError


JobEvent = Event | ProblemsAppeared | JobEnded
Listener = Callable[[Job, JobEvent], None]


class CheckedGraphs:
    """Graphs that were checked when their jobs came in, so that those that run at once need not be.

    Thread-safe. What waits longer is checked again, as files come and go.
    """

    def __init__(self) -> None:
        self._checked: dict[str, _Checked] = {}
        self._lock = threading.Lock()

    def keep(self, new: NewJob, workflow: Workflow, graph: Graph) -> None:
        """Remember for a moment what a job's prompt was checked as."""
        checked = _Checked(new.prompt, workflow, graph, until=time.monotonic() + FRESH_S)
        with self._lock:
            self._checked = {key: each for key, each in self._checked.items() if each.is_fresh}
            self._checked[new.id] = checked

    def take(self, job: Job) -> tuple[Workflow, Graph | None]:
        """A job's workflow, and its graph if this very prompt was checked a moment ago."""
        with self._lock:
            checked = self._checked.pop(job.id, None)
        if checked is None or checked.prompt is not job.prompt or not checked.is_fresh:
            return parse_api(job.prompt), None
        return checked.workflow, checked.graph


class _Checked(NamedTuple):
    prompt: Mapping[str, Any]
    workflow: Workflow
    graph: Graph
    until: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.until


RETRY_S = 1.0
"""A store that is locked or full is asked again so much later."""
FRESH_S = 1.0
"""Files seldom go within this time, and what misses one then says so."""


class Worker:
    """Runs what the queue hands out; ``listen`` hears every event, in the worker's thread.

    ``device``: where to compute, None = where the engine does; ``name``: what that is called.
    ``running``: where it notes which node it runs, in its ``slot``.
    """

    def __init__(
        self,
        jobs: Jobs,
        engine: Engine,
        listen: Listener,
        *,
        checked: CheckedGraphs | None = None,
        device: str | None = None,
        name: str = "auto",
        running: RunningNodes | None = None,
        slot: int = 0,
    ) -> None:
        self._jobs = jobs
        self._engine = engine
        self._listen = listen
        self._checked = checked or CheckedGraphs()
        self._device = device
        self._name = name
        self._running = running
        self._slot = slot
        self._thread = threading.Thread(target=self._loop, name="graphengine-worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended, after the queue was closed; False if it is still busy."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def free(self, *, models: bool, results: bool) -> None:
        """Let networks and kept results go, at once if nothing runs, else after it."""
        self._engine.ask_to_free(models=models, results=results)
        if not self._jobs.running:
            self._engine.free_what_was_asked()

    def _loop(self) -> None:
        while (running := self._next()) is not None:
            try:
                self._run(running)
            except Exception:
                logger.exception("job %s could not be run", running.job.id)
            self._engine.free_what_was_asked()

    def _next(self) -> Running | None:
        """The next job, as soon as there is one and the store can say so; None on closing."""
        while True:
            try:
                return self._jobs.take(device=self._name)
            except StoreUnavailable as error:
                logger.warning("no job can be taken: %s", error)
                self._jobs.pause_before_retry(RETRY_S)

    def _end(self, job: Job, state: State, result: JobResult) -> tuple[State, JobResult]:
        """Have the store know that a job is over, as soon as it can; what it knows then.

        A result that cannot be stored makes the job fail.
        """
        while True:
            try:
                self._jobs.end(job.id, state, result)
                return state, result
            except StoreUnavailable as error:
                logger.warning("the end of job %s cannot be stored yet: %s", job.id, error)
                self._jobs.pause_before_retry(RETRY_S)
                if self._jobs.closed:
                    raise
            except Exception as error:
                if state == "failed":
                    raise
                logger.exception("the result of job %s cannot be stored", job.id)
                state, result = "failed", JobResult(error=_error(error, _Record()))

    def _run(self, running: Running) -> None:
        job = running.job
        record = _Record()

        def on_event(event: Event) -> None:
            record.note(event)
            if self._running is not None and isinstance(event, NodeStarted):
                self._running.note(self._slot, job.id, top_node(event.node_id, record.parents))
            self._listen(job, event)

        state, result = self._state_and_result(running, record, on_event)
        if self._running is not None:
            self._running.clear(self._slot)
        if state == "cancelled" and self._jobs.closed:
            return
        state, result = self._end(job, state, dataclasses.replace(result, device=self._name))
        self._listen(job, JobEnded(state, result))
        told = {"job": job.id, "state": state, "seconds": round(result.seconds, 3)}
        logger.info("job %s: %s after %.2f s", job.id, state, result.seconds, extra=told)

    def _state_and_result(
        self, running: Running, record: _Record, on_event: Callable[[Event], None]
    ) -> tuple[State, JobResult]:
        job = running.job
        pnginfo = job.extra_data.get("extra_pnginfo")
        try:
            workflow, graph = self._checked.take(job)
            ran = self._engine.run(
                workflow,
                targets=job.targets,
                graph=graph,
                device=self._device,
                on_event=on_event,
                cancel=running.cancel,
                pnginfo=pnginfo if isinstance(pnginfo, dict) else None,
                job_id=job.id,
                client_id=job.client_id,
            )
        except Exception as error:
            if not isinstance(error, ProblemsFound):
                logger.exception("job %s failed", job.id)
            problem = _error(error, record)
            self._listen(job, ProblemsAppeared(problem))
            return "failed", record.result(error=problem)
        return ran.status, record.result(
            ran, None if ran.error is None else _error(ran.error, record)
        )


@dataclass
class _Record:
    """What of a run's events is kept with the job."""

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    started: str | None = None

    def note(self, event: Event) -> None:
        if isinstance(event, NodeFinished):
            self._finished(event)
        elif isinstance(event, NodesCached):
            self.cached += event.nodes
        elif isinstance(event, NodeStarted | NodeError):
            self.started = event.node_id
            if event.parent is not None:
                self.parents[event.node_id] = event.parent

    def _finished(self, event: NodeFinished) -> None:
        if event.parent is not None:
            self.parents[event.node_id] = event.parent
        if not event.cached:
            self.executed.append(event.node_id)
        if event.artifacts is not None and (shown := event.artifacts.as_ui()):
            self.outputs[event.node_id] = shown

    def result(self, ran: RunResult | None = None, error: JobError | None = None) -> JobResult:
        return JobResult(
            prompt=None if ran is None else ran.prompt,
            outputs=self.outputs,
            parents=self.parents,
            cached=tuple(self.cached),
            executed=tuple(self.executed),
            seconds=0.0 if ran is None else ran.seconds,
            error=error,
            stopped=self.started if ran is not None and ran.status == "cancelled" else None,
        )


def top_node(node_id: str, parents: Mapping[str, str]) -> str:
    """The node of the workflow that a node grew out of; itself if it is one."""
    while node_id in parents:
        node_id = parents[node_id]
    return node_id


def _error(error: Exception, record: _Record) -> JobError:
    failed = error if isinstance(error, NodeFailed) else None
    cause = failed.cause if failed else error
    return JobError(
        code=error.code if isinstance(error, GraphEngineError) else "defect",
        message={language: _message(error, language) for language in LANGUAGES},
        node_id=top_node(failed.node_id, record.parents) if failed else None,
        node_type=failed.node_type if failed else None,
        exception_type=_exception_type(cause),
        traceback=tuple(traceback.format_tb(cause.__traceback__)),
        inputs={**failed.inputs, **failed.plain} if failed else {},
    )


def _message(error: Exception, language: str) -> str:
    if isinstance(error, GraphEngineError):
        return error.text(language)
    return said(error)


def _exception_type(cause: BaseException) -> str:
    """The cause's type; of what is wrong with a piece of graph, the one that clients know."""
    known = _KNOWN_TYPES.get(cause.code) if isinstance(cause, GraphEngineError) else None
    return known or _type_name(type(cause))


_KNOWN_TYPES = {
    "expansion_cycle": "graph.DependencyCycleError",
    "expansion_bad_id": "graph.DuplicateNodeError",
}


def _type_name(kind: type[BaseException]) -> str:
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"

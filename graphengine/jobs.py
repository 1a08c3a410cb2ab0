"""One queue of jobs: taking them in, handing them out in order, stopping and moving them.

What is queued is mirrored in memory; the store is the truth, and every change goes there first.
"""

from __future__ import annotations

import bisect
import dataclasses
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from graphengine.context import CancelFlag
from graphengine.job import ENDED, Job, JobResult, NewJob, State
from graphengine.store import Store, StoreUnavailable, Taken

KEPT = 10_000
"""So many ended jobs are kept."""
STUCK_AFTER_S = 5.0
_PRUNED_EVERY = 100


@dataclasses.dataclass(frozen=True)
class Running:
    """A job that a worker has taken, the flag that stops it, and where it runs."""

    job: Job
    cancel: CancelFlag
    device: str | None = None


class Jobs:
    """The queue. Thread-safe.

    ``on_change`` is called, in any thread, after each change but a job's end.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_restart: Literal["requeue", "interrupt"] = "requeue",
        on_change: Callable[[], None] | None = None,
    ) -> None:
        store.recover(on_restart)
        store.keep_newest(KEPT)
        self.store = store
        self.on_change = on_change or _nobody_listens
        self._queued = list(store.queued())
        self._running: dict[str, Running] = {}
        self._handed: deque[Running] = deque()
        self._waiting = 0
        self._next_number = store.next_number()
        self._paused = bool(store.flag("paused"))
        self._ended = 0
        self._closed = False
        self._changed = threading.Condition(threading.RLock())

    # --- taking in ---

    def draw_number(self, *, front: bool = False) -> float:
        """The number of the next request; negative, before all others, for the front."""
        with self._changed:
            number = self._next_number
            self._next_number += 1
        return -number if front else number

    def submit(self, new: NewJob) -> Job:
        """Queue a job. The same idempotency key gives the job it was first used for.

        The id of a job that has ended may be used again, and the new job takes its place. The same
        work under the id of one that has not ended is that job. Raises `graphengine.store.Taken`
        if that one has other work to do.
        """
        with self._changed:
            if new.idempotency_key is not None:
                known = self.store.by_idempotency_key(new.idempotency_key)
                if known is not None:
                    return known
            starts = self._starts_at_once()
            try:
                job = self.store.add(new, running=starts)
            except Taken:
                known = self.store.get(new.id)
                if known is not None and known.state not in ENDED and _same_work(known, new):
                    return known
                job = self.store.add(new, running=starts, instead_of_ended=True)
            if starts:
                running = self._running[job.id] = Running(job, CancelFlag())
                self._handed.append(running)
            else:
                bisect.insort(self._queued, job, key=_order)
            self._changed.notify()
        self.on_change()
        return job

    def retry(self, job_id: str) -> Job | None:
        """Queue an ended job's workflow again as a new job; None if there is no such job."""
        job = self.store.get(job_id)
        if job is None or job.state not in ENDED:
            return None
        return self.submit(
            NewJob(
                id=str(uuid.uuid4()),
                number=self.draw_number(),
                prompt=job.prompt,
                targets=job.targets,
                client_id=job.client_id,
                extra_data=job.extra_data,
            )
        )

    # --- handing out ---

    def take(self, timeout_s: float | None = None, *, device: str | None = None) -> Running | None:
        """The next job, now running; waits for one, None after ``timeout_s`` or on closing.

        Raises `graphengine.store.StoreUnavailable`, and the job stays queued.
        """
        with self._changed:
            self._waiting += 1
            ready = self._changed.wait_for(self._may_take, timeout_s)
            self._waiting -= 1
            if not ready or self._closed:
                return None
            if self._handed:
                running = dataclasses.replace(self._handed.popleft(), device=device)
                self._running[running.job.id] = running
                return running
            job = self._queued[0]
            self.store.start(job.id)
            del self._queued[0]
            started = dataclasses.replace(job, state="running", attempts=job.attempts + 1)
            running = self._running[job.id] = Running(started, CancelFlag(), device)
        self.on_change()
        return running

    def end(self, job_id: str, state: State, result: JobResult) -> None:
        """A worker is done with a job; who listens hears of it from the worker."""
        self.store.end(job_id, state, result)
        with self._changed:
            self._running.pop(job_id, None)
            self._ended += 1
            if self._ended % _PRUNED_EVERY == 0:
                self.store.keep_newest(KEPT)

    def close(self) -> None:
        """Hand nothing out any more; stop what runs. It stays running in the store: see recover."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for running in self._running.values():
                running.cancel.set()

    def pause_before_retry(self, seconds: float) -> None:
        """Wait so long, or until the process is about to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    @property
    def closed(self) -> bool:
        """Whether the process is about to end."""
        return self._closed

    # --- looking ---

    def unended(self) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
        """The jobs that run, and those that are queued, the next one first."""
        with self._changed:
            return tuple(entry.job for entry in self._running.values()), tuple(self._queued)

    @property
    def queued(self) -> tuple[Job, ...]:
        """The queued jobs, the next one first."""
        return self.unended()[1]

    @property
    def running(self) -> tuple[Job, ...]:
        """The jobs that run now."""
        return self.unended()[0]

    def device_of(self, job: Job) -> str | None:
        """Where a job runs or ran; None before."""
        with self._changed:
            running = self._running.get(job.id)
        if running is not None:
            return running.device
        return None if job.result is None else job.result.device

    @property
    def remaining(self) -> int:
        """How many jobs have not ended."""
        with self._changed:
            return len(self._queued) + len(self._running)

    @property
    def paused(self) -> bool:
        """Whether queued jobs wait even though nothing runs."""
        return self._paused

    # --- steering ---

    def pause(self, paused: bool) -> None:
        """Hand nothing out after what runs now, or go on. Survives a restart."""
        with self._changed:
            self.store.set_flag("paused", paused)
            self._paused = paused
            self._changed.notify_all()
        self.on_change()

    def cancel(self, job_ids: Collection[str]) -> tuple[str, ...]:
        """Take queued jobs out of the queue; which of them were in it."""
        with self._changed:
            cancelled = self.store.cancel(job_ids)
            self._queued = [job for job in self._queued if job.id not in cancelled]
        if cancelled:
            self.on_change()
        return cancelled

    def clear(self) -> tuple[str, ...]:
        """Take all queued jobs out of the queue."""
        return self.cancel([job.id for job in self._queued])

    def stop(self, job_id: str) -> bool:
        """Take a job out of the queue, or stop it if it runs; False if it has ended."""
        return bool(self.cancel([job_id])) or self.interrupt(job_id)

    def interrupt(self, job_id: str | None = None) -> bool:
        """Stop a running job, or all that run; False if none does."""
        with self._changed:
            chosen = [r for key, r in self._running.items() if job_id in (None, key)]
            for running in chosen:
                running.cancel.set()
        if not chosen:
            return False
        with suppress(StoreUnavailable):
            self.store.note_stop([running.job.id for running in chosen])
        return True

    def is_stuck(self, job_id: str) -> bool:
        """Whether a job still runs `STUCK_AFTER_S` after somebody asked it to stop."""
        with self._changed:
            running = self._running.get(job_id)
        return running is not None and running.cancel.asked_for_s >= STUCK_AFTER_S

    def move(self, job_id: str, place: int) -> bool:
        """Put a queued job at a place of the queue, 0 is next; False if it is not queued."""
        with self._changed:
            job = self._find(job_id)
            if job is None:
                return False
            others = [other for other in self._queued if other.id != job_id]
            place = min(max(place, 0), len(others))
            numbers = _numbers_for([*others[:place], job, *others[place:]], place)
            self.store.renumber(numbers)
            self._queued = sorted(
                (dataclasses.replace(j, number=numbers.get(j.id, j.number)) for j in self._queued),
                key=_order,
            )
        self.on_change()
        return True

    def edit(
        self,
        job_id: str,
        prompt: Mapping[str, Any],
        targets: Sequence[str],
        extra_data: Mapping[str, Any],
    ) -> Job | None:
        """Give a queued job another workflow, in its place; None if it is not queued."""
        with self._changed:
            job = self._find(job_id)
            if job is None or not self.store.edit(job_id, prompt, targets, extra_data):
                return None
            edited = dataclasses.replace(
                job, prompt=prompt, targets=tuple(targets), extra_data=extra_data
            )
            self._queued[self._queued.index(job)] = edited
        self.on_change()
        return edited

    def _find(self, job_id: str) -> Job | None:
        return next((job for job in self._queued if job.id == job_id), None)

    def _starts_at_once(self) -> bool:
        """Whether a worker waits for the next job that comes: that one needs no second write."""
        idle = self._waiting > len(self._handed)
        return idle and not self._queued and not self._paused and not self._closed

    def _may_take(self) -> bool:
        may_start = bool(self._queued) and not self._paused
        return self._closed or bool(self._handed) or may_start


def _order(job: Job) -> tuple[float, int]:
    return job.order


def _same_work(job: Job, new: NewJob) -> bool:
    """Compared as the store keeps them: it makes lists of tuples."""
    works = (json.dumps([each.prompt, each.targets], sort_keys=True) for each in (job, new))
    return len(set(works)) == 1


def _numbers_for(order: Sequence[Job], place: int) -> dict[str, float]:
    """The numbers that put a job at its place: its own alone, or all where there is no room."""
    moved = order[place]
    low = order[place - 1].number if place else None
    high = order[place + 1].number if place + 1 < len(order) else None
    number = _between(low, high)
    if number is not None:
        return {moved.id: number}
    first = min(job.number for job in order)
    return {job.id: first + index for index, job in enumerate(order)}


def _between(low: float | None, high: float | None) -> float | None:
    """A number strictly between two neighbours, either of which may be missing."""
    if low is None:
        return 0.0 if high is None else high - 1
    if high is None:
        return low + 1
    middle = (low + high) / 2
    return middle if low < middle < high else None


def _nobody_listens() -> None:
    """Without a server there is nobody to tell."""

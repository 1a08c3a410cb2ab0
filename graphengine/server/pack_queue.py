"""The queue as plugins written for ComfyUI look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphengine.server.history import ended_entry, history_entry, queue_item
from graphengine.server.parts import Parts

Item = Sequence[Any]
"""``(number, prompt_id, prompt, extra_data, outputs)``."""


class PackQueue:
    """What runs, what waits and what has ended; the stand-in of ComfyUI's queue asks it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def remaining(self) -> int:
        """How many jobs have not ended."""
        return self._parts.jobs.remaining

    def items(self) -> tuple[list[Item], list[Item]]:
        """What runs, and what waits."""
        running, queued = self._parts.jobs.unended()
        return [tuple(queue_item(j)) for j in running], [tuple(queue_item(j)) for j in queued]

    def ended(self, most: int | None) -> dict[str, Any]:
        """What has ended, oldest first; of many the last ones."""
        jobs = self._parts.jobs.store.ended(last=most)
        return {job.id: history_entry(job) for job in jobs}

    def ended_job(self, prompt_id: str) -> dict[str, Any]:
        """One that has ended, by its id; empty if it has not."""
        return ended_entry(self._parts.jobs.store.get(prompt_id))

    def clear(self) -> None:
        """Cancel all that waits."""
        self._parts.jobs.clear()

    def cancel(self, is_meant: Callable[[Item], bool]) -> bool:
        """Cancel the first that is meant; False if none is."""
        found = next((item for item in self.items()[1] if is_meant(item)), None)
        return found is not None and bool(self._parts.jobs.cancel([found[1]]))

    def forget(self, prompt_id: str | None) -> None:
        """Forget one that has ended, or all."""
        self._parts.forget(None if prompt_id is None else [prompt_id])

    def free(self, *, models: bool, results: bool) -> None:
        """Let networks and results go after what runs now."""
        self._parts.free(models=models, results=results)

    def clients(self) -> list[str]:
        """The ids of clients that listen."""
        return self._parts.hub.client_ids()

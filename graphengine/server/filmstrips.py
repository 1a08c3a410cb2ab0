"""What was seen of a job's pictures on their way: a small picture of every step, kept with the job.

One file a job below the user folder; the oldest go once there are many.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from graphengine.events import NodePreview, NodeProgress
from graphengine.files import write_whole
from graphengine.server.pictures import small_jpeg
from graphengine.worker import JobEnded, JobEvent

MOST_FRAMES = 64
MOST_JOBS = 300
FRAME_SIDE = 128
FRAME_QUALITY = 80
logger = logging.getLogger(__name__)


class StepPicture(NamedTuple):
    """How a node's picture looked after a step; ``jpeg`` is at most `FRAME_SIDE` large."""

    node_id: str
    step: int
    jpeg: bytes


class Filmstrips:
    """The pictures of running jobs in memory, those of ended jobs in ``folder``.

    `note` is called in the thread that runs the job, the rest from any.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, list[StepPicture]] = {}
        self._steps: dict[str, tuple[str, int]] = {}

    def note(self, job_id: str, event: JobEvent) -> None:
        """Take what an event shows; a preview must be one whose picture was made."""
        if isinstance(event, NodeProgress):
            self._steps[job_id] = (event.node_id, int(event.value))
        elif isinstance(event, NodePreview):
            self._add(job_id, event)
        elif isinstance(event, JobEnded):
            self._steps.pop(job_id, None)
            if job_id in self._running:
                self._write(job_id)
                self._running.pop(job_id, None)
            else:  # an ended job's id may be used again
                self.forget([job_id])

    def of(self, job_id: str) -> list[StepPicture]:
        """The pictures of a job in their order; none if it showed none, or they are gone."""
        running = self._running.get(job_id)
        if running is not None:
            return list(running)
        try:
            kept = json.loads(self._file(job_id).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [StepPicture(node, step, base64.b64decode(jpeg)) for node, step, jpeg in kept]

    def forget(self, job_ids: Iterable[str]) -> None:
        """Delete what is kept of ended jobs."""
        for job_id in job_ids:
            self._file(job_id).unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Delete what is kept of all ended jobs."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _add(self, job_id: str, event: NodePreview) -> None:
        strip = self._running.setdefault(job_id, [])
        node, step = self._steps.get(job_id, ("", 0))
        last = strip[-1] if strip and strip[-1].node_id == event.node_id else None
        after = 1 if last is None else last.step + 1
        step = max(after, step + 1 if node == event.node_id else 1)
        jpeg = small_jpeg(event.image, FRAME_SIDE, quality=FRAME_QUALITY)
        strip.append(StepPicture(event.node_id, step, jpeg))
        if len(strip) > MOST_FRAMES:
            self._running[job_id] = [*strip[:-1:2], strip[-1]]

    def _write(self, job_id: str) -> None:
        strip = self._running[job_id]
        rows = [(node, step, base64.b64encode(jpeg).decode()) for node, step, jpeg in strip]
        try:
            write_whole(self._file(job_id), json.dumps(rows).encode())
            self._drop_oldest()
        except OSError:
            logger.exception("the filmstrip of job %s could not be kept", job_id)

    def _drop_oldest(self) -> None:
        files = self._files()
        if len(files) <= MOST_JOBS:
            return
        for path in sorted(files, key=_modified)[:-MOST_JOBS]:
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return list(self._folder.glob("*.json"))

    def _file(self, job_id: str) -> Path:
        """Clients choose ids; no file is named as they say."""
        return self._folder / f"{hashlib.sha256(job_id.encode()).hexdigest()[:32]}.json"


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0

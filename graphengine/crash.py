"""What a process that was ended by its own code was doing, for the one that is started after it.

A plugin can end the whole process: a library that reads where it must not. The system's signal
then has Python write its stack into one file, and which node each thread was running stands in
another, which is mapped into memory, so that noting it costs no call of the system. A process that
was killed from outside leaves no stack, and its jobs are simply run again.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import re
import sysconfig
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from graphengine.comfy.pack_paths import PackFolders
from graphengine.errors import LANGUAGES, GraphEngineError
from graphengine.job import Job, JobError, JobResult, State
from graphengine.store import Store

STACK_FILE = "crash.log"
LAST_FILE = "last-crash.log"
RUNNING_FILE = "running.bin"
_IMPORTING = str(Path("comfy", "host", "packs.py"))
_SLOT_BYTES = 1024
_SLOTS = 64
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in .+$', re.MULTILINE)
_THREAD = re.compile(r"^Current thread (0x[0-9a-f]+)", re.MULTILINE)
_OWN = (str(Path(__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))


class Noted(NamedTuple):
    """A node that was running: in which thread, of which job; its id in the workflow."""

    thread: int
    job_id: str
    node_id: str


class RunningNodes:
    """Which node each worker is running, in a file that outlives the process; one slot a worker."""

    def __init__(self, folder: Path) -> None:
        file = folder / RUNNING_FILE
        file.write_bytes(bytes(_SLOT_BYTES * _SLOTS))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 0)

    def note(self, slot: int, job_id: str, node_id: str) -> None:
        """A worker's thread begins a node."""
        text = f"{threading.get_ident()}\0{job_id}\0{node_id}\0".encode()[:_SLOT_BYTES]
        start = slot % _SLOTS * _SLOT_BYTES
        self._memory[start : start + len(text)] = text

    def clear(self, slot: int) -> None:
        """A worker runs nothing."""
        self._memory[slot % _SLOTS * _SLOT_BYTES] = 0


@dataclass(frozen=True)
class Crash:
    """How a process ended: the signal's name, the stack's last lines, and what was running."""

    signal: str
    place: str
    stack: tuple[str, ...]
    thread: int | None
    running: tuple[Noted, ...]

    @property
    def importing(self) -> bool:
        """Whether a plugin written for ComfyUI was being imported."""
        return any(_IMPORTING in line and line.endswith(" in _import\n") for line in self.stack)

    def names(self, path: Path) -> bool:
        """Whether code of a file, or of a folder, was running."""
        return any(f'"{path}"' in line or f'"{path}{os.sep}' in line for line in self.stack)

    def of_job(self, job_id: str, jobs: int) -> Noted | None:
        """The node of a job that was the reason; ``jobs``: how many were running."""
        mine = next((noted for noted in self.running if noted.job_id == job_id), None)
        guilty = {noted.job_id for noted in self.running if noted.thread == self.thread}
        return mine if guilty == {job_id} or (not guilty and jobs == 1) else None


def read_crash(folder: Path) -> Crash | None:
    """How the process that served this folder before ended, if its own code ended it."""
    stack = _text(folder / LAST_FILE)
    if not stack.startswith("Fatal Python error: "):
        return None
    thread = _THREAD.search(stack)
    own = stack[thread.start() if thread else 0 :].split("\n\n")[0]
    frames = list(_FRAME.finditer(own))
    return Crash(
        signal=stack.splitlines()[0].removeprefix("Fatal Python error: "),
        place=_place(frames),
        stack=tuple(frame[0] + "\n" for frame in frames),
        thread=int(thread[1], 16) if thread else None,
        running=tuple(_noted(folder / RUNNING_FILE)),
    )


def watch_crashes(folder: Path) -> None:
    """Have the stack written, should this process be ended so; the last one's is kept apart."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = folder / STACK_FILE
    if stack.is_file() and stack.stat().st_size:
        stack.replace(folder / LAST_FILE)
    faulthandler.enable((folder / STACK_FILE).open("wb", buffering=0))


def leave_out_guilty(folder: Path, packs: PackFolders) -> None:
    """Have a plugin left out whose import ended the last process, until its code changes."""
    crash = read_crash(folder)
    if crash is not None and crash.importing:
        guilty = next((path for path in packs.paths() if crash.names(path)), None)
        if guilty is not None:
            packs.leave_out(guilty)


def settle_crash(store: Store, folder: Path) -> tuple[Job, ...]:
    """Fail the jobs that ended the last process, so that they do not end this one; which."""
    crash = read_crash(folder)
    (folder / LAST_FILE).unlink(missing_ok=True)
    if crash is None or crash.importing:
        return ()
    states: tuple[State, ...] = ("running",)
    running = store.page(states)
    settled: list[Job] = []
    for job in running:
        noted = crash.of_job(job.id, len(running))
        if noted is not None:
            store.end(job.id, "failed", JobResult(error=_error(crash, job, noted)))
            settled.append(job)
    return tuple(settled)


def _error(crash: Crash, job: Job, noted: Noted) -> JobError:
    node: Mapping[str, Any] = job.prompt.get(noted.node_id, {})
    kind = str(node.get("class_type", ""))
    title = node.get("_meta", {}).get("title") or kind
    error = GraphEngineError(
        "node_crashed",
        title=title,
        node_id=noted.node_id,
        signal=crash.signal,
        place=crash.place or "–",
    )
    return JobError(
        code=error.code,
        message={language: error.text(language) for language in LANGUAGES},
        node_id=noted.node_id,
        node_type=kind,
        exception_type=crash.signal,
        traceback=crash.stack,
    )


def _place(frames: Iterable[re.Match[str]]) -> str:
    """The innermost frame of code that is neither ours nor a library's; else the innermost."""
    frames = list(frames)
    theirs = (frame for frame in frames if not frame["file"].startswith(_OWN))
    chosen = next(theirs, frames[0] if frames else None)
    return "" if chosen is None else f"{chosen['file']}, line {chosen['line']}"


def _noted(file: Path) -> Iterator[Noted]:
    content = file.read_bytes() if file.is_file() else b""
    for start in range(0, len(content), _SLOT_BYTES):
        parts = content[start : start + _SLOT_BYTES].split(b"\0")[:3]
        if len(parts) == len(Noted._fields) and parts[0]:
            thread, job_id, node_id = (part.decode("utf-8", "replace") for part in parts)
            yield Noted(int(thread), job_id, node_id)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""

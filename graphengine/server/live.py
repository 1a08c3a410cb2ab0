"""What happens in a job, in the messages of ComfyUI's WebSocket.

Of the many messages of a run some only tell the latest state (progress, node states, previews);
those are values of their own here, so that a slow reader gets the last one only.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from graphengine.events import (
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodePreview,
    NodeProgress,
    NodesCached,
    NodeStarted,
    RunStarted,
)
from graphengine.job import Job, JobError
from graphengine.json_text import dump_json
from graphengine.server.history import end_message, error_message
from graphengine.server.pictures import encoded, small_jpeg
from graphengine.worker import JobEnded, JobEvent, ProblemsAppeared, top_node

PREVIEW_SIDE = 512
PREVIEW_QUALITY = 95
_PREVIEW_IMAGE, _PREVIEW_WITH_METADATA = 1, 4
_JPEG, _PNG = 1, 2


@dataclass(frozen=True)
class Said:
    """A message that every reader gets."""

    type: str
    data: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The frame."""
        return dump_json({"type": self.type, "data": self.data})


@dataclass(frozen=True)
class Frame:
    """A binary message that every reader gets, as a plugin made it."""

    content: bytes


class Executing(NamedTuple):
    """That a node begins; of all messages there are most of this one."""

    prompt_id: str
    node_id: str
    display_id: str

    @property
    def text(self) -> str:
        """The frame."""
        node, display, prompt = map(_quoted, (self.node_id, self.display_id, self.prompt_id))
        data = f'{{"node":{node},"display_node":{display},"prompt_id":{prompt}}}'
        return f'{{"type":"executing","data":{data}}}'


class NodeState(NamedTuple):
    """How far a node is; only the latest counts. ``stepped``: also say it as ``progress``."""

    prompt_id: str
    node_id: str
    display_id: str
    top_id: str
    parent_id: str | None
    state: str
    value: float = 0
    total: float = 1
    stepped: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """What ``progress_state`` says of the node."""
        return {
            "value": self.value,
            "max": self.total,
            "state": self.state,
            "node_id": self.node_id,
            "prompt_id": self.prompt_id,
            "display_node_id": self.display_id,
            "parent_node_id": self.parent_id,
            "real_node_id": self.top_id,
        }


@dataclass(frozen=True)
class Preview:
    """A picture of what a node is making; only the latest counts, unless it is sent ``whole``.

    ``by_method``: one of those that the setting ``preview_method`` is about.
    """

    prompt_id: str
    node_id: str
    display_id: str
    parent_id: str | None
    image: Any
    real_id: str
    whole: bool = False
    by_method: bool = False

    @cached_property
    def plain_frame(self) -> bytes:
        """The frame for clients that know no metadata."""
        form = _PNG if self.whole else _JPEG
        return struct.pack(">II", _PREVIEW_IMAGE, form) + self._content

    @cached_property
    def frame(self) -> bytes:
        """The frame with the node and the job that it belongs to."""
        metadata = {
            "node_id": self.node_id,
            "prompt_id": self.prompt_id,
            "display_node_id": self.display_id,
            "parent_node_id": self.parent_id,
            "real_node_id": self.real_id,
            "image_type": "image/png" if self.whole else "image/jpeg",
        }
        described = json.dumps(metadata).encode()
        return (
            struct.pack(">II", _PREVIEW_WITH_METADATA, len(described)) + described + self._content
        )

    @cached_property
    def _content(self) -> bytes:
        if self.whole:
            return encoded(self.image, "PNG", compress_level=1)[0]
        return small_jpeg(self.image, PREVIEW_SIDE, quality=PREVIEW_QUALITY)


Message = Said | Executing | Frame | NodeState | Preview


@dataclass
class LiveJob:
    """A running job as its owner sees it: turns events into messages, and knows the state."""

    job: Job
    current: str | None = None
    _states: dict[str, NodeState] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _displays: dict[str, str] = field(default_factory=dict)
    _cached_told: bool = False
    _preview: Preview | None = None

    def messages(self, event: JobEvent) -> list[Message]:
        """What there is to say about an event."""
        if isinstance(event, RunStarted):
            return [self._said("execution_start", timestamp=now_ms())]
        if isinstance(event, NodesCached):
            self._cached_told = True
            return [self._said("execution_cached", nodes=list(event.nodes), timestamp=now_ms())]
        told = self._of_node(event)
        return told if self._cached_told else [self._nothing_cached(), *told]

    def states(self) -> list[Message]:
        """The state of everything that runs, for a client that comes back."""
        running = [state._replace(stepped=False) for state in self._states.values()]
        if self.current is None:
            return [*running]
        return [*running, self._executing(self.current), *self.shown()]

    def shown(self) -> list[Message]:
        """What was last seen of the node that runs."""
        last = self._preview
        return [last] if last is not None and last.node_id == self.current else []

    # --- one event ---

    def _of_node(self, event: JobEvent) -> list[Message]:
        if isinstance(event, NodeStarted):
            self._note_place(event)
            self.current = event.node_id
            return [self._state(event.node_id, "running"), self._executing(event.node_id)]
        if isinstance(event, NodeFinished):
            return self._finished(event)
        if isinstance(event, NodeProgress):
            step = (event.value, event.total)
            return [self._state(event.node_id, "running", *step, stepped=True)]
        if isinstance(event, NodePreview):
            display = self._display(event.node_id)
            parent = self._parents.get(event.node_id)
            real = top_node(event.node_id, self._parents)
            job, node, image = self.job.id, event.node_id, event.image
            self._preview = Preview(
                job, node, display, parent, image, real, event.whole, event.by_method
            )
            return [self._preview]
        if isinstance(event, NodeBlocked):
            return [*self._blocked(event), self._state(event.node_id, "finished", 1, 1)]
        if isinstance(event, NodeError):
            self._note_parent(event.node_id, event.parent)
            return [self._state(event.node_id, "error")]
        if isinstance(event, ProblemsAppeared):
            return [self._said("execution_start", timestamp=now_ms())]
        return self._ended(event) if isinstance(event, JobEnded) else []

    def _finished(self, event: NodeFinished) -> list[Message]:
        self._note_place(event)
        shown = None if event.artifacts is None else event.artifacts.as_ui()
        told: list[Message] = []
        if shown is not None or (event.cached and event.node_id in self.job.targets):
            display = self._display(event.node_id)
            told.append(
                self._said("executed", node=event.node_id, display_node=display, output=shown)
            )
        running = self._states.get(event.node_id)
        total = 1 if running is None else running.total
        return [*told, self._state(event.node_id, "finished", total, total)]

    def _blocked(self, event: NodeBlocked) -> list[Message]:
        if event.reason is None:
            return []
        message = f"Execution Blocked: {event.reason}"
        error = JobError(
            "blocked", {"en": message}, event.node_id, None, exception_type="ExecutionBlocked"
        )
        return [Said("execution_error", error_message(self.job, error, (), now_ms()))]

    def _ended(self, event: JobEnded) -> list[Message]:
        kind, data = end_message(self.job, event.state, event.result, now_ms())
        self.current = None
        return [Said(kind, data)]

    # --- pieces ---

    def _nothing_cached(self) -> Message:
        """It is always said what is cached, before the first node starts."""
        self._cached_told = True
        return self._said("execution_cached", nodes=[], timestamp=now_ms())

    def _note_parent(self, node_id: str, parent: str | None) -> None:
        if parent is not None:
            self._parents[node_id] = parent

    def _note_place(self, event: NodeStarted | NodeFinished) -> None:
        self._note_parent(event.node_id, event.parent)
        if event.display is not None:
            self._displays[event.node_id] = event.display

    def _display(self, node_id: str) -> str:
        """The node in whose place a node is shown."""
        return self._displays.get(node_id) or top_node(node_id, self._parents)

    def _executing(self, node_id: str) -> Executing:
        return Executing(self.job.id, node_id, self._display(node_id))

    def _state(
        self,
        node_id: str,
        state: str,
        value: float = 0,
        total: float = 1,
        *,
        stepped: bool = False,
    ) -> NodeState:
        top = top_node(node_id, self._parents)
        parent, display = self._parents.get(node_id), self._display(node_id)
        told = NodeState(self.job.id, node_id, display, top, parent, state, value, total, stepped)
        if state == "running":
            self._states[node_id] = told
        else:
            self._states.pop(node_id, None)
        return told

    def _said(self, kind: str, **data: Any) -> Said:
        return Said(kind, {**data, "prompt_id": self.job.id})


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)

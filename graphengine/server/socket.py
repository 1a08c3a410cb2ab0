"""The WebSocket: each client hears of its own jobs, and a slow one neither waits nor is waited for.

Events come from worker threads and are told from the loop. What only the latest state matters of
is kept once for each node and sent at most thirty times a second; a client that does not read what
it must not miss is cut off when a few megabytes have piled up, and gets the state when it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from graphengine.events import NodePreview
from graphengine.job import Job
from graphengine.jobs import Jobs
from graphengine.server.filmstrips import Filmstrips
from graphengine.server.live import Executing, Frame, LiveJob, Message, NodeState, Preview, Said
from graphengine.worker import JobEnded, JobEvent

BATCH_S = 1 / 30
# A preview of 512 pixels takes the sampler 2 ms, which is to be at most 3 % of its time.
PREVIEW_S = 1 / 15
GATHER_S = 0.004
"""Events are gathered so long before they are told."""
MOST_WAITING_BYTES = 4 * 1024 * 1024
HEARTBEAT_S = 30.0
"""A ping so often keeps proxies from cutting quiet connections. None is waited for: scripts that
wait for other things meanwhile answer no pings, and read on when they come back."""
LARGEST_MESSAGE_BYTES = 1024 * 1024
SUBPROTOCOL = "graphengine"
_TOGETHER = 512
_MOST_UNSENT_BYTES = 256 * 1024
_PREVIEW_BYTES = 64 * 1024
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.005, 0.25
_TEXT, _BINARY = 0x81, 0x82
_PING = b"\x89\x00"


class Outbox:
    """What one client has still to be sent.

    Clients that take no metadata cannot tell a preview from a result, and many take it for one:
    they get previews of sampling only with ``plain_previews``.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        *,
        plain_previews: bool = True,
    ) -> None:
        self.takes_metadata = False
        self._plain_previews = plain_previews
        self._socket = socket
        self._transport = transport
        self._line: deque[str | bytes | Preview] = deque()
        self._waiting_bytes = 0
        self._states: dict[tuple[str, str], NodeState] = {}
        self._previews: dict[str, Preview] = {}
        self._status: str | None = None
        self._last_batch = 0.0
        self._batch_scheduled = False
        self._wake = asyncio.Event()
        self.overflown = False

    def takes(self, preview: Preview | NodePreview) -> bool:
        """Whether the client is sent a preview of this kind."""
        return self.takes_metadata or self._plain_previews or not preview.by_method

    def put(self, message: Message) -> None:
        """Queue a message; what an older one of its kind said is forgotten where it may be."""
        if isinstance(message, NodeState):
            self._put_state(message)
        elif isinstance(message, Frame):
            self._put_text(message.content)
        elif isinstance(message, Preview) and message.whole:
            self._line.append(message)
            self._waiting_bytes += _PREVIEW_BYTES
        elif isinstance(message, Preview):
            if self.takes(message):
                self._previews[message.node_id] = message
        else:
            if isinstance(message, Executing):
                self._line_up_previews()
            self._put_text(message.text)
        self._wake.set()

    def put_status(self, text: str) -> None:
        """Queue how long the queue is; only the latest counts."""
        self._status = text
        self._wake.set()

    def flush_all(self) -> None:
        """Put all in line now, so that the end of a job does not overtake it."""
        self._line_up_previews()
        self.flush()

    def flush(self) -> None:
        """Put node states in line now, so that what comes next does not overtake them."""
        by_job: dict[str, dict[str, Any]] = {}
        stepped: list[Said] = []
        for (prompt_id, node_id), state in self._states.items():
            by_job.setdefault(prompt_id, {})[node_id] = state.data
            if state.stepped:
                stepped.append(_progress(state))
        self._states.clear()
        self._last_batch = time.monotonic()
        for prompt_id, nodes in by_job.items():
            said = Said("progress_state", {"prompt_id": prompt_id, "nodes": nodes})
            self._put_text(said.text)
        for said in stepped:
            self._put_text(said.text)

    async def send_all(self) -> None:
        """Send what comes, until the socket closes."""
        while not self._socket.closed:
            await self._wake.wait()
            self._wake.clear()
            if self.overflown:
                await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
                return
            self._flush_if_due()
            await self._send_waiting()

    async def ping_now_and_then(self) -> None:
        """Show whoever stands between that the connection is in use, until it is cancelled."""
        while self._transport is not None and not self._transport.is_closing():
            await asyncio.sleep(HEARTBEAT_S)
            if not self._transport.get_write_buffer_size():
                self._transport.write(_PING)

    async def _send_waiting(self) -> None:
        while self._line or self._previews or self._status is not None:
            if self._line:
                line = list(self._line)
                self._line.clear()
                self._waiting_bytes = 0
                await self._send_together([await self._frame_of(each) for each in line])
            if self._status is not None:
                status, self._status = self._status, None
                await self._socket.send_str(status)
            self._line_up_previews()

    async def _send_together(self, texts: list[str | bytes]) -> None:
        """Send messages with one call of the system for many, and wait while the client is slow.

        Frames by RFC 6455, 5.2: what goes to a client is not masked.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for start in range(0, len(texts), _TOGETHER):
            transport.write(b"".join(map(whole_frame, texts[start : start + _TOGETHER])))
            wait_s = _SHORTEST_WAIT_S
            while transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
                await asyncio.sleep(wait_s)
                if self.overflown or transport.is_closing():
                    return
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _frame_of(self, message: str | bytes | Preview) -> str | bytes:
        """A message as it is sent; a preview's picture is encoded beside the loop."""
        if not isinstance(message, Preview):
            return message
        plain = not self.takes_metadata
        return await asyncio.to_thread(lambda: message.plain_frame if plain else message.frame)

    def _line_up_previews(self) -> None:
        """Put previews in line now: what comes next is about something later."""
        self._line.extend(self._previews.values())
        self._waiting_bytes += _PREVIEW_BYTES * len(self._previews)
        self._previews.clear()

    def _put_state(self, state: NodeState) -> None:
        key = (state.prompt_id, state.node_id)
        before = self._states.pop(key, None)
        if before is not None and before.stepped and not state.stepped:
            self._put_text(_progress(before).text)
        self._states[key] = state
        self._flush_if_due()

    def _put_text(self, text: str | bytes) -> None:
        self._line.append(text)
        self._waiting_bytes += len(text)
        if self._waiting_bytes > MOST_WAITING_BYTES:
            self.overflown = True
            self._line.clear()
            self._waiting_bytes = 0

    def _flush_if_due(self) -> None:
        if not self._states:
            return
        wait = self._last_batch + BATCH_S - time.monotonic()
        if wait <= 0:
            self.flush()
        elif not self._batch_scheduled:
            self._batch_scheduled = True
            asyncio.get_running_loop().call_later(wait, self._batch_is_due)

    def _batch_is_due(self) -> None:
        self._batch_scheduled = False
        self._wake.set()


class Hub:
    """Who listens, and what runs. `tell` may be called from any thread."""

    def __init__(self, jobs: Jobs, filmstrips: Filmstrips, *, plain_previews: bool = True) -> None:
        self._plain_previews = plain_previews
        self._jobs = jobs
        self._filmstrips = filmstrips
        self._last_preview = 0.0
        self._outboxes: dict[str, Outbox] = {}
        self._hearing_all: set[Outbox] = set()
        self._live: dict[str, LiveJob] = {}
        self._events: deque[tuple[Callable[[Any, Any], None], Any, Any]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._status_due = False
        self._soon = False
        self._now = False

    def attach(self) -> None:
        """Begin to tell, from the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._outboxes)

    def client_ids(self) -> list[str]:
        """The ids of all that listen."""
        return list(self._outboxes)

    def tell(self, job: Job, event: JobEvent) -> None:
        """An event of a job has happened; what a preview shows must be made now or never."""
        if isinstance(event, NodePreview) and not self._shows(job, event):
            return
        self._filmstrips.note(job.id, event)
        self._events.append((self._tell_now, job, event))
        ended = isinstance(event, JobEnded)
        self._status_due |= ended
        self._wake(now=ended)

    def send(self, message: Said | Frame, client_id: str | None) -> None:
        """Something that a plugin has to say, to one client or to all; in line with the events."""
        self._events.append((self._send_now, client_id, message))
        self._wake(now=False)

    def queue_changed(self) -> None:
        """The queue has become longer or shorter."""
        self._status_due = True
        self._wake(now=False)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client's connection, until it ends."""
        client_id = request.query.get("clientId") or uuid.uuid4().hex
        socket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE_BYTES, protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        outbox = Outbox(socket, request.transport, plain_previews=self._plain_previews)
        self._replace(client_id, outbox)
        self._welcome(client_id, outbox)
        sender = asyncio.create_task(outbox.send_all())
        sender.add_done_callback(_forget_error)
        pinging = asyncio.create_task(outbox.ping_now_and_then())
        try:
            await self._read(socket, client_id, outbox, request.app[MAX_UPLOAD_BYTES])
        finally:
            sender.cancel()
            pinging.cancel()
            self._hearing_all.discard(outbox)
            if self._outboxes.get(client_id) is outbox:
                del self._outboxes[client_id]
        return socket

    async def close(self) -> None:
        """Say goodbye to all."""
        sockets = [outbox._socket for outbox in self._outboxes.values()]
        goodbyes = (socket.close(code=WSCloseCode.GOING_AWAY) for socket in sockets)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*goodbyes, return_exceptions=True), 2)

    def knows(self, client_id: str) -> bool:
        """Whether a client of this id is connected."""
        return client_id in self._outboxes

    def say(self, client_id: str, message: Message) -> bool:
        """Send a message to one client, from the loop; False if it is not connected."""
        outbox = self._outboxes.get(client_id)
        if outbox is not None:
            outbox.put(message)
        return outbox is not None

    def say_all(self, message: Message) -> None:
        """Send a message to every client; from the loop."""
        for outbox in self._outboxes.values():
            outbox.put(message)

    # --- in the worker's thread ---

    def _shows(self, job: Job, preview: NodePreview) -> bool:
        """Make a preview's picture if somebody listens and the last one is not too fresh."""
        now = time.monotonic()
        if not any(outbox.takes(preview) for outbox in self._readers(job)):
            return False
        if preview.whole:
            return preview.image is not None
        if now - self._last_preview < PREVIEW_S:
            return False
        self._last_preview = now
        return preview.image is not None

    def _readers(self, job: Job) -> list[Outbox]:
        """Who hears of a job: whose it is, and those who want to hear of all."""
        own = self._outboxes.get(job.client_id or "")
        if not self._hearing_all:
            return [] if own is None else [own]
        others = [outbox for outbox in tuple(self._hearing_all) if outbox is not own]
        return others if own is None else [own, *others]

    # --- in the loop ---

    def _wake(self, *, now: bool) -> None:
        """Have the loop tell what has happened, a little later unless a job is over.

        Each time the loop is woken the worker may lose the interpreter to it for milliseconds;
        a short job is over by then. While events come, the loop looks for them by itself.
        """
        loop = self._loop
        if loop is None or self._now or (self._soon and not now):
            return
        if now:
            self._now = True
        else:
            self._soon = True
        call = self._drain if now else self._drain_soon
        if threading.get_ident() == self._loop_thread:
            loop.call_soon(call)
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(call)

    def _drain_soon(self) -> None:
        asyncio.get_running_loop().call_later(GATHER_S, self._drain)

    def _drain(self) -> None:
        self._soon = self._now = False
        if self._events:
            self._soon = True
            self._drain_soon()
        while self._events:
            tell, whom, what = self._events.popleft()
            tell(whom, what)
        if self._status_due:
            self._status_due = False
            text = self._status().text
            for outbox in self._outboxes.values():
                outbox.put_status(text)

    def _send_now(self, client_id: str | None, message: Said | Frame) -> None:
        for known, outbox in self._outboxes.items():
            if client_id is None or known == client_id:
                outbox.put(message)

    def _tell_now(self, job: Job, event: JobEvent) -> None:
        live = self._live.get(job.id)
        if live is None:
            live = self._live[job.id] = LiveJob(job)
        messages, readers = live.messages(event), self._readers(job)
        for outbox in readers:
            for message in messages:
                if isinstance(event, JobEnded):
                    outbox.flush_all()
                outbox.put(message)
        if isinstance(event, JobEnded):
            del self._live[job.id]
            for outbox in readers:
                outbox.put(self._status())
                outbox.put(Said("executing", {"node": None, "prompt_id": job.id}))

    def _replace(self, client_id: str, outbox: Outbox) -> None:
        """From now on a client is heard through this; an older connection hears no more."""
        older = self._outboxes.get(client_id)
        if older is not None:
            self._hearing_all.discard(older)
        self._outboxes[client_id] = outbox

    def _welcome(self, client_id: str, outbox: Outbox) -> None:
        outbox.put(self._status(sid=client_id))
        for live in self._live.values():
            if live.job.client_id == client_id:
                for message in live.states():
                    outbox.put(message)

    def _show_again(self, client_id: str, outbox: Outbox) -> None:
        """What was last seen of a client's jobs, now that it is known which previews it takes."""
        for live in self._live.values():
            if live.job.client_id == client_id:
                for message in live.shown():
                    outbox.put(message)

    def _hear_all(self, outbox: Outbox, wanted: bool) -> None:
        """From now on a client hears of everybody's jobs, first of those that run."""
        if not wanted:
            self._hearing_all.discard(outbox)
            return
        self._hearing_all.add(outbox)
        for live in self._live.values():
            if self._outboxes.get(live.job.client_id or "") is not outbox:
                for message in live.states():
                    outbox.put(message)

    def _status(self, **more: str) -> Said:
        info = {"status": {"exec_info": {"queue_remaining": self._jobs.remaining}}}
        return Said("status", {**info, **more})

    async def _read(
        self,
        socket: web.WebSocketResponse,
        client_id: str,
        outbox: Outbox,
        max_upload_bytes: int,
    ) -> None:
        """Only a first frame with feature flags means something; the rest is read and dropped."""
        first = True
        async for message in socket:
            if message.type is WSMsgType.TEXT and first:
                first = False
                flags = _feature_flags(message.data)
                if flags is not None:
                    outbox.takes_metadata = bool(flags.get("supports_preview_metadata"))
                    self._show_again(client_id, outbox)
                    self._hear_all(outbox, bool(flags.get("all_jobs")))
                    outbox.put(Said("feature_flags", server_features(max_upload_bytes)))


MAX_UPLOAD_BYTES = web.AppKey("max_upload_bytes", int)


def server_features(max_upload_bytes: int) -> dict[str, Any]:
    """What this server can do, as clients ask for it."""
    return {"supports_preview_metadata": True, "max_upload_size": max_upload_bytes}


def whole_frame(message: str | bytes) -> bytes:
    """A message as one WebSocket frame from a server."""
    begin, content = (_TEXT, message.encode()) if isinstance(message, str) else (_BINARY, message)
    size = len(content)
    if size < 126:
        return bytes((begin, size)) + content
    if size < 2**16:
        return struct.pack(">BBH", begin, 126, size) + content
    return struct.pack(">BBQ", begin, 127, size) + content


def _feature_flags(text: str) -> Mapping[str, Any] | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("type") != "feature_flags":
        return None
    data = message.get("data")
    return data if isinstance(data, dict) else None


def _progress(state: NodeState) -> Said:
    return Said(
        "progress",
        {
            "value": state.value,
            "max": state.total,
            "prompt_id": state.prompt_id,
            "node": state.node_id,
        },
    )


def _forget_error(task: asyncio.Task[None]) -> None:
    """A connection that broke while being written to is noticed by its reader."""
    if not task.cancelled():
        task.exception()

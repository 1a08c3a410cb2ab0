"""What the server logs: to standard error as text or JSON, and its last lines to who asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aiohttp import web

from graphengine.reasons import reason
from graphengine.server.answers import bad_field, json_answer, read_object
from graphengine.server.live import Said
from graphengine.server.parts import parts_of
from graphengine.server.settings import LogFormat, LogLevel
from graphengine.server.socket import Hub

KEPT_LINES = 300
_SIZE = {"cols": 80, "rows": 50}
"""ComfyUI's clients want to know how large its terminal is."""
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
routes = web.RouteTableDef()


class LogBook(logging.Handler):
    """The last lines, told to clients that asked for them as the event ``logs``.

    Lines may come from any thread; clients are told from the loop.
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_TEXT))
        self.subscribers: set[str] = set()
        self._hub = hub
        self._entries: deque[dict[str, str]] = deque(maxlen=KEPT_LINES)
        self._untold: deque[dict[str, str]] = deque(maxlen=KEPT_LINES)
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """Begin to tell, from the running loop."""
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        entry = {"t": _time(record), "m": f"{self.format(record)}\n"}
        self._entries.append(entry)
        if self.subscribers and self._loop is not None:
            self._untold.append(entry)
            with contextlib.suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(self._tell)

    def entries(self) -> list[dict[str, str]]:
        """The last lines with their times, the oldest first."""
        return list(self._entries)

    def _tell(self) -> None:
        entries = list(self._untold)
        self._untold.clear()
        if not entries:
            return
        for client_id in tuple(self.subscribers):
            if not self._hub.say(client_id, Said("logs", {"entries": entries, "size": _SIZE})):
                self.subscribers.discard(client_id)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what else a record says."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


LOG_BOOK = web.AppKey("log_book", LogBook)


def log_to_stderr(level: LogLevel, format_: LogFormat) -> None:
    """Have what is logged written to standard error; called once by the process that serves."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format_ == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


async def keeping_logs(app: web.Application) -> AsyncIterator[None]:
    """While the server runs its log book hears everything that is logged."""
    book = app[LOG_BOOK]
    book.attach()
    logging.getLogger().addHandler(book)
    yield
    logging.getLogger().removeHandler(book)


@routes.get("/internal/logs")
async def get_logs(request: web.Request) -> web.Response:
    """The last lines as one text."""
    return json_answer("".join(entry["m"] for entry in request.app[LOG_BOOK].entries()))


@routes.get("/internal/logs/raw")
async def get_raw_logs(request: web.Request) -> web.Response:
    """The last lines with their times."""
    return json_answer({"entries": request.app[LOG_BOOK].entries(), "size": _SIZE})


@routes.patch("/internal/logs/subscribe")
async def subscribe(request: web.Request) -> web.Response:
    """Begin or end to tell a client of every line."""
    body = await read_object(request)
    client_id, enabled = body.get("clientId"), body.get("enabled")
    if not isinstance(client_id, str) or not parts_of(request).hub.knows(client_id):
        raise bad_field("clientId", reason("reason_client"))
    subscribers = request.app[LOG_BOOK].subscribers
    if enabled:
        subscribers.add(client_id)
    else:
        subscribers.discard(client_id)
    return web.Response()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat()

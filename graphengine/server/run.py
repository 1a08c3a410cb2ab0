"""Serving until the process is asked to stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import Callable

from aiohttp import web

from graphengine.collecting import collector_paused
from graphengine.crash import leave_out_guilty, watch_crashes
from graphengine.errors import GraphEngineError
from graphengine.server.app import make_app
from graphengine.server.logs import log_to_stderr
from graphengine.server.settings import ServerSettings
from graphengine.server.supervision import start_again_after_crashes

SHUTDOWN_TIMEOUT_S = 2.0
BACKLOG = 1024
_SWITCH_INTERVAL_S = 0.001
"""So long, instead of 5 ms, a request waits for the interpreter while a node computes in it."""


def serve(
    settings: ServerSettings, on_start: Callable[[str], None], *, only_start: bool = False
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_start`` gets the address once requests are answered.

    With ``only_start`` it ends there. Otherwise it is served by a process of its own, which is
    started again should a plugin end it; requests wait meanwhile. Raises GraphEngineError if the
    address cannot be used.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    log_to_stderr(settings.log_level, settings.log_format)
    if not settings.is_local and settings.token is None:
        settings = settings.model_copy(update={"token": secrets.token_urlsafe(24)})
    tls = _tls(settings)
    sockets = _listen(settings)
    supervised = not only_start and start_again_after_crashes()
    serving = _serve(settings, sockets, tls, on_start, supervised=supervised, only_start=only_start)
    asyncio.run(serving)


async def _serve(
    settings: ServerSettings,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    on_start: Callable[[str], None],
    *,
    supervised: bool,
    only_start: bool,
) -> None:
    stop = asyncio.Event()
    if only_start:
        stop.set()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    user = settings.folders().user
    watch_crashes(user)
    leave_out_guilty(user, settings.pack_folders())
    with collector_paused():
        app = make_app(settings, supervised=supervised)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        for listening in sockets:
            await web.SockSite(runner, listening, ssl_context=tls, backlog=BACKLOG).start()
        on_start(_address(runner, settings))
        await stop.wait()
    finally:
        await runner.cleanup()


def _listen(settings: ServerSettings) -> list[socket.socket]:
    """Sockets that listen at each address of the host, all at one port."""
    port, opened = settings.port, []
    try:
        found = socket.getaddrinfo(
            settings.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            at = (address[0], port, *address[2:])
            opened.append(socket.create_server(at, family=family, backlog=BACKLOG))
            port = opened[-1].getsockname()[1]
    except OSError as error:
        for each in opened:
            each.close()
        raise GraphEngineError(
            "cannot_listen", host=settings.host, port=settings.port, cause=error.strerror or error
        ) from error
    return opened


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        key_is_missing = settings.tls_certificate.is_file() and isinstance(error, FileNotFoundError)
        path = settings.tls_key if key_is_missing else settings.tls_certificate
        raise GraphEngineError("bad_certificate", path=path, cause=error) from error
    return context


def _address(runner: web.AppRunner, settings: ServerSettings) -> str:
    """What to open in the browser; holds the token where one is needed."""
    port = runner.addresses[0][1]
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    scheme = "http" if settings.tls_certificate is None else "https"
    token = f"?token={settings.token}" if settings.token else ""
    return f"{scheme}://{host}:{port}/{token}"

"""The application: all routes, with and without /api, and what is made and closed around them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

from aiohttp import web
from filelock import FileLock, Timeout

from graphengine.comfy.node_info import object_info
from graphengine.crash import RunningNodes, settle_crash
from graphengine.engine import Engine
from graphengine.errors import GraphEngineError
from graphengine.jobs import Jobs
from graphengine.server import (
    editor,
    gallery,
    job_list,
    logs,
    metrics,
    models,
    nodes,
    openapi,
    packs,
    queue,
    system,
    userdata,
    users,
    v1,
    view,
)
from graphengine.server.answers import compressed, errors_as_json
from graphengine.server.filmstrips import Filmstrips
from graphengine.server.listings import watched
from graphengine.server.node_listing import NodeListing
from graphengine.server.parts import PARTS, Parts
from graphengine.server.plugin_watch import PluginWatch
from graphengine.server.security import CORS_ORIGIN, add_headers, guards
from graphengine.server.settings import ServerSettings
from graphengine.server.socket import MAX_UPLOAD_BYTES, Hub
from graphengine.server.v1_files import WRITING
from graphengine.server.v1_nodes import nodes_answer
from graphengine.store import Store
from graphengine.worker import CheckedGraphs, Worker

logger = logging.getLogger(__name__)
STOP_TIMEOUT_S = 10.0
LOCK = web.AppKey("lock", FileLock)
TWICE = (
    queue.routes,
    job_list.routes,
    nodes.routes,
    view.routes,
    models.routes,
    users.routes,
    userdata.routes,
    system.routes,
)
"""These routes exist as they are and below /api."""


def make_app(settings: ServerSettings, *, supervised: bool = False) -> web.Application:
    """The application; raises what opening the store or loading plugins raises.

    ``supervised``: the process is started again when it ends with `supervision.START_ANEW`.
    """
    app = web.Application(
        middlewares=[
            *([compressed] if settings.enable_compress_response_body else []),
            errors_as_json,
            *guards(settings),
        ],
        client_max_size=settings.max_upload_bytes,
    )
    app[LOCK] = hold_folder(settings)
    app[PARTS] = make_parts(settings, supervised=supervised)
    app[logs.LOG_BOOK] = logs.LogBook(app[PARTS].hub)
    app[WRITING] = asyncio.Lock()
    app[MAX_UPLOAD_BYTES] = settings.max_upload_bytes
    app[CORS_ORIGIN] = settings.cors_origin
    app.on_response_prepare.append(add_headers)
    for table in TWICE:
        app.add_routes(table)
        app.add_routes(_below_api(table))
    for routes in (
        system.internal_routes,
        gallery.routes,
        logs.routes,
        metrics.routes,
        v1.routes,
        openapi.routes,
        editor.routes,
    ):
        app.add_routes(routes)
    app.cleanup_ctx.append(logs.keeping_logs)
    packs.attach(app)
    editor.attach(app)
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_close_sockets)
    return app


def hold_folder(settings: ServerSettings) -> FileLock:
    """Keep other servers out of the user folder, whose jobs they would take for left behind.

    Raises GraphEngineError if one is there. The system lets go of it however the process ends.
    """
    folder = settings.folders().user
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "graphengine.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise GraphEngineError("already_serving", folder=str(folder)) from error
    return lock


def make_parts(settings: ServerSettings, *, supervised: bool = False) -> Parts:
    """The long-lived objects; the worker does not run yet."""
    if settings.devices:
        settings = settings.model_copy(update={"device": settings.devices[0]})
    engine = make_engine(settings)
    store, folder = _store(settings), settings.folders().user
    for job in settle_crash(store, folder):
        logger.error("job %s ended the server; it is not run again", job.id)
    jobs = Jobs(store, on_restart=settings.on_restart)
    filmstrips = Filmstrips(folder / "filmstrips")
    hub = Hub(jobs, filmstrips, plain_previews="preview_method" in settings.model_fields_set)
    jobs.on_change = hub.queue_changed
    checked = CheckedGraphs()
    running = RunningNodes(folder)
    workers = tuple(
        Worker(
            jobs,
            engine,
            hub.tell,
            checked=checked,
            device=device,
            name=name,
            running=running,
            slot=slot,
        )
        for slot, (device, name) in enumerate(_devices(settings))
    )
    return Parts(
        settings,
        engine,
        jobs,
        workers,
        checked,
        hub,
        filmstrips,
        object_info=NodeListing(object_info, engine),
        node_list=NodeListing(nodes_answer, engine),
        plugins=PluginWatch(engine, hub),
        supervised=supervised,
    )


def _devices(settings: ServerSettings) -> Iterator[tuple[str | None, str]]:
    """Where each worker computes: the first where the engine does; and what that is called."""
    yield None, settings.device
    yield from ((device, device) for device in settings.devices[1:])


def make_engine(settings: ServerSettings) -> Engine:
    """The engine that `Engine.open` gives, with folders that are watched."""
    opened = Engine.open(settings)
    return replace(opened, folders=watched(opened.folders))


def _store(settings: ServerSettings) -> Store:
    if settings.database_url is not None:
        return Store.open(settings.database_url)
    return Store.in_folder(settings.folders().user)


def _below_api(table: web.RouteTableDef) -> Iterable[web.RouteDef]:
    for route in table:
        assert isinstance(route, web.RouteDef)
        yield web.route(route.method, f"/api{route.path}", route.handler, **route.kwargs)


async def _running(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    parts.hub.attach()
    for worker in parts.workers:
        worker.start()
    watching = asyncio.create_task(parts.plugins.watch(lambda: packs.connect(app)))
    yield
    watching.cancel()
    parts.jobs.close()
    await asyncio.to_thread(_join, parts.workers)
    parts.jobs.store.close()
    app[LOCK].release()


def _join(workers: Iterable[Worker]) -> None:
    until = time.monotonic() + STOP_TIMEOUT_S
    for worker in workers:
        worker.join(max(until - time.monotonic(), 0))


async def _close_sockets(app: web.Application) -> None:
    await app[PARTS].hub.close()

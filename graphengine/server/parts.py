"""What the routes work with; made once when the server starts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from graphengine.engine import Engine
from graphengine.jobs import Jobs
from graphengine.server.filmstrips import Filmstrips
from graphengine.server.node_listing import NodeListing
from graphengine.server.plugin_watch import PluginWatch
from graphengine.server.settings import ServerSettings
from graphengine.server.socket import Hub
from graphengine.worker import CheckedGraphs, Worker


@dataclass(frozen=True)
class Parts:
    """The long-lived objects of a server."""

    settings: ServerSettings
    engine: Engine
    jobs: Jobs
    workers: tuple[Worker, ...]
    checked: CheckedGraphs
    hub: Hub
    filmstrips: Filmstrips
    object_info: NodeListing
    node_list: NodeListing
    plugins: PluginWatch
    supervised: bool

    def free(self, *, models: bool, results: bool) -> None:
        """Let networks and kept results go, at once if nothing runs, else after it."""
        self.workers[0].free(models=models, results=results)

    def forget(self, job_ids: Collection[str] | None = None) -> None:
        """Forget jobs that have ended, or all of them, with the pictures of their steps."""
        if job_ids is None:
            self.jobs.store.forget_all()
            self.filmstrips.forget_all()
        else:
            self.jobs.store.forget(job_ids)
            self.filmstrips.forget(job_ids)


PARTS = web.AppKey("parts", Parts)


def parts_of(request: web.Request) -> Parts:
    """The server's parts."""
    return request.app[PARTS]

"""ComfyUI's ``server``: what plugins add to the server, and how they speak to its clients."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web

from graphengine.comfy.host.added import PromptHandler
from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host

logger = logging.getLogger(__name__)


class BinaryEventTypes:
    """The numbers that binary frames begin with."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


class PromptQueue:
    """How many jobs there are."""

    def __init__(self, server: PromptServer) -> None:
        self._server = server

    def get_tasks_remaining(self) -> int:
        """How many have not ended."""
        jobs = self._server.jobs
        return 0 if jobs is None else int(jobs.remaining)


class PromptServer:
    """The one server; ``instance`` exists as soon as a plugin is loaded."""

    instance: PromptServer

    def __init__(self) -> None:
        self.served: web.Application | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.jobs: Any = None
        self.prompt_queue = PromptQueue(self)
        self.supports = ["custom_nodes_from_web"]
        self.number = 0
        self.user_manager: Any = None

    @property
    def routes(self) -> web.RouteTableDef:
        """Routes of the plugin that is being imported, served as they are and below /api."""
        return the_host().adding.routes

    @property
    def app(self) -> web.Application:
        """The server's application; while a plugin is imported, one that takes its routes."""
        host = the_host()
        loading = host.adding is not host.late
        return host.adding.app if loading or self.served is None else self.served

    @property
    def on_prompt_handlers(self) -> tuple[PromptHandler, ...]:
        """What looks at each prompt that is sent."""
        return the_host().prompt_handlers

    @property
    def client_id(self) -> str | None:
        """The client whose prompt is running in this call."""
        run = the_host().run
        return None if run is None else run.client_id

    @property
    def last_prompt_id(self) -> str | None:
        """The prompt that is running."""
        run = the_host().run
        return None if run is None else run.job_id

    @property
    def last_node_id(self) -> str | None:
        """The node whose call this is."""
        context = running_context()
        return None if context is None else context.node_id

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        """Send a message to a client, or to all; from any thread."""
        send = the_host().send
        if send is not None:
            send(event, data, sid)

    async def send(self, event: Any, data: Any, sid: str | None = None) -> None:
        """As `send_sync`."""
        self.send_sync(event, data, sid)

    async def send_json(self, event: str, data: Any, sid: str | None = None) -> None:
        """As `send_sync`."""
        self.send_sync(event, data, sid)

    def send_progress_text(self, text: str | bytes, node_id: str, sid: str | None = None) -> None:
        """Show a text at a node while it runs."""
        import struct

        encoded = text.encode() if isinstance(text, str) else bytes(text)
        name = str(node_id).encode()
        payload = struct.pack(">I", len(name)) + name + encoded
        self.send_sync(BinaryEventTypes.TEXT, payload, sid or self.client_id)

    def add_on_prompt_handler(self, handler: PromptHandler) -> None:
        """Let a function look at, and change, what is sent to /prompt."""
        the_host().adding.prompt_handlers.append(handler)

    def trigger_on_prompt(self, json_data: dict[str, Any]) -> dict[str, Any]:
        """What is sent to /prompt, as all handlers leave it; one that fails is passed over."""
        for handler in self.on_prompt_handlers:
            try:
                json_data = handler(json_data)
            except Exception:  # a plugin's code, which may fail in any way
                logger.exception("a plugin's prompt handler failed")
        return json_data

    def add_routes(self) -> None:
        """Nothing to do: routes are added when the server starts."""

    def queue_updated(self) -> None:
        """Nothing to do: clients are told of every change."""


PromptServer.instance = PromptServer()
the_host().server = PromptServer.instance


def __getattr__(name: str) -> Any:
    return missing("server", name)

"""ComfyUI's ``server``: what plugins add to the server, and how they speak to its clients."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
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
    """The jobs, as plugins look at them; items are (number, id, prompt, extra data, outputs)."""

    def __init__(self, server: PromptServer) -> None:
        self._server = server

    def get_tasks_remaining(self) -> int:
        """How many have not ended."""
        jobs = self._server.jobs
        return 0 if jobs is None else int(jobs.remaining)

    def get_current_queue(self) -> tuple[list[Any], list[Any]]:
        """What runs, and what waits."""
        jobs = self._server.jobs
        return ([], []) if jobs is None else jobs.items()

    get_current_queue_volatile = get_current_queue

    @property
    def currently_running(self) -> dict[int, Any]:
        """What runs, numbered."""
        return dict(enumerate(self.get_current_queue()[0]))

    @property
    def queue(self) -> list[Any]:
        """What waits."""
        return self.get_current_queue()[1]

    @property
    def history(self) -> dict[str, Any]:
        """What has ended, oldest first."""
        return self.get_history()

    def get_history(
        self,
        prompt_id: str | None = None,
        max_items: int | None = None,
        offset: int = -1,
        map_function: Any = None,
    ) -> dict[str, Any]:
        """What has ended, oldest first, or one of them."""
        jobs = self._server.jobs
        if jobs is None:
            return {}
        if prompt_id is not None:
            return dict(jobs.ended_job(prompt_id))
        found = jobs.ended(max_items if offset < 0 else None)
        if offset >= 0:
            chosen = list(found.items())[offset:][:max_items]
            found = dict(chosen)
        return found if map_function is None else {k: map_function(v) for k, v in found.items()}

    def wipe_queue(self) -> None:
        """Cancel all that waits."""
        self._asked().clear()

    def delete_queue_item(self, function: Any) -> bool:
        """Cancel the first for which a function says so."""
        return bool(self._asked().cancel(function))

    def wipe_history(self) -> None:
        """Forget all that has ended."""
        self._asked().forget(None)

    def delete_history_item(self, id_to_delete: str) -> None:
        """Forget one that has ended."""
        self._asked().forget(id_to_delete)

    def set_flag(self, name: str, data: Any) -> None:
        """``unload_models`` and ``free_memory``: let networks and results go."""
        results = name == "free_memory" and bool(data)
        models = name == "unload_models" and bool(data)
        if results or models:
            self._asked().free(models=models or results, results=results)

    def get_flags(self, reset: bool = True) -> dict[str, Any]:
        """Nothing: flags are acted upon at once."""
        del reset
        return {}

    def _asked(self) -> Any:
        if self._server.jobs is None:
            raise RuntimeError("there is no queue before the server has started")
        return self._server.jobs

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute("prompt_queue", name)


def missing_attribute(owner: str, name: str) -> AttributeError:
    """What an object raises for what ComfyUI's has and it has not."""
    return AttributeError(
        f"graphengine's PromptServer has no {owner}.{name}; "
        "docs/en/coming-from-comfyui.md lists what is there"
    )


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
        self.address, self.port = "127.0.0.1", 8188
        self.sockets_metadata: dict[str, Any] = {}

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
    def sockets(self) -> dict[str, Any]:
        """The clients that listen, by id; there is nothing to be done with them."""
        return {} if self.jobs is None else dict.fromkeys(self.jobs.clients())

    @property
    def web_root(self) -> str:
        """The folder of the editor's page."""
        import graphengine

        return str(Path(graphengine.__file__).parent / "webui")

    def get_queue_info(self) -> dict[str, Any]:
        """How many jobs have not ended, as clients are told."""
        return {"exec_info": {"queue_remaining": self.prompt_queue.get_tasks_remaining()}}

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

    async def send_bytes(self, event: Any, data: Any, sid: str | None = None) -> None:
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

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute("instance", name)

    def add_routes(self) -> None:
        """Nothing to do: routes are added when the server starts."""

    def queue_updated(self) -> None:
        """Nothing to do: clients are told of every change."""


PromptServer.instance = PromptServer()
the_host().server = PromptServer.instance


def __getattr__(name: str) -> Any:
    return missing("server", name)

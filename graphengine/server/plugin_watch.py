"""Loads plugins anew when one of their files is saved; what runs goes on with the old ones."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from graphengine.engine import Engine
from graphengine.errors import GraphEngineError
from graphengine.plugins.plugin import LoadFailure
from graphengine.plugins.source import state_of_files
from graphengine.server.live import Said
from graphengine.server.socket import Hub

logger = logging.getLogger(__name__)
LOOKED_AT_S = 0.25
_SHARE = 0.05
"""Of the time, at most so much is spent looking at many files."""


class PluginWatch:
    """Looks at the plugins' files four times a second and tells clients what has changed."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._loading = asyncio.Lock()
        self._seen = self._state()

    async def watch(self, after: Callable[[], Awaitable[None]]) -> None:
        """Until it is cancelled; ``after`` is called when plugins were loaded anew."""
        self._log_failures()
        took = 0.0
        while True:
            await asyncio.sleep(max(LOOKED_AT_S, took / _SHARE))
            began = time.perf_counter()
            now = await asyncio.to_thread(self._state)
            took = time.perf_counter() - began
            if now != self._seen:
                self._seen = now
                await self.reload()
                await after()

    async def reload(self) -> None:
        """Load what has changed; a file of decisions that is damaged leaves all as it was."""
        async with self._loading:
            before, known = self._loaded(), self._engine.registry.failures
            try:
                await asyncio.to_thread(self._engine.reload_plugins)
            except GraphEngineError:
                logger.exception("plugins could not be loaded anew")
                return
        self._log_failures(known)
        changed = sorted({plugin.name for plugin in before ^ self._loaded()})
        if changed:
            logger.info("plugins loaded anew: %s", ", ".join(changed))
            self._hub.say_all(Said("plugins_changed", {"plugins": changed}))

    def _log_failures(self, known: Collection[LoadFailure] = ()) -> None:
        for failure in self._engine.registry.failures:
            if failure not in known:
                logger.warning("%s could not be loaded: %s", failure.where, failure.cause)

    def _state(self) -> tuple[Any, Any]:
        """What differs once a file of a plugin was written, added or removed."""
        return state_of_files(self._engine.plugin_folders), self._engine.pack_folders.states()

    def _loaded(self) -> set[Any]:
        """All plugins, those written for ComfyUI too; one that is loaded anew is another."""
        host = self._engine.host
        return {*self._engine.registry.plugins, *(() if host is None else host.packs)}

"""Loads plugins anew when one of their files is saved; what runs goes on with the old ones."""

from __future__ import annotations

import asyncio
import logging

from graphengine.engine import Engine
from graphengine.errors import GraphEngineError
from graphengine.plugins.source import state_of_files
from graphengine.registry import Registry
from graphengine.server.live import Said
from graphengine.server.socket import Hub

logger = logging.getLogger(__name__)
LOOKED_AT_S = 0.25


class PluginWatch:
    """Looks at the plugins' files four times a second and tells clients what has changed."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._loading = asyncio.Lock()
        self._seen = state_of_files(engine.plugin_folders)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOKED_AT_S)
            now = await asyncio.to_thread(state_of_files, self._engine.plugin_folders)
            if now != self._seen:
                self._seen = now
                await self.reload()

    async def reload(self) -> None:
        """Load what has changed; a file of decisions that is damaged leaves all as it was."""
        async with self._loading:
            before = self._engine.registry
            try:
                registry = await asyncio.to_thread(self._engine.reload_plugins)
            except GraphEngineError:
                logger.exception("plugins could not be loaded anew")
                return
        changed = _changed(before, registry)
        if changed:
            logger.info("plugins loaded anew: %s", ", ".join(changed))
            self._hub.say_all(Said("plugins_changed", {"plugins": changed}))


def _changed(before: Registry, now: Registry) -> list[str]:
    old, new = set(before.plugins), set(now.plugins)
    return sorted({plugin.name for plugin in old ^ new})

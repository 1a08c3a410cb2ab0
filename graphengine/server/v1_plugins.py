"""/api/v1/plugins: what there is, what it may do, its scripts; enabling and switching off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from graphengine.errors import GraphEngineError
from graphengine.folders import inside
from graphengine.nearest import listed, nearest
from graphengine.plugins.decisions import Decisions, change_decisions
from graphengine.plugins.plugin import Plugin
from graphengine.registry import Registry
from graphengine.server import packs
from graphengine.server.answers import Refusal, read_model, refusal_of
from graphengine.server.operations import Operation, answer
from graphengine.server.parts import parts_of
from graphengine.server.plugin_models import EnableBody, PluginInfo, PluginsAnswer


async def get_plugins(request: web.Request) -> web.Response:
    """All plugins, and which modules brought which nodes."""
    engine = parts_of(request).engine
    registry = engine.registry
    nodes: dict[str, list[str]] = {}
    for spec in registry.specs():
        nodes.setdefault(spec.origin.package, []).append(spec.id)
    told = {
        "plugins": [_told(plugin, registry) for plugin in registry.plugins],
        "packs": [] if engine.host is None else packs.listed(engine.host, registry),
        "nodes": nodes,
        "failures": [failure.as_dict() for failure in registry.failures],
    }
    return answer(PluginsAnswer.model_validate(told))


async def enable_plugin(request: web.Request) -> web.Response:
    """Let a plugin run as it is now; 409 if it has changed since the person looked at it."""
    plugin = _plugin(request)
    body = await read_model(request, EnableBody)
    if body.digest != plugin.digest:
        error = GraphEngineError("plugin_not_as_seen", name=plugin.name)
        raise refusal_of(error, 409)
    return await _decide(request, lambda known: known.enable(plugin.name, plugin.digest))


async def disable_plugin(request: web.Request) -> web.Response:
    """Switch a plugin off."""
    plugin = _plugin(request)
    return await _decide(request, lambda known: known.disable(plugin.name))


async def get_script(request: web.Request) -> web.StreamResponse:
    """A file of an enabled plugin's ``web`` folder."""
    plugin, name = _plugin(request), request.match_info["path"]
    root = plugin.web if plugin.state == "enabled" else None
    file = None if root is None else inside(root, name)
    if file is None or not file.is_file():
        raise Refusal(404, "file_not_found", f"The plugin {plugin.name!r} has no file {name!r}")
    headers = {"Cache-Control": "no-cache"}
    if file.suffix in (".js", ".mjs"):
        headers["Content-Type"] = "text/javascript"
    return web.FileResponse(file, headers=headers)


OPERATIONS = (
    Operation("GET", "/plugins", "Plugins and what failed", get_plugins, PluginsAnswer),
    Operation(
        "POST", "/plugins/{name}/enable", "Let a plugin run", enable_plugin, PluginInfo, EnableBody
    ),
    Operation("POST", "/plugins/{name}/disable", "Switch a plugin off", disable_plugin, PluginInfo),
    Operation(
        "GET",
        "/plugins/{name}/web/{path}",
        "A script for the editor",
        get_script,
        gives="text/javascript",
    ),
)


async def _decide(request: web.Request, change: Callable[[Decisions], Decisions]) -> web.Response:
    parts = parts_of(request)
    await asyncio.to_thread(change_decisions, parts.engine.plugin_folders, change)
    await parts.plugins.reload()
    told = _told(_plugin(request), parts.engine.registry)
    return answer(PluginInfo.model_validate(told))


def _told(plugin: Plugin, registry: Registry) -> dict[str, Any]:
    """A plugin as JSON values; of its nodes those that the registry has not refused."""
    refused = [
        failure.as_dict()
        for failure in registry.failures
        if Path(failure.file).is_relative_to(plugin.path) and failure not in plugin.failures
    ]
    nodes = [spec.id for spec in plugin.specs if registry.get(spec.id) is spec]
    told = plugin.as_dict()
    return {**told, "nodes": nodes, "failures": [*told["failures"], *refused]}


def _plugin(request: web.Request) -> Plugin:
    name = request.match_info["name"]
    plugins = parts_of(request).engine.registry.plugins
    found = next((plugin for plugin in plugins if plugin.name == name), None)
    if found is None:
        near = listed(nearest(name, [plugin.name for plugin in plugins]))
        raise refusal_of(GraphEngineError("plugin_unknown", name=name, nearest=near), 404)
    return found

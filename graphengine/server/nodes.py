"""Nodes and the socket: ComfyUI's routes."""

from __future__ import annotations

import asyncio

from aiohttp import web

from graphengine.comfy.node_info import node_info
from graphengine.server.answers import json_answer
from graphengine.server.parts import parts_of

routes = web.RouteTableDef()


@routes.get("/object_info")
async def get_object_info(request: web.Request) -> web.Response:
    """All nodes."""
    body, _ = await asyncio.to_thread(parts_of(request).object_info.current)
    return web.Response(body=body, content_type="application/json")


@routes.get("/object_info/{node}")
async def get_node_info(request: web.Request) -> web.Response:
    """One node; an empty object if it is not known."""
    engine = parts_of(request).engine
    spec = engine.registry.get(request.match_info["node"])
    info = {} if spec is None else node_info(spec, engine.folders)
    return json_answer({} if spec is None or not info else {spec.id: info})


@routes.get("/ws")
async def get_socket(request: web.Request) -> web.WebSocketResponse:
    """The WebSocket."""
    return await parts_of(request).hub.serve(request)

"""Model files: ComfyUI's routes."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path, PurePosixPath
from typing import Any

from aiohttp import web

from graphengine.server.answers import Refusal, json_answer
from graphengine.server.parts import parts_of

routes = web.RouteTableDef()
LARGEST_HEADER_BYTES = 100 * 1024 * 1024
_PREVIEW_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")
_PREVIEW_SIDE = 512
_NOT_LISTED = ("configs", "custom_nodes")


@routes.get("/embeddings")
async def get_embeddings(request: web.Request) -> web.Response:
    """The names of embeddings, without extension."""
    names = parts_of(request).engine.folders.list("embeddings")
    return json_answer([str(PurePosixPath(name).with_suffix("")) for name in names])


@routes.get("/models")
async def get_kinds(request: web.Request) -> web.Response:
    """The kinds of model folders."""
    return json_answer(list(parts_of(request).engine.folders.models))


@routes.get("/models/{folder}")
async def get_models(request: web.Request) -> web.Response:
    """The files of a kind; 404 if there is no such kind."""
    return json_answer(list(parts_of(request).engine.folders.list(_kind(request))))


@routes.get("/view_metadata/{folder}")
async def get_metadata(request: web.Request) -> web.Response:
    """What a safetensors file says of itself; 404 if it says nothing."""
    kind = _kind(request)
    name = request.query.get("filename", "")
    path = parts_of(request).engine.folders.find(kind, name)
    metadata = None
    if path is not None and path.suffix == ".safetensors":
        metadata = await asyncio.to_thread(_metadata, path)
    if metadata is None:
        raise Refusal(404, "file_not_found", f"There is no metadata of {name!r} in {kind}")
    return json_answer(metadata)


@routes.get("/experiment/models")
async def get_folders(request: web.Request) -> web.Response:
    """The kinds with their folders."""
    folders = parts_of(request).engine.folders
    kinds = (kind for kind in folders.models if kind not in _NOT_LISTED)
    found = [{"name": k, "folders": [str(root) for root in folders.roots(k)]} for k in kinds]
    return json_answer(found)


@routes.get("/experiment/models/{folder}")
async def get_model_files(request: web.Request) -> web.Response:
    """The files of a kind with size and times."""
    return json_answer(await asyncio.to_thread(_described, request, _kind(request)))


@routes.get("/experiment/models/preview/{folder}/{path_index}/{filename:.+}")
async def get_preview(request: web.Request) -> web.Response:
    """The picture that lies beside a model file, small; 404 if there is none."""
    from graphengine.server import pictures

    path = parts_of(request).engine.folders.find(_kind(request), request.match_info["filename"])
    beside = () if path is None else (path.with_suffix(suffix) for suffix in _PREVIEW_SUFFIXES)
    picture = next((file for file in beside if file.is_file()), None)
    if picture is None:
        raise Refusal(404, "file_not_found", "There is no picture of this model")
    content, kind = await asyncio.to_thread(pictures.thumbnail, picture, _PREVIEW_SIDE)
    return web.Response(body=content, content_type=kind)


def _kind(request: web.Request) -> str:
    kind = request.match_info["folder"]
    if kind not in parts_of(request).engine.folders.models:
        raise Refusal(404, "folder_not_found", f"There is no model folder {kind!r}")
    return kind


def _described(request: web.Request, kind: str) -> list[dict[str, Any]]:
    folders = parts_of(request).engine.folders
    roots = folders.roots(kind)
    found = []
    for name in folders.list(kind):
        path = folders.find(kind, name)
        if path is None:
            continue
        state = path.stat()
        index = next((i for i, root in enumerate(roots) if path.is_relative_to(root.resolve())), 0)
        found.append(
            {
                "name": name,
                "pathIndex": index,
                "modified": state.st_mtime,
                "created": state.st_ctime,
                "size": state.st_size,
            }
        )
    return found


def _metadata(path: Path) -> dict[str, Any] | None:
    """``__metadata__`` of a safetensors file: eight bytes of length, then JSON."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return None
        (length,) = struct.unpack("<Q", start)
        if length > min(LARGEST_HEADER_BYTES, path.stat().st_size):
            return None
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else None

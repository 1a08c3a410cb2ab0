"""What belongs to the person: files (saved workflows), settings. ComfyUI's routes.

Files are written whole; each answer carries an ETag, and a write with ``If-Match`` is refused
with 412 if somebody else has written in between.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from aiohttp import web

from graphengine.errors import GraphEngineError
from graphengine.files import sync_folder, write_whole
from graphengine.folders import inside
from graphengine.json_text import parse_json
from graphengine.reasons import reason
from graphengine.server.answers import (
    bad_field,
    json_answer,
    not_found,
    read_body,
    read_object,
    refusal_of,
)
from graphengine.server.security import USER_FILE_HEADERS
from graphengine.server.users import user_folder
from graphengine.server.view import media_type

routes = web.RouteTableDef()
SETTINGS_FILE = "comfy.settings.json"
STYLE_FILE = "user.css"
"""A style of the person's own, which ComfyUI's front end looks for."""


# --- settings -------------------------------------------------------------------------------------


@routes.get("/settings")
async def get_settings(request: web.Request) -> web.Response:
    """All settings of the editor."""
    return json_answer(_settings(request))


@routes.get("/settings/{id}")
async def get_setting(request: web.Request) -> web.Response:
    """One setting, or null."""
    return json_answer(_settings(request).get(request.match_info["id"]))


@routes.post("/settings")
async def post_settings(request: web.Request) -> web.Response:
    """Change some settings."""
    _save_settings(request, await read_object(request))
    return web.Response()


@routes.post("/settings/{id}")
async def post_setting(request: web.Request) -> web.Response:
    """Change one setting."""
    _save_settings(request, {request.match_info["id"]: await read_body(request)})
    return web.Response()


def _settings(request: web.Request) -> dict[str, Any]:
    path = user_folder(request) / SETTINGS_FILE
    try:
        found = parse_json(path.read_bytes(), SETTINGS_FILE).data
    except (FileNotFoundError, GraphEngineError):
        return {}
    return found if isinstance(found, dict) else {}


def _save_settings(request: web.Request, changes: dict[str, Any]) -> None:
    settings = {**_settings(request), **changes}
    content = json.dumps(settings, indent=4, ensure_ascii=False).encode()
    write_whole(user_folder(request) / SETTINGS_FILE, content)


# --- files ----------------------------------------------------------------------------------------


@routes.get("/userdata")
async def get_listing(request: web.Request) -> web.Response:
    """The files of a folder; with ``recurse``, ``full_info``, ``split``."""
    query = request.query
    if not query.get("dir"):
        raise bad_field("dir", reason("reason_missing"))
    folder = _path(request, query["dir"])
    if not folder.is_dir():
        raise not_found("folder_not_found", query["dir"])
    pattern = "**/*" if query.get("recurse", "").lower() == "true" else "*"
    files = sorted(path for path in folder.glob(pattern) if _is_shown(path, folder))
    if query.get("full_info", "").lower() == "true":
        return json_answer([_info(path, folder) for path in files])
    names = [path.relative_to(folder).as_posix() for path in files]
    if query.get("split", "").lower() == "true":
        return json_answer([[name, *name.split("/")] for name in names])
    return json_answer(names)


@routes.get("/v2/userdata")
async def get_entries(request: web.Request) -> web.Response:
    """The folders and files of a folder."""
    name = request.query.get("path", "")
    root = user_folder(request)
    folder = _path(request, name) if name.strip("/") else root
    if not folder.is_dir():
        if folder == root:
            return json_answer([])
        raise not_found("folder_not_found", name)
    entries = sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name))
    return json_answer([_entry(path, root) for path in entries if _may_be_shown(path, root)])


@routes.get("/userdata/{file}")
async def get_file(request: web.Request) -> web.StreamResponse:
    """A file."""
    path = _existing(request, request.match_info["file"])
    kind = "text/css" if path.name == STYLE_FILE else media_type(path)
    headers = {**USER_FILE_HEADERS, "Content-Type": kind, "Cache-Control": "no-cache"}
    return web.FileResponse(path, headers=headers)


@routes.post("/userdata/{file}")
async def post_file(request: web.Request) -> web.Response:
    """Write a file."""
    path = _path(request, request.match_info["file"])
    _check_overwrite(request, path)
    content = await request.read()
    await asyncio.to_thread(_write, path, content)
    return _written(request, path)


@routes.delete("/userdata/{file}")
async def delete_file(request: web.Request) -> web.Response:
    """Delete a file."""
    path = _existing(request, request.match_info["file"])
    _check_etag(request, path)
    path.unlink()
    return web.Response(status=204)


@routes.post("/userdata/{file}/move/{dest}")
async def move_file(request: web.Request) -> web.Response:
    """Give a file another name."""
    source = _existing(request, request.match_info["file"])
    path = _path(request, request.match_info["dest"])
    if request.query.get("overwrite", "").lower() == "false" and path.exists():
        raise refusal_of(GraphEngineError("file_exists", name=path.name), 409)
    if path.is_dir():
        raise refusal_of(GraphEngineError("outside_folder", name=path.name), 400)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, path)
    sync_folder(path.parent)
    return _written(request, path)


# --- paths ----------------------------------------------------------------------------------------


def _path(request: web.Request, name: str) -> Path:
    path = inside(user_folder(request), name.lstrip("/"))
    if path is None:
        raise refusal_of(GraphEngineError("outside_folder", name=name), 403)
    return path


def _existing(request: web.Request, name: str) -> Path:
    path = _path(request, name)
    if not path.is_file():
        raise not_found("user_file_not_found", name)
    return path


def _is_shown(path: Path, folder: Path) -> bool:
    return path.is_file() and _may_be_shown(path, folder)


def _may_be_shown(path: Path, folder: Path) -> bool:
    """Not what is being written, and no link that leads out."""
    name = path.relative_to(folder).as_posix()
    return not path.name.endswith(".tmp") and inside(folder, name) is not None


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:  # a folder where a file should be, a name that is too long
        raise refusal_of(GraphEngineError("file_not_written", cause=error.strerror)) from error


def _check_overwrite(request: web.Request, path: Path) -> None:
    if path.is_dir():
        raise refusal_of(GraphEngineError("outside_folder", name=path.name), 400)
    if request.query.get("overwrite", "").lower() == "false" and path.exists():
        raise refusal_of(GraphEngineError("file_exists", name=path.name), 409)
    _check_etag(request, path)


def _check_etag(request: web.Request, path: Path) -> None:
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted == "*":
        return
    if not path.is_file() or wanted.strip() != _etag(path):
        raise refusal_of(GraphEngineError("file_changed", name=path.name), 412)


def _etag(path: Path) -> str:
    """As aiohttp makes it for the files it sends."""
    state = path.stat()
    return f'"{state.st_mtime_ns:x}-{state.st_size:x}"'


def _written(request: web.Request, path: Path) -> web.Response:
    root = user_folder(request).resolve()
    full = request.query.get("full_info", "").lower() == "true"
    answer = json_answer(_info(path, root) if full else path.relative_to(root).as_posix())
    answer.headers["ETag"] = _etag(path)
    return answer


def _info(path: Path, folder: Path) -> dict[str, Any]:
    state = path.stat()
    return {
        "path": path.relative_to(folder).as_posix(),
        "size": state.st_size,
        "modified": int(state.st_mtime * 1000),
        "created": int(state.st_ctime * 1000),
    }


def _entry(path: Path, root: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": path.name, "path": path.relative_to(root).as_posix()}
    if path.is_dir():
        return {**entry, "type": "directory"}
    state = path.stat()
    return {**entry, "type": "file", "size": state.st_size, "modified": int(state.st_mtime * 1000)}

"""Pictures out and in: /view, /upload/image, /upload/mask."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from graphengine.errors import GraphEngineError
from graphengine.files import write_whole
from graphengine.folders import Folders, inside
from graphengine.json_text import parse_json
from graphengine.server import pictures
from graphengine.server.answers import Refusal, json_answer, refusal_of
from graphengine.server.parts import parts_of
from graphengine.server.security import USER_FILE_HEADERS

routes = web.RouteTableDef()
Kind = Literal["input", "output", "temp"]
KINDS = ("input", "output", "temp")
_SUFFIX = re.compile(r"^(?P<name>.*).\[(?P<kind>input|output|temp)\]$", re.DOTALL)
_ACTIVE = re.compile(r"html|javascript|ecmascript|css|xml|svg|pdf|x-shockwave", re.IGNORECASE)
"""Media types that could run something in a browser; their files come as plain bytes."""

_NEWER_TYPES = {
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".glb": "model/gltf-binary",
    ".mkv": "video/x-matroska",
    ".opus": "audio/ogg",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
"""Python knows these only where the system tells it."""


# --- out ------------------------------------------------------------------------------------------


@routes.get("/view")
async def get_view(request: web.Request) -> web.StreamResponse:
    """A file of the input, output or temporary folder; as preview or one channel if asked for."""
    query = request.query
    path = find_file(
        parts_of(request).engine.folders,
        query.get("filename", ""),
        query.get("type", "output"),
        query.get("subfolder", ""),
    )
    headers = {**USER_FILE_HEADERS, "Content-Disposition": disposition(path.name)}
    channel = query.get("channel", "")
    if "preview" in query:
        recoded = asyncio.to_thread(pictures.recoded, path, query["preview"], channel)
    elif channel in ("rgb", "a"):
        one = pictures.colours_only if channel == "rgb" else pictures.alpha_only
        recoded = asyncio.to_thread(one, path)
    else:
        return web.FileResponse(path, headers={**headers, "Content-Type": media_type(path)})
    try:
        content, kind = await recoded
    except GraphEngineError as error:
        raise refusal_of(error) from error
    return web.Response(body=content, content_type=kind, headers=headers)


def find_file(folders: Folders, filename: str, kind: str, subfolder: str) -> Path:
    """The file that is asked for; raises `Refusal` 400, 403 or 404 as ComfyUI answers."""
    if match := _SUFFIX.match(filename):
        filename, kind = match["name"], match["kind"]
    if not filename:
        raise Refusal(404, "file_not_found", "No filename given")
    if filename.startswith("/") or ".." in filename or kind not in KINDS:
        raise refusal_of(GraphEngineError("bad_file_name", name=filename, kind=kind))
    root = folders.roots(kind)[0]
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    folder = root if subfolder.strip("/") in ("", ".") else inside(root, subfolder)
    if folder is None:
        raise refusal_of(GraphEngineError("outside_folder", name=subfolder), 403)
    path = inside(folder, name)
    if path is None or not path.is_file():
        raise Refusal(404, "file_not_found", f"There is no {filename} in {kind}")
    return path


def media_type(path: Path) -> str:
    """What a file's name says it is, unless a browser would run that."""
    known = _NEWER_TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0]
    guessed = known or "application/octet-stream"
    return "application/octet-stream" if _ACTIVE.search(guessed) else guessed


def disposition(name: str) -> str:
    """The header that gives a file its name, whatever characters it has."""
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    return f'filename="{plain}"'


# --- in -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upload:
    """The fields of an upload."""

    name: str
    content: bytes
    kind: Kind = "input"
    subfolder: str = ""
    overwrite: bool = False
    original_ref: Any = None


@routes.post("/upload/image")
async def post_image(request: web.Request) -> web.Response:
    """Take a picture, sound or video into a folder."""
    upload = await _read_upload(request)
    folders = parts_of(request).engine.folders
    await asyncio.to_thread(_check, upload)
    return json_answer(await asyncio.to_thread(_store, folders, upload))


@routes.post("/upload/mask")
async def post_mask(request: web.Request) -> web.Response:
    """Take the alpha of a picture into a copy of another one, ``original_ref``."""
    upload = await _read_upload(request)
    folders = parts_of(request).engine.folders
    original = _original(folders, upload.original_ref)
    return json_answer(await asyncio.to_thread(_store_masked, folders, upload, original))


async def _read_upload(request: web.Request) -> Upload:
    if not request.content_type.startswith("multipart/"):
        raise refusal_of(GraphEngineError("upload_form"))
    try:
        fields = await _read_fields(await request.multipart(), request)
    except (ValueError, UnicodeDecodeError, LookupError) as error:
        raise refusal_of(GraphEngineError("upload_form")) from error
    if not isinstance(fields.get("image"), tuple):
        raise refusal_of(GraphEngineError("upload_form"))
    name, content = fields["image"]
    kind = fields.get("type") or "input"
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    if kind not in KINDS or not name or name.startswith("."):
        raise refusal_of(GraphEngineError("bad_file_name", name=name, kind=kind))
    return Upload(
        name=name,
        content=content,
        kind=cast(Kind, kind),
        subfolder=fields.get("subfolder") or "",
        overwrite=fields.get("overwrite") in ("true", "1"),
        original_ref=_reference(fields.get("original_ref")),
    )


async def _read_fields(reader: MultipartReader, request: web.Request) -> dict[str, Any]:
    """The parts by name: texts, and of files the name and the content, bounded altogether."""
    fields: dict[str, Any] = {}
    left = parts_of(request).settings.max_upload_bytes
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ValueError("a form within a form")
        content = bytearray()
        while chunk := await part.read_chunk(1 << 16):
            left -= len(chunk)
            if left < 0:
                raise web.HTTPRequestEntityTooLarge(
                    parts_of(request).settings.max_upload_bytes, request.content_length or 0
                )
            content += chunk
        if part.filename is None:
            fields[part.name or ""] = content.decode()
        else:
            fields[part.name or ""] = (part.filename, bytes(content))
    return fields


def _reference(text: Any) -> Any:
    return None if not isinstance(text, str) else parse_json(text.encode(), "original_ref").data


def _check(upload: Upload) -> None:
    """Refuse what is no picture; of sound and video, which nodes of plugins load, by its name."""
    if media_type(Path(upload.name)).startswith(("audio/", "video/")):
        return
    try:
        pictures.check_picture(upload.content, upload.name)
    except GraphEngineError as error:
        raise refusal_of(error) from error


def _store(folders: Folders, upload: Upload) -> dict[str, str]:
    """Write it under its own name, or a free one like it; the same content is not written twice."""
    root = folders.roots(upload.kind)[0]
    wanted = "/".join(filter(None, (upload.subfolder.strip("/"), upload.name)))
    path = inside(root, wanted)
    if path is None or path.suffix.lower() in (".html", ".htm", ".js", ".svg"):
        raise refusal_of(GraphEngineError("outside_folder", name=wanted))
    if not upload.overwrite:
        path = _free(path, upload.content)
    if not path.is_file() or upload.overwrite:
        write_whole(path, upload.content)
    return {"name": path.name, "subfolder": upload.subfolder, "type": upload.kind}


def _free(path: Path, content: bytes) -> Path:
    """The first of ``name``, ``name (1)``, … that is free or holds this content."""
    digest = hashlib.sha256(content).digest()
    number, candidate = 0, path
    while candidate.exists():
        if candidate.is_file() and hashlib.sha256(candidate.read_bytes()).digest() == digest:
            return candidate
        number += 1
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return candidate


def _original(folders: Folders, reference: Any) -> Path:
    if not isinstance(reference, dict):
        raise refusal_of(GraphEngineError("upload_form"))
    fields = (reference.get(name) for name in ("filename", "type", "subfolder"))
    name, kind, subfolder = (str(field) if field else "" for field in fields)
    return find_file(folders, name, kind or "output", subfolder)


def _store_masked(folders: Folders, upload: Upload, original: Path) -> dict[str, str]:
    try:
        joined = pictures.masked(original.read_bytes(), upload.content, upload.name)
    except GraphEngineError as error:
        raise refusal_of(error) from error
    return _store(
        folders,
        Upload(upload.name, joined, upload.kind, upload.subfolder, upload.overwrite),
    )

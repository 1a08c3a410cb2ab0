"""Workflows as documents: opening whatever holds one, exporting, and templates."""

from __future__ import annotations

import asyncio
import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from graphengine.canvas import Canvas
from graphengine.errors import LANGUAGES, GraphEngineError
from graphengine.job import Job
from graphengine.opening import Opened, open_content, open_data, open_file
from graphengine.parameters import DRAW_SEED
from graphengine.reasons import one_of
from graphengine.registry import Registry, builtin_folder
from graphengine.server.answers import (
    bad_field,
    json_answer,
    not_found,
    read_model,
    refusal_of,
)
from graphengine.server.documents import layouts_of, opened_answer
from graphengine.server.fetching import fetch
from graphengine.server.node_models import Texts
from graphengine.server.operations import PREFIX, Operation, answer
from graphengine.server.parts import Parts, parts_of
from graphengine.server.view import media_type
from graphengine.server.workflow_models import (
    AddressBody,
    DocumentBody,
    OpenedAnswer,
    Template,
    TemplatesAnswer,
)

FIRST_TEMPLATE = "text_to_image"
THUMBNAILS = (".webp", ".png", ".jpg")
FORMATS = ("comfyui", "api")


async def open_workflow(request: web.Request) -> web.Response:
    """The workflow in any file: JSON of any form, or a picture that carries one."""
    parts = parts_of(request)
    content = await request.read()
    name = request.query.get("name") or "workflow"
    opened = await asyncio.to_thread(_opened, parts, content, name)
    return answer(opened)


async def open_address(request: web.Request) -> web.Response:
    """The workflow in a file of the web, which the server fetches because a person asked."""
    parts = parts_of(request)
    body = await read_model(request, AddressBody)
    try:
        content, name = await fetch(body.address, most_bytes=parts.settings.max_upload_bytes)
    except GraphEngineError as error:
        raise refusal_of(error, 400) from error
    return answer(await asyncio.to_thread(_opened, parts, content, name))


async def export_workflow(request: web.Request) -> web.Response:
    """A document as other programs read it."""
    wanted = request.query.get("format", "comfyui")
    if wanted not in FORMATS:
        raise bad_field("format", one_of(FORMATS))
    body = await read_model(request, DocumentBody)
    opened = await asyncio.to_thread(open_data, body.document, layouts_of(parts_of(request).engine))
    return json_answer(await asyncio.to_thread(opened.ui if wanted == "comfyui" else opened.api))


async def open_job(request: web.Request) -> web.Response:
    """The workflow that a job was queued with; with ``seeds=drawn`` the seeds that it drew."""
    parts = parts_of(request)
    job = parts.jobs.store.get(request.match_info["id"])
    if job is None:
        raise not_found("job_not_found", request.match_info["id"])
    drawn = request.query.get("seeds") == "drawn"
    return answer(await asyncio.to_thread(_opened_job, parts, job, drawn))


async def list_templates(request: web.Request) -> web.Response:
    """The workflows that come along, then those of plugins."""
    found = await asyncio.to_thread(templates, parts_of(request).engine.registry)
    return answer(TemplatesAnswer(templates=found))


async def open_template(request: web.Request) -> web.Response:
    """A workflow that comes along, its nodes' titles in the language that is asked for."""
    path = template_path(request)
    language = request.query.get("language", "en")
    return answer(await asyncio.to_thread(_opened_template, parts_of(request), path, language))


async def get_thumbnail(request: web.Request) -> web.StreamResponse:
    """A picture that the template makes."""
    picture = picture_beside(template_path(request))
    if picture is None:
        raise not_found("template_has_no_picture", request.match_info["name"])
    headers = {"Cache-Control": "no-cache", "Content-Type": media_type(picture)}
    return web.FileResponse(picture, headers=headers)


OPERATIONS = (
    Operation(
        "POST",
        "/open",
        "Open any workflow file or picture",
        open_workflow,
        OpenedAnswer,
        query=(("name", "What messages call the file."),),
        takes="application/octet-stream",
    ),
    Operation(
        "POST",
        "/open-address",
        "Open a workflow or picture of the web",
        open_address,
        OpenedAnswer,
        AddressBody,
    ),
    Operation(
        "POST",
        "/export",
        "A workflow for other programs",
        export_workflow,
        body=DocumentBody,
        query=(("format", "comfyui (its editor's) or api."),),
        gives="application/json",
    ),
    Operation(
        "GET",
        "/jobs/{id}/document",
        "The workflow of a job",
        open_job,
        OpenedAnswer,
        query=(("seeds", "drawn: with the seeds that the job drew."),),
    ),
    Operation("GET", "/templates", "Workflows that come along", list_templates, TemplatesAnswer),
    Operation(
        "GET",
        "/templates/{name}",
        "Open a template",
        open_template,
        OpenedAnswer,
        query=(("language", "Of the nodes' titles: en or ja."),),
    ),
    Operation(
        "GET", "/templates/{name}/thumbnail", "Its picture", get_thumbnail, gives="image/webp"
    ),
)


def templates(registry: Registry) -> list[Template]:
    """All templates, the one to start with first."""
    return [_template_info(name, path) for name, path in template_paths(registry).items()]


def template_paths(registry: Registry) -> dict[str, Path]:
    """The templates' files by name: those that come along, then those of plugins."""
    paths = sorted(
        builtin_folder("workflows").glob("*.json"),
        key=lambda path: (path.stem != FIRST_TEMPLATE, path.stem),
    )
    own = {path.stem: path for path in paths}
    return own | {name: path for plugin in registry.plugins for name, path in plugin.templates}


def _template_info(name: str, path: Path) -> Template:
    texts = _template_texts(path)
    plain = path.stem.replace("_", " ").capitalize()

    def text(field: str, default: str) -> Texts:
        return Texts(**{one: texts.get(one, {}).get(field, default) for one in LANGUAGES})

    picture = picture_beside(path)
    return Template(
        name=name,
        title=text("title", plain),
        description=text("description", ""),
        thumbnail=None if picture is None else f"{PREFIX}/templates/{quote(name)}/thumbnail",
    )


def _template_texts(path: Path) -> Mapping[str, Any]:
    """What stands beside a template, by language: title, description, and titles of nodes."""
    file = path.with_suffix(".toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def picture_beside(path: Path) -> Path | None:
    """The picture of a workflow's file."""
    found = (path.with_suffix(end) for end in THUMBNAILS)
    return next((picture for picture in found if picture.is_file()), None)


def template_path(request: web.Request) -> Path:
    """The file of the workflow that a request names; raises `Refusal`."""
    name = request.match_info["name"]
    found = template_paths(parts_of(request).engine.registry).get(name)
    if found is None:
        raise not_found("template_not_found", name)
    return found


def _opened(parts: Parts, content: bytes, name: str) -> OpenedAnswer:
    opened = open_content(content, name, layouts_of(parts.engine))
    return opened_answer(opened, Path(name).stem, parts.engine)


def _opened_template(parts: Parts, path: Path, language: str) -> OpenedAnswer:
    opened = open_file(path, layouts_of(parts.engine))
    titles = _template_texts(path).get(language, {}).get("nodes", {})
    nodes = {
        key: dataclasses.replace(node, title=titles.get(key, node.title))
        for key, node in opened.canvas.nodes.items()
    }
    drawn = dataclasses.replace(opened.canvas, nodes=nodes)
    return opened_answer(dataclasses.replace(opened, drawn=drawn), path.stem, parts.engine)


def opened_file(parts: Parts, path: Path, name: str) -> OpenedAnswer:
    """A file of the user's."""
    return opened_answer(open_file(path, layouts_of(parts.engine)), name, parts.engine)


# --- jobs -----------------------------------------------------------------------------------------


def _opened_job(parts: Parts, job: Job, drawn: bool) -> OpenedAnswer:
    ran = (job.result.prompt if job.result is not None else None) or job.prompt
    opened = _saved_with(job, parts)
    if opened is None:
        opened = open_data(ran, layouts_of(parts.engine))
    elif drawn and opened.drawn is not None:
        opened = dataclasses.replace(opened, drawn=_with_seeds(opened.drawn, ran))
    return opened_answer(opened, f"job {job.id[:8]}", parts.engine)


def _saved_with(job: Job, parts: Parts) -> Opened | None:
    """The editor's own workflow, if the job was queued with one that can be read."""
    info = job.extra_data.get("extra_pnginfo")
    saved = info.get("workflow") if isinstance(info, Mapping) else None
    if not isinstance(saved, Mapping):
        return None
    try:
        return open_data(saved, layouts_of(parts.engine))
    except GraphEngineError:
        return None


def _with_seeds(canvas: Canvas, ran: Mapping[str, Any]) -> Canvas:
    """The canvas with what was drawn for values of -1."""
    nodes = {}
    for node in canvas.nodes.values():
        inputs = ran.get(node.id, {}).get("inputs", {})
        drawn = {
            name: inputs[name]
            for name, value in node.values.items()
            if value == DRAW_SEED and type(inputs.get(name)) is int
        }
        nodes[node.id] = dataclasses.replace(node, values={**node.values, **drawn})
    return dataclasses.replace(canvas, nodes=nodes)

"""The workflows that come along, as ComfyUI's front end and clients look for templates."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from aiohttp import web

from graphengine.opening import open_file
from graphengine.registry import Registry
from graphengine.server.answers import json_answer
from graphengine.server.documents import layouts_of
from graphengine.server.parts import parts_of
from graphengine.server.v1_documents import (
    get_thumbnail,
    picture_beside,
    template_path,
    template_paths,
    templates,
)

routes = web.RouteTableDef()
_TITLES = {"en": "Workflows", "ja": "ワークフロー"}


@routes.get("/templates/index.json")
@routes.get("/templates/index.{language:ja}.json")
async def get_index(request: web.Request) -> web.Response:
    """All of them, as one category."""
    language: Literal["en", "ja"] = "ja" if "language" in request.match_info else "en"
    registry = parts_of(request).engine.registry
    return json_answer(await asyncio.to_thread(_index, registry, language))


@routes.get("/templates/{name}.json")
async def get_template(request: web.Request) -> web.Response:
    """One, as ComfyUI's editor saves it."""
    path = template_path(request)
    opened = await asyncio.to_thread(open_file, path, layouts_of(parts_of(request).engine))
    return json_answer(await asyncio.to_thread(opened.ui))


routes.get(r"/templates/{name}-{number:\d+}.{kind:webp|png|jpg}")(get_thumbnail)


def _index(registry: Registry, language: Literal["en", "ja"]) -> list[dict[str, Any]]:
    paths = template_paths(registry)
    found = []
    for template in templates(registry):
        picture = picture_beside(paths[template.name])
        shown = {} if picture is None else {"mediaSubtype": picture.suffix.removeprefix(".")}
        texts = {
            "title": getattr(template.title, language),
            "description": getattr(template.description, language),
        }
        found.append({"name": template.name, **texts, "mediaType": "image", **shown})
    title = _TITLES[language]
    return [
        {"moduleName": "default", "category": title, "title": title, "templates": found},
    ]

"""/api/v1 described: OpenAPI 3.1 from the operations and their models, and a page to read."""

from __future__ import annotations

import html
import re
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from graphengine import __version__
from graphengine.server.answers import json_answer
from graphengine.server.operations import PREFIX, Operation
from graphengine.server.v1 import OPERATIONS
from graphengine.server.v1_models import ErrorAnswer

_REFERENCE = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The request is wrong.",
    "401": "The token is missing.",
    "403": "The caller is refused.",
    "404": "There is no such thing.",
    "409": "The state does not allow it.",
    "412": "Somebody else has written in the meantime.",
    "413": "The request is too large.",
}


async def get_openapi(_: web.Request) -> web.Response:
    """The OpenAPI document."""
    return json_answer(document())


async def get_docs(_: web.Request) -> web.Response:
    """The same as a page."""
    return web.Response(text=page(), content_type="text/html")


routes = [
    web.get(f"{PREFIX}/openapi.json", get_openapi),
    web.get(f"{PREFIX}/docs", get_docs),
]


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        entry = paths.setdefault(PREFIX + operation.path, {})
        entry[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "graphengine", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def page() -> str:
    """All operations in a table, and the fields of what they take and give."""
    rows = "".join(
        f"<tr><td><code>{each.method} {PREFIX}{html.escape(each.path)}</code></td>"
        f"<td>{html.escape(each.summary)}</td><td>{_link(each.body)}</td>"
        f"<td>{each.status} {_link(each.answer)}</td></tr>"
        for each in OPERATIONS
    )
    models = "".join(_model_section(name, schema) for name, schema in _schemas().items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>graphengine API</title>'
        "<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}</style>"
        f"<h1>graphengine {__version__}</h1>"
        '<p><a href="openapi.json">openapi.json</a>. ComfyUI\'s routes are there as well.</p>'
        f"<table><tr><th>route</th><th></th><th>takes</th><th>gives</th></tr>{rows}</table>{models}"
    )


def _operation(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        answer["content"] = _content(operation.answer)
    elif operation.gives is not None:
        answer["content"] = {operation.gives: {}}
    errors = {
        status: {"description": text, "content": _content(ErrorAnswer)}
        for status, text in _ERRORS.items()
    }
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.call.__name__,
        "parameters": _parameters(operation),
        "responses": {str(operation.status): answer, **errors},
    }
    if operation.status == 201:  # the same Idempotency-Key gives what is there already
        described["responses"]["200"] = answer
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    elif operation.takes is not None:
        described["requestBody"] = {"required": True, "content": {operation.takes: {}}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    in_query = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in operation.query
    ]
    return [*in_path, *in_query]


def _content(model: type[BaseModel]) -> dict[str, Any]:
    reference = _REFERENCE.format(model=model.__name__)
    return {"application/json": {"schema": {"$ref": reference}}}


def _schemas() -> dict[str, Any]:
    models: dict[str, type[BaseModel]] = {ErrorAnswer.__name__: ErrorAnswer}
    for each in OPERATIONS:
        models |= {model.__name__: model for model in (each.answer, each.body) if model is not None}
    _, schemas = models_json_schema(
        [(models[name], "validation") for name in sorted(models)], ref_template=_REFERENCE
    )
    return dict(schemas["$defs"])


def _link(model: type[BaseModel] | None) -> str:
    return "" if model is None else f'<a href="#{model.__name__}">{model.__name__}</a>'


def _model_section(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{field}</code></td><td>{'required' if field in required else ''}</td>"
        f"<td>{html.escape(about.get('description', ''))}</td></tr>"
        for field, about in schema.get("properties", {}).items()
    )
    text = html.escape(schema.get("description", ""))
    return f'<h2 id="{name}">{name}</h2><p>{text}</p><table>{rows}</table>'

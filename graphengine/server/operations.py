"""A route of /api/v1: what the server answers and what the OpenAPI document tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from graphengine.server.answers import json_answer

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Operation:
    """One route: what it is for, what it takes and what it gives.

    ``takes`` and ``gives``: media types of what is no JSON of ours.
    """

    method: str
    path: str
    summary: str
    call: Callable[[web.Request], Awaitable[web.StreamResponse]]
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int = 200
    query: tuple[tuple[str, str], ...] = ()
    takes: str | None = None
    gives: str | None = None


def answer(model: BaseModel, status: int = 200, *, etag: str | None = None) -> web.Response:
    """A model as JSON."""
    response = json_answer(model.model_dump(mode="json"), status)
    if etag is not None:
        response.headers["ETag"] = etag
    return response

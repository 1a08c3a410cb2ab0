"""Answers: JSON, one error shape, and bodies read with a clear word about what is wrong."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from graphengine.errors import ByLanguage, GraphEngineError
from graphengine.json_text import dump_json, parse_json
from graphengine.reasons import findings, reason
from graphengine.store import StoreUnavailable

logger = logging.getLogger(__name__)
LONGEST_PAGE = 1000
M = TypeVar("M", bound=BaseModel)
_NOT_WRITTEN = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP),
)
"""The disk is full, the folder is not ours, the name is none: nothing that a server can mend."""
MOST_VALUES = 2_000_000
"""A body with more commas takes so long to read and to check that others would wait for it."""
_LARGE_BYTES = 1 << 20
_LARGEST_WHOLE = 2**53 - 1
"""What every client can tell from its neighbours."""


class Refusal(Exception):
    """A request that is answered with 4xx: what is wrong, in ComfyUI's error shape."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        details: str = "",
        *,
        extra_info: Mapping[str, Any] | None = None,
        node_errors: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.body = {
            "error": {
                "type": kind,
                "message": message,
                "details": details,
                "extra_info": dict(extra_info or {}),
            },
            "node_errors": dict(node_errors or {}),
        }
        super().__init__(message)


def refusal_of(error: GraphEngineError, status: int = 400) -> Refusal:
    """An error of ours as an answer."""
    texts = error.texts()
    return Refusal(status, error.code, texts["en"], extra_info={"message": texts})


def bad_field(field: str, cause: ByLanguage) -> Refusal:
    """Something in the request that cannot be used, and why (see `graphengine.reasons`)."""
    return refusal_of(GraphEngineError("bad_field", field=field, cause=cause))


def not_found(code: str, name: str) -> Refusal:
    """What was named is not there; of the codes ``…_not_found``."""
    return refusal_of(GraphEngineError(code, name=name), 404)


def json_answer(data: Any, status: int = 200) -> web.Response:
    """JSON without spaces; ASCII, as escapes survive every proxy."""
    return web.Response(
        body=dump_json(data).encode(),
        status=status,
        content_type="application/json",
    )


async def read_body(request: web.Request, *, default: Any = None) -> Any:
    """The JSON of a body, whatever its Content-Type; ``default`` if it is empty and one is given.

    Raises `Refusal`.
    """
    content = await request.read()
    if not content.strip() and default is not None:
        return default
    values = content.count(b",")
    if values > MOST_VALUES:
        too_many = GraphEngineError("too_many_values", count=values, most=MOST_VALUES)
        raise refusal_of(too_many, 413)
    try:
        if len(content) > _LARGE_BYTES:
            return (await asyncio.to_thread(parse_json, content, "body")).data
        return parse_json(content, "body").data
    except GraphEngineError as error:
        raise refusal_of(error) from error


async def read_object(request: web.Request) -> dict[str, Any]:
    """As `read_body`; an empty body is an empty object, and nothing but an object is taken."""
    body = await read_body(request, default={})
    if not isinstance(body, dict):
        raise refusal_of(GraphEngineError("body_not_object"))
    return body


async def read_model(request: web.Request, model: type[M]) -> M:
    """The body as one of our models; raises `Refusal` with the first thing that is wrong."""
    body = await read_object(request)
    return checked(model, body)


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """Values from outside as one of our models; raises `Refusal`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = next(findings(error))
        raise bad_field(first.place, first.reason) from error


def whole_number(request: web.Request, name: str, default: int | None = None) -> int | None:
    """A query parameter that is a whole number; raises `Refusal`."""
    text = request.query.get(name)
    if text is None or text == "":
        return default
    try:
        number = int(text)
    except ValueError as error:
        raise bad_field(name, reason("reason_whole_number")) from error
    if number > _LARGEST_WHOLE:
        raise bad_field(name, reason("reason_at_most", le=_LARGEST_WHOLE))
    if number < -_LARGEST_WHOLE:
        raise bad_field(name, reason("reason_at_least", ge=-_LARGEST_WHOLE))
    return number


def page_asked(request: web.Request) -> tuple[int, int]:
    """How many ``limit`` asks for, at most `LONGEST_PAGE`, and how many ``offset`` leaves out."""
    limit = min(max(whole_number(request, "limit", 100) or 0, 0), LONGEST_PAGE)
    return limit, max(whole_number(request, "offset", 0) or 0, 0)


def string_list(value: Any, field: str) -> list[str]:
    """A field of a body that lists ids; raises `Refusal`."""
    if not isinstance(value, list):
        raise bad_field(field, reason("reason_list"))
    return [str(item) for item in value]


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error in one shape; what nobody foresaw is logged and tells nothing."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return json_answer(refusal.body, refusal.status)
    except StoreUnavailable as error:
        answer = json_answer(refusal_of(error).body, 423)
        answer.headers["Retry-After"] = "1"
        return answer
    except GraphEngineError as error:
        return json_answer(refusal_of(error).body, 400)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        shape = Refusal(error.status, f"http_{error.status}", error.reason, error.text or "")
        return json_answer(shape.body, error.status)
    except web.RequestPayloadError as error:
        logger.info("%s %s: %s", request.method, request.path, error)
        return json_answer(refusal_of(GraphEngineError("body_garbled")).body, 400)
    except (ConnectionResetError, BrokenPipeError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_WRITTEN:
            logger.warning("%s %s: %s", request.method, request.path, error)
            refused = GraphEngineError("file_not_written", cause=error.strerror)
            return json_answer(refusal_of(refused).body, 400)
        logger.exception("%s %s failed", request.method, request.path)
        return json_answer(refusal_of(GraphEngineError("defect"), 500).body, 500)


@web.middleware
async def compressed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Text and JSON go out compressed to who takes that."""
    answer = await handler(request)
    if answer.content_type in ("application/json", "text/plain"):
        answer.enable_compression()
    return answer

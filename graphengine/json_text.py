"""JSON that comes from outside: what is wrong with it is said with line and column.

And JSON that goes there, which every reader takes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError

EXCERPT = 30
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Duplicate:
    """A name that occurs twice in one JSON object; the object holds the last of the values."""

    holder: dict[str, Any]
    name: str


@dataclass(frozen=True)
class JsonText:
    """Parsed JSON and the names that it gives twice."""

    data: Any
    duplicates: tuple[Duplicate, ...] = ()


def read_json(path: Path) -> JsonText:
    """The JSON of a file (UTF-8, also UTF-16 and UTF-32); raises GraphEngineError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise GraphEngineError("workflow_not_found", path=str(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GraphEngineError("workflow_unreadable", path=str(path), reason=reason) from error
    return parse_json(content, name=str(path))


def parse_json(content: bytes, name: str) -> JsonText:
    """The JSON in ``content``, which messages call ``name``; raises GraphEngineError.

    NaN and Infinity pass: ComfyUI writes them into fields that nobody reads.
    """
    text = _decoded(content, name)
    if not text.strip():
        raise GraphEngineError("json_empty", path=name)
    duplicates: list[Duplicate] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        holder = dict(pairs)
        if len(holder) != len(pairs):
            duplicates.extend(_duplicates(holder, pairs))
        return holder

    try:
        data = json.loads(text, object_pairs_hook=collect)
    except json.JSONDecodeError as error:
        raise _located(error, text, name) from error
    except RecursionError as error:
        raise GraphEngineError("json_too_deep", path=name) from error
    except ValueError as error:
        raise GraphEngineError("json_number_too_long", path=name) from error
    if _HALF_CHARACTER.search(text):
        _refuse_half_characters(data, name)
    return JsonText(data, tuple(duplicates))


def dump_json(data: Any) -> str:
    """Compact ASCII text; a number that is not finite becomes null, as JSON has none.

    Raises TypeError for what is no JSON.
    """
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(data), parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":"))


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise GraphEngineError("json_not_text", path=name, position=error.start) from error


def _refuse_half_characters(data: Any, name: str) -> None:
    """Half of a surrogate pair is no character: it could neither be shown nor saved."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise GraphEngineError("json_half_character", path=name) from error


def _duplicates(holder: dict[str, Any], pairs: list[tuple[str, Any]]) -> list[Duplicate]:
    seen: set[str] = set()
    twice = dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return [Duplicate(holder, name) for name in twice]


def _located(error: json.JSONDecodeError, text: str, name: str) -> GraphEngineError:
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return GraphEngineError("json_cut_off", path=name, line=error.lineno, column=error.colno)
    line = text[max(error.pos - EXCERPT, 0) : error.pos + EXCERPT].strip()
    return GraphEngineError(
        "json_syntax",
        path=name,
        line=error.lineno,
        column=error.colno,
        near=" ".join(line.split()),
        reason=error.msg,
    )

"""Errors and problems: one shape, stable codes, texts in English and Japanese.

GraphEngineError
├── ProblemsFound     a workflow could not become a graph; carries every Problem
├── NodeFailed        a node's body failed while running; carries node, inputs and cause
├── ModelFileError    a model file is missing, damaged, of another family or unsafe
├── InputError        a value reached a node that it cannot work with
└── OutOfMemory       the device has no room, also after freeing and retrying smaller
Cancelled             not an error: the person stopped the run

Texts live in ``graphengine/messages/<area>.<language>.toml``: one table per code with
``message`` and, where there is something to do, ``hint``. Both are ``str.format`` templates
over the details. A hint's sentence about ``{nearest}`` is left out where nothing is near.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

Severity = Literal["error", "warning"]
LANGUAGES = ("en", "ja")
NONE = "–"
"""What stands in a message for an empty list."""
_ENDS = (".", "!", "?", "…", "。", "！", "？")
_ABOUT_NEAREST = re.compile(r"[^.。]*\{nearest\}[.。] ?")


class ByLanguage(dict[str, str]):
    """A text in each language; as a detail it fills a message with the one of its language."""

    @classmethod
    def each(cls, text: Callable[[str], str]) -> ByLanguage:
        """What ``text`` says for each language."""
        return cls({language: text(language) for language in LANGUAGES})


class GraphEngineError(Exception):
    """An error with a stable code whose text exists in every language.

    ``details`` fill the templates of ``graphengine/messages``.
    """

    def __init__(self, code: str, /, **details: Any) -> None:
        self.code = code
        self.details = details
        super().__init__(code)

    def text(self, language: str = "en") -> str:
        """The message and, where there is one, the hint."""
        return _joined(*render(self.code, self.details, language), language)

    def texts(self) -> ByLanguage:
        """Message and hint in every language."""
        return ByLanguage.each(self.text)

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape: the same for the command line, the server and the editor."""
        return {"code": self.code, "message": self.texts()}

    def __str__(self) -> str:
        return self.text()


class ModelFileError(GraphEngineError):
    """A model file is missing, damaged, of another family or unsafe."""


class InputError(GraphEngineError):
    """A value reached a node that it cannot work with."""


class OutOfMemory(GraphEngineError):
    """The device has no room, also after freeing and retrying smaller."""


class Cancelled(Exception):
    """The person stopped the run; raised inside the node that was running."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a workflow, where it is and how to mend it."""

    code: str
    node_id: str | None = None
    title: str | None = None
    input: str | None = None
    expected: str | None = None
    got: str | None = None
    severity: Severity = "error"
    details: Mapping[str, Any] = field(default_factory=dict)
    type_title: ByLanguage | None = None
    """What a node without a title of its own is called."""

    def message(self, language: str = "en") -> str:
        """What happened and where, without the hint."""
        where = self._where(language)
        text = render(self.code, self._values(), language)[0]
        return f"{where}: {text}" if where else text

    def hint(self, language: str = "en") -> str:
        """How to mend it; empty where nothing useful can be said."""
        return render(self.code, self._values(), language)[1]

    def text(self, language: str = "en") -> str:
        """Message and hint in one line."""
        return _joined(self.message(language), self.hint(language), language)

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape: the same for the command line, the server and the editor."""
        return {
            "code": self.code,
            "severity": self.severity,
            "node_id": self.node_id,
            "title": self.title,
            "input": self.input,
            "expected": self.expected,
            "got": self.got,
            "message": {language: self.message(language) for language in LANGUAGES},
            "hint": {language: self.hint(language) for language in LANGUAGES},
        }

    def _values(self) -> dict[str, Any]:
        return {
            "node_id": self.node_id,
            "title": self.type_title or self.title,
            "input": self.input,
            "expected": self.expected,
            "got": self.got,
            **self.details,
        }

    def _where(self, language: str) -> str:
        if self.node_id is None:
            return ""
        title = self.type_title[language] if self.type_title else self.title
        node = f"{title} (#{self.node_id})" if title else f"#{self.node_id}"
        if self.input is None:
            return node
        word = {"en": "input", "ja": "入力"}[language]
        return f'{node}, {word} "{self.input}"'


class ProblemsFound(GraphEngineError):
    """A workflow could not become a graph; ``problems`` holds everything that is wrong."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("problems_found", count=len(problems))

    def text(self, language: str = "en") -> str:
        lines = [problem.text(language) for problem in self.problems]
        return "\n".join([super().text(language), *lines])

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), "problems": [problem.as_dict() for problem in self.problems]}


class NodeFailed(GraphEngineError):
    """A node's body failed; ``inputs`` are described by shape, dtype and range, never whole.

    ``plain``: those that are numbers, texts, or None, as they are.
    """

    def __init__(
        self,
        *,
        node_id: str,
        title: str,
        node_type: str,
        inputs: Mapping[str, str],
        cause: BaseException,
        plain: Mapping[str, Any] | None = None,
        type_title: ByLanguage | None = None,
    ) -> None:
        self.node_id = node_id
        self.title = title
        self.node_type = node_type
        self.inputs = dict(inputs)
        self.plain = dict(plain or {})
        self.cause = cause
        called = type_title or title
        super().__init__("node_failed", node_id=node_id, title=called, node_type=node_type)

    def text(self, language: str = "en") -> str:
        return f"{super().text(language)} {self.cause_text(language)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            **super().as_dict(),
            "node_id": self.node_id,
            "title": self.title,
            "node_type": self.node_type,
            "inputs": self.inputs,
        }

    def cause_text(self, language: str = "en") -> str:
        """The cause alone, in the person's language where it is one of ours."""
        if isinstance(self.cause, GraphEngineError):
            return self.cause.text(language)
        if isinstance(self.cause, SystemExit):
            return " ".join(render("node_exited", {"status": self.cause.code}, language))
        return said(self.cause)


def said(error: BaseException) -> str:
    """The kind of an error that is not ours, and what it says if it says anything."""
    try:
        text = str(error)
    except Exception:  # a plugin's error, whose own code may fail in any way
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def render(code: str, values: Mapping[str, Any], language: str) -> tuple[str, str]:
    """Message and hint of a code; an unknown code shows itself and its details."""
    entry = _entry(code, language) or _entry(code, "en")
    if entry is None:
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items() if value)
        return (f"{code} ({shown})" if shown else code), ""
    filled = _Details({name: _told(value, language) for name, value in values.items()})
    hint = entry.get("hint", "")
    if values.get("nearest") == NONE:
        hint = _ABOUT_NEAREST.sub("", hint)
    return entry["message"].format_map(filled), hint.format_map(filled)


def _told(value: Any, language: str) -> Any:
    """A text in the language; of a file what the system says, without Python's number and path."""
    if isinstance(value, ByLanguage):
        return value[language]
    return value.strerror or value if isinstance(value, OSError) else value


def _joined(message: str, hint: str, language: str) -> str:
    """Two sentences. A cause from elsewhere may lack its end; Japanese has no space between."""
    if not hint:
        return message
    end, space = ("。", "") if language == "ja" else (".", " ")
    return f"{message}{'' if message.endswith(_ENDS) else end}{space}{hint}"


class _Details(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _entry(code: str, language: str) -> dict[str, str] | None:
    """A code's texts. Only the file that names it is parsed: that takes longer than all reading."""
    for content in _contents(language):
        if f"[{code}]\n" in content and (entry := _parsed(content).get(code)):
            return entry
    return None


@cache
def _contents(language: str) -> tuple[str, ...]:
    folder = resources.files("graphengine") / "messages"
    files = sorted(folder.iterdir(), key=lambda entry: entry.name)
    names = (file for file in files if file.name.endswith(f".{language}.toml"))
    return tuple(file.read_text(encoding="utf-8") for file in names)


@cache
def _parsed(content: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(content)

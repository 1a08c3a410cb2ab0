"""JSON that is not quite: with comments, with commas too many, or cut off."""

from __future__ import annotations

import re

_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMAS = re.compile(rf"{_STRING}|,(?=\s*[\]}}])", re.DOTALL)
_MARKS = re.compile(rf"{_STRING}|[{{}}\[\],\"]", re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}
LONGEST = 32 * 2**20


def without_comments(text: str) -> str:
    """The text without ``// …``, ``/* … */`` and commas before a closing bracket."""
    for extra in (_COMMENTS, _COMMAS):
        text = extra.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return text


def completed(text: str) -> str | None:
    """A text that is cut off, up to its last whole value, with all brackets closed.

    None if nothing in it is whole, or if it is too long to be looked through.
    """
    if len(text) > LONGEST:
        return None
    end = _last_whole(text)
    if not end:
        return None
    open_brackets: list[str] = []
    for found in _MARKS.finditer(text, 0, end):
        if found[0] in _CLOSERS:
            open_brackets.append(found[0])
        elif found[0] in "}]":
            open_brackets.pop()
    return text[:end] + "".join(_CLOSERS[one] for one in reversed(open_brackets))


def _last_whole(text: str) -> int:
    """Where the last value ends that a comma or a closing bracket follows; 0 if there is none."""
    end = depth = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark == '"':
            break
        if mark in _CLOSERS:
            depth += 1
        elif mark == "," and depth:
            end = found.start()
        elif mark in "}]":
            depth -= 1
            if depth < 0:
                break
            end = found.end()
    return end

"""Texts by the columns that they take in a terminal: a wide character, such as 日, takes two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_OPENING = re.escape("([{（「『【〈《〔［｛")
_CLOSING = re.escape(
    ")]}）」』】〉》〕］｝、。，．・：；！？!?:;,.…ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
# What stays together: a short remark in [], or a word of narrow characters, or a wide character;
# with brackets that open before it and marks that may not begin a line (JIS X 4051) after it.
_PIECE = re.compile(rf"\[[^\]]{{1,24}}\]|[{_OPENING}]*(?:[!-~]+|\S)[{_CLOSING}]*|\s+")


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, of at most ``width`` columns unless one of its words is longer."""
    return [line for part in text.splitlines() for line in _lines(part.strip(), width)]


def _lines(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in _PIECE.findall(text):
        if line and columns(line + piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece if line else piece.lstrip()
    yield line.rstrip()

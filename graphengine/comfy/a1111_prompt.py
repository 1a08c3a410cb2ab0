"""Prompts of the Stable Diffusion web UI in our syntax: what is written otherwise, and what is not.

``[word]`` weakens there and is written ``(word:0.909)`` here; embeddings stand there without
``embedding:`` before them. Prompt editing, ``[from:to:when]``, has no counterpart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_INNER = re.compile(r"(?<!\\)\[((?:\\.|[^\[\]\\])*)(?<!\\)\]")
_BREAK = re.compile(r"\s*,?\s*\bBREAK\b\s*,?\s*")
_AND = re.compile(r"\s+AND\s+")
_WEIGHT = re.compile(r"^(.*?)\s*:\s*(-?[\d.]+)\s*$", re.DOTALL)
WEAKER = "0.909"
"""1 / 1.1, the weight of a word in square brackets."""


def translated(prompt: str, embeddings: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The prompt in our syntax, and the pieces of prompt editing that were simplified."""
    simplified: list[str] = []

    def replace(found: re.Match[str]) -> str:
        inner = found[1]
        if re.search(r"(?<!\\)[:|]", re.sub(r"\([^()]*\)", "", inner)):
            simplified.append(found[0])
            return _simplified(inner)
        return f"({inner}:{WEAKER})" if inner.strip() else inner

    before = None
    while before != prompt:
        before, prompt = prompt, _INNER.sub(replace, prompt)
    for name in embeddings:
        prompt = re.sub(
            rf"(?<![\w:]){re.escape(name)}(?!\w)", lambda found: f"embedding:{found[0]}", prompt
        )
    return prompt, tuple(simplified)


def chunks(prompt: str) -> tuple[str, ...]:
    """The pieces between BREAKs, each of which is encoded by itself; at least one."""
    return tuple(_BREAK.split(prompt))


def subjects(prompt: str) -> tuple[tuple[str, float], ...]:
    """The prompts that AND joins, with their weights; at least one."""
    found = []
    for part in _AND.split(prompt):
        weighted = _WEIGHT.match(part) if part != prompt else None
        found.append((weighted[1], float(weighted[2])) if weighted else (part, 1.0))
    return tuple(found)


def _simplified(inner: str) -> str:
    """What of ``a:b:when``, ``a:when``, ``a::when`` or ``a|b`` most of the picture is made with."""
    if "|" in inner:
        return inner.split("|")[0]
    parts = inner.split(":")
    if len(parts) >= 3:
        return parts[1] or parts[0]
    return parts[0]

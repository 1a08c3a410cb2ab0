"""Prompts with choices: ``a {red|blue {big|small}} ball`` becomes one of its texts at each run.

``// …`` to the end of the line and ``/* … */`` are comments and go. A backslash makes ``{``, ``}``
and ``|`` plain characters. What was drawn stands in the executed prompt.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from graphengine.graph import Graph, GraphNode
from graphengine.parameters import Prompt
from graphengine.spec import NodeSpec

if TYPE_CHECKING:
    from random import Random

_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MARKS = re.compile(r"\\[{}|]|[{}|]")
_SIGNS = ("{", "}", "//", "/*")


def expand(prompt: str, random: Random) -> str:
    """One of the prompt's texts, each choice drawn with equal chances, inner ones only if needed.

    A brace without its other half stays as it is written.
    """
    return _one_of(_without_comments(prompt), random)


def expand_prompts(graph: Graph, random: Random) -> Graph:
    """The graph with one text in the place of each prompt that has choices or comments."""
    names = {spec.id: tuple(_prompt_names(spec)) for spec in graph.specs}
    if not any(names.values()):
        return graph
    expanded: dict[str, GraphNode] = {}
    for node in graph.nodes.values():
        texts = {
            name: expand(text, random)
            for name in names[node.spec.id]
            if isinstance(text := node.values.get(name), str) and _is_dynamic(text)
        }
        if texts:
            expanded[node.id] = node._replace(values={**node.values, **texts})
    return dataclasses.replace(graph, nodes={**graph.nodes, **expanded}) if expanded else graph


def _prompt_names(spec: NodeSpec) -> Iterator[str]:
    for wanted in spec.inputs:
        if isinstance(wanted.widget, Prompt) and wanted.widget.dynamic:
            yield wanted.name


def _is_dynamic(text: str) -> bool:
    return any(sign in text for sign in _SIGNS)


def _without_comments(prompt: str) -> str:
    return _COMMENTS.sub("", prompt)


def _one_of(text: str, random: Random) -> str:
    """The text with each outermost choice drawn; a drawn option is looked at in its turn."""
    pieces: list[str] = []
    waiting = [text]
    while waiting:
        part = waiting.pop()
        choice = _first_choice(part)
        if choice is None:
            pieces.append(_unescaped(part))
            continue
        start, end, options = choice
        pieces.append(_unescaped(part[:start]))
        waiting += (part[end:], options[random.randrange(len(options))])
    return "".join(pieces)


def _first_choice(text: str) -> tuple[int, int, list[str]] | None:
    """Where the first outermost choice begins and ends, and its options."""
    opened: list[int] = []
    bars: list[int] = []
    spans: dict[int, tuple[int, list[int]]] = {}
    for found in _MARKS.finditer(text):
        mark, at = found[0], found.start()
        if mark == "{":
            opened.append(at)
            bars.append(-1)
        elif mark == "|" and opened:
            bars.append(at)
        elif mark == "}" and opened:
            start = opened.pop()
            own: list[int] = []
            while (bar := bars.pop()) != -1:
                own.append(bar)
            spans[start] = (at, own[::-1])
            if not opened:
                break
    if not spans:
        return None
    start = min(spans)
    end, own = spans[start]
    edges = [start, *own, end]
    options = [text[left + 1 : right] for left, right in pairwise(edges)]
    return start, end + 1, options


def _unescaped(text: str) -> str:
    return re.sub(r"\\([{}|])", r"\1", text)

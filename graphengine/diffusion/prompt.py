"""Prompts as chunks of weighted tokens.

    "a (red:1.3) cat, embedding:foo"
        │ parse              weights by parentheses
    Segment("a ", 1.0), Segment("red", 1.3), Segment(" cat, embedding:foo", 1.0)
        │ split_embeddings   words that stand for learned vectors
    " cat,", FileRef("foo.pt")
        │ chunks             77 tokens each: start, up to 75, end, padding
    ((Token(49406), Token(320), Token(736, 1.3), …), …)

The rules are those of ComfyUI 0.3, so that a saved prompt gives the same picture. Nothing here
recurses, and everything is linear in the length of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from graphengine.diffusion.tokenizer import END, PAD, START, TextKind, token_ids
from graphengine.sockets import FileRef

CHUNK = 77
_ROOM = CHUNK - 1  # the end token takes one place
_EMPHASIS = 1.1
# A group of fewer tokens is never cut: it moves to the next chunk as a whole.
_SHORTEST_CUT_GROUP = 8

_PARENTHESIS = re.compile(r"\\[()]|[()]")
_EMBEDDING = re.compile(r"(?:^|[ \n])embedding:")


@dataclass(frozen=True)
class Segment:
    """A run of text of one weight, its escapes taken off."""

    text: str
    weight: float


@dataclass(frozen=True)
class EmbeddingRow:
    """One vector of a textual inversion, standing in a token's place."""

    file: FileRef
    row: int


@dataclass(frozen=True)
class Token:
    """A token id (0..49407) or a learned vector, and how strongly it counts."""

    id: int | EmbeddingRow
    weight: float = 1.0


Chunk = tuple[Token, ...]


@dataclass(frozen=True)
class Vocabulary:
    """What the words of a prompt may stand for, beside themselves.

    ``find``: the file of ``embedding:name``, or None. ``rows``: how many vectors a file has.
    ``triggers``: trigger word → file (see ``split_triggers``). ``missing`` is told every name
    that nothing was found for; such a name contributes no tokens.
    """

    find: Callable[[str], FileRef | None] = lambda _: None
    rows: Callable[[FileRef], int] = lambda _: 0
    triggers: Mapping[str, FileRef] = field(default_factory=dict)
    missing: Callable[[str], None] = lambda _: None


def tokenize(text: str, kind: TextKind, vocabulary: Vocabulary | None = None) -> tuple[Chunk, ...]:
    """The chunks of a prompt for one kind of text encoder: at least one, each of 77 tokens."""
    vocabulary = vocabulary or Vocabulary()
    groups = []
    for segment in parse(text):
        for piece in split_embeddings(segment.text, vocabulary):
            ids = _piece_ids(piece, vocabulary)
            groups.append([Token(id, segment.weight) for id in ids])
    return chunks(groups, PAD[kind])


def parse(text: str) -> tuple[Segment, ...]:
    r"""The text in runs of equal weight; empty runs are left out.

    ``(a)`` counts 1.1 times what surrounds it, ``(a:1.3)`` exactly 1.3; ``\(`` and ``\)`` are
    plain parentheses. From the first ``(`` that is never closed, all is plain text; a stray
    ``)`` makes the next ``(`` plain too.
    """
    closing, unclosed = _match_parentheses(text)
    segments = []
    todo = [(unclosed, len(text), 1.0), (0, unclosed, 1.0)]
    while todo:
        start, stop, weight = todo.pop()
        opening = _next_group(text, closing, start, stop)
        plain = text[start : stop if opening is None else opening]
        if plain:
            segments.append(Segment(_unescape(plain), weight))
        if opening is not None:
            close = closing[opening]
            todo.append((close + 1, stop, weight))
            todo.append(_group(text, opening + 1, close, weight))
    return tuple(segments)


def split_embeddings(text: str, vocabulary: Vocabulary) -> Iterator[str | FileRef]:
    """The text cut where learned vectors stand: plain text, or the file they come from.

    ``embedding:name`` is recognised at the beginning and after a space or newline; the name goes
    to the next whitespace. A name that is not found is tried again without the commas around
    it. A loaded trigger word may be called by ``embedding:`` as well, and comes first.
    """
    plain, *calls = _EMBEDDING.split(text)
    yield from split_triggers(plain, vocabulary.triggers)
    for call in calls:
        name, rest = (*call.split(maxsplit=1), "", "")[:2]
        file, commas = _find(name, vocabulary)
        if file is not None:
            yield file
        yield from split_triggers(f"{commas} {rest}", vocabulary.triggers)


def split_triggers(text: str, triggers: Mapping[str, FileRef]) -> Iterator[str | FileRef]:
    """The text with every trigger word replaced by its file.

    A trigger matches as a whole word, upper and lower case being the same: neither a letter, a
    digit, ``_`` nor ``-`` may touch it (Japanese has no spaces, so put some, or commas, around
    it). A trigger of several words matches across any whitespace. Of two triggers that match
    at one place the longer wins.
    """
    words = _by_word(triggers)
    if not words:
        yield text
        return
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    pattern = "|".join(_whole_word(word) for word in longest_first)
    start = 0
    for match in re.finditer(pattern, text, re.IGNORECASE):
        file = words.get(_normal(match.group()))
        if file is None:  # equal when ignoring case, but not when lower-cased (ſ and s)
            continue
        yield text[start : match.start()]
        yield file
        start = match.end()
    yield text[start:]


def chunks(groups: Sequence[Sequence[Token]], pad: int) -> tuple[Chunk, ...]:
    """Groups of tokens in chunks of 77: start token, up to 75 tokens, end token, padding.

    A group of fewer than 8 tokens that does not fit begins the next chunk; a longer one is cut
    where the chunk is full.
    """
    bodies: list[list[Token]] = [[]]
    for group in groups:
        room = CHUNK - 2 - len(bodies[-1])
        if len(group) > room and len(group) < _SHORTEST_CUT_GROUP:
            bodies.append([*group])
            continue
        bodies[-1].extend(group[:room])
        for start in range(room, len(group), CHUNK - 2):
            bodies.append([*group[start : start + CHUNK - 2]])
    return tuple(_framed(body, pad) for body in bodies)


def empty_chunk(kind: TextKind) -> Chunk:
    """The chunk of a prompt without words."""
    return _framed([], PAD[kind])


def _framed(body: Sequence[Token], pad: int) -> Chunk:
    padding = [Token(pad)] * (CHUNK - 2 - len(body))
    return tuple(chain([Token(START)], body, [Token(END)], padding))


def _piece_ids(piece: str | FileRef, vocabulary: Vocabulary) -> Sequence[int | EmbeddingRow]:
    if isinstance(piece, str):
        return token_ids(piece)
    return [EmbeddingRow(piece, row) for row in range(vocabulary.rows(piece))]


def _match_parentheses(text: str) -> tuple[dict[int, int], int]:
    """Position of every ``(`` that opens a group → its ``)``; where the unclosed tail begins."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    stray = 0
    for match in _PARENTHESIS.finditer(text):
        if match.group() == "(":
            if stray:
                stray -= 1
            else:
                opened.append(match.start())
        elif match.group() == ")":
            if opened:
                closing[opened.pop()] = match.start()
            else:
                stray += 1
    unclosed = opened[0] if opened else len(text)
    return {start: stop for start, stop in closing.items() if start < unclosed}, unclosed


def _next_group(text: str, closing: Mapping[int, int], start: int, stop: int) -> int | None:
    while (position := text.find("(", start, stop)) >= 0:
        if position in closing:
            return position
        start = position + 1
    return None


def _group(text: str, start: int, stop: int, outer: float) -> tuple[int, int, float]:
    """Where a group's own text begins and ends (its ``:weight`` cut off), and its weight."""
    # A number holds no parenthesis: looking only behind the last one keeps this linear.
    behind = max(start, text.rfind(")", start, stop))
    colon = text.rfind(":", behind, stop)
    if colon > start:
        try:
            return start, colon, float(text[colon + 1 : stop])
        except ValueError:
            pass
    return start, stop, outer * _EMPHASIS


def _unescape(text: str) -> str:
    return text.replace("\\)", ")").replace("\\(", "(")


def _find(name: str, vocabulary: Vocabulary) -> tuple[FileRef | None, str]:
    """The file of ``name``, and the commas that turned out not to belong to the name."""
    bare = name.strip(",")
    words = _by_word(vocabulary.triggers)
    for candidate in dict.fromkeys((name, bare)):
        file = words.get(_normal(candidate)) or vocabulary.find(candidate)
        if file is not None:
            return file, name.replace(bare, "", 1) if candidate == bare else ""
    vocabulary.missing(bare)
    return None, name.replace(bare, "", 1)


def _by_word(triggers: Mapping[str, FileRef]) -> dict[str, FileRef]:
    """The files by their normalised triggers; of two that are the same the later one counts."""
    return {_normal(trigger): file for trigger, file in triggers.items() if trigger.strip()}


def _normal(words: str) -> str:
    return " ".join(words.lower().split())


def _whole_word(words: str) -> str:
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    before = r"(?<![\w-])" if re.match(r"\w", words) else ""
    after = r"(?![\w-])" if re.search(r"\w$", words) else ""
    return f"{before}{pattern}{after}"

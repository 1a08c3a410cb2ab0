import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.diffusion.prompt import (
    Chunk,
    EmbeddingRow,
    Segment,
    Token,
    Vocabulary,
    chunks,
    empty_chunk,
    parse,
    split_embeddings,
    split_triggers,
    tokenize,
)
from graphengine.diffusion.tokenizer import END, START, TextKind, token_ids
from graphengine.sockets import FileRef

DATA = Path(__file__).parent.parent / "data"
KINDS: tuple[TextKind, ...] = ("clip_l", "clip_g", "clip_h")
FOO = FileRef("foo.pt", 10, 1)
BAR = FileRef("bar.pt", 10, 1)

tokens_of_the_field = json.loads((DATA / "clip_tokens.json").read_text("utf-8"))["prompts"]
weights_of_the_field = json.loads((DATA / "prompt_weights.json").read_text("utf-8"))["prompts"]


def segments(text: str) -> list[tuple[str, float]]:
    return [(segment.text, segment.weight) for segment in parse(text)]


def pieces(text: str, *, triggers: Mapping[str, FileRef] | None = None) -> list[str | FileRef]:
    known = {"foo": FOO, "bar": BAR, "a,b": BAR}
    found = split_embeddings(text, Vocabulary(find=known.get, triggers=triggers or {}))
    return [piece.strip() if isinstance(piece, str) else piece for piece in found]


def unframed(chunk: Chunk) -> list[int | list[int | EmbeddingRow | float]]:
    ids = [token.id for token in chunk]
    body = chunk[1 : ids.index(END)]
    return [token.id if token.weight == 1.0 else [token.id, token.weight] for token in body]  # type: ignore[misc]


# --- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", weights_of_the_field, ids=lambda case: case["text"])
def test_weights_are_those_of_the_field(case: dict) -> None:  # type: ignore[type-arg]
    assert segments(case["text"]) == [tuple(segment) for segment in case["segments"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a) (b:1.2) (c:1.3)", [("a) (b:1.2) (c:1.3)", 1.0)]),
        ("x (y", [("x ", 1.0), ("(y", 1.0)]),
        ("(a) (b (c) d", [("a", 1.1), (" ", 1.0), ("(b (c) d", 1.0)]),
        ("(a (b):1.5)", [("a ", 1.5), ("b", 1.5 * 1.1)]),
        ("(a (b:1.3) c:0.5)", [("a ", 0.5), ("b", 1.3), (" c", 0.5)]),
        ("(a:1e1)", [("a", 10.0)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a:inf)", [("a", float("inf"))]),
        ("(a:-0.5)", [("a", -0.5)]),
        (r"\\(a)", [("\\(a)", 1.0)]),
        (r"back\slash", [("back\\slash", 1.0)]),
    ],
)
def test_parentheses_weigh(text: str, expected: list[tuple[str, float]]) -> None:
    assert segments(text) == expected


def test_five_hundred_nested_parentheses_multiply() -> None:
    (segment,) = parse("(" * 500 + "a" + ")" * 500)
    assert segment.text == "a"
    assert segment.weight == pytest.approx(1.1**500)


def test_a_hundred_thousand_parentheses_are_no_trouble() -> None:
    assert parse("(" * 50_000 + "a:1.5" + ")" * 50_000) == (Segment("a", 1.5),)
    assert len(parse("(a)" * 50_000)) == 50_000


@given(st.text(st.characters(exclude_characters=":")))
def test_the_parser_keeps_everything_but_parentheses_and_backslashes(text: str) -> None:
    kept = "".join(segment.text for segment in parse(text))
    assert [c for c in kept if c not in "()\\"] == [c for c in text if c not in "()\\"]


@given(st.text(st.sampled_from("ab (): \\.12")))
def test_the_parser_gives_no_empty_runs_whatever_the_parentheses(text: str) -> None:
    assert all(segment.text for segment in parse(text))


@given(st.text(st.characters(exclude_characters="()\\"), min_size=1))
def test_text_without_parentheses_is_one_run_of_weight_one(text: str) -> None:
    assert parse(text) == (Segment(text, 1.0),)


# --- embeddings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embedding:foo", ["", FOO, ""]),
        ("a embedding:foo b", ["a", FOO, "b"]),
        ("a\nembedding:foo\nb", ["a", FOO, "b"]),
        ("a,embedding:foo", ["a,embedding:foo"]),
        ("a, embedding:foo, b", ["a,", FOO, ", b"]),
        ("embedding:,foo,, b", ["", FOO, ",,, b"]),
        ("embedding:a,b c", ["", BAR, "c"]),
        ("embedding:foo embedding:bar", ["", FOO, "", BAR, ""]),
        ("embedding:nothing, b", ["", ", b"]),
        ("embedding:", ["", ""]),
    ],
)
def test_embeddings_are_called_by_name(text: str, expected: list[str | FileRef]) -> None:
    assert pieces(text) == expected


def test_a_name_that_is_not_found_is_reported_once_and_without_commas() -> None:
    missing: list[str] = []
    list(split_embeddings("embedding:nothing, b", Vocabulary(missing=missing.append)))
    assert missing == ["nothing"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a lowq picture", ["a ", FOO, " picture"]),
        ("LowQ", ["", FOO, ""]),
        ("lowq, lowq", ["", FOO, ", ", FOO, ""]),
        ("slowq lowqs low-lowq lowq_2", ["slowq lowqs low-lowq lowq_2"]),
        ("so bad\n hands!", ["so ", BAR, "!"]),
        ("bad", ["bad"]),
        ("a<cat*>b", ["a", BAR, "b"]),
        ("黒猫", ["黒猫"]),
        ("黒、猫", ["黒、", FOO, ""]),
    ],
)
def test_triggers_match_whole_words(text: str, expected: list[str | FileRef]) -> None:
    triggers = {"lowq": FOO, "Bad Hands": BAR, "<cat*>": BAR, "猫": FOO, "": FOO}
    assert list(split_triggers(text, triggers)) == expected


def test_the_longest_trigger_wins() -> None:
    found = list(split_triggers("bad hands", {"bad": FOO, "bad hands": BAR}))
    assert found == ["", BAR, ""]


def test_triggers_work_beside_and_by_embedding_calls() -> None:
    assert pieces("embedding:foo lowq", triggers={"lowq": BAR}) == ["", FOO, "", BAR, ""]
    assert pieces("embedding:LowQ, x", triggers={"lowq": BAR}) == ["", BAR, ", x"]


def test_triggers_take_the_weight_around_them() -> None:
    vocabulary = Vocabulary(rows={FOO: 2}.__getitem__, triggers={"low (q)": FOO})
    (chunk,) = tokenize(r"a (low \(q\):1.4)", "clip_l", vocabulary)
    assert chunk[:5] == (
        Token(START),
        Token(320),
        Token(EmbeddingRow(FOO, 0), 1.4),
        Token(EmbeddingRow(FOO, 1), 1.4),
        Token(END),
    )


# --- chunks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", tokens_of_the_field, ids=lambda case: case["text"][:40])
def test_tokens_are_those_of_the_field(case: dict, kind: TextKind) -> None:  # type: ignore[type-arg]
    found = tokenize(case["text"], kind)
    assert [unframed(chunk) for chunk in found] == case["chunks"]
    assert all(len(chunk) == 77 for chunk in found)


@pytest.mark.parametrize(("kind", "pad"), [("clip_l", 49407), ("clip_g", 0), ("clip_h", 0)])
def test_each_kind_has_its_padding(kind: TextKind, pad: int) -> None:
    expected = (Token(START), Token(END), *[Token(pad)] * 75)
    assert tokenize("", kind) == (expected,)
    assert empty_chunk(kind) == expected


def test_a_short_group_moves_whole_and_a_long_one_is_cut() -> None:
    filler = [Token(1)] * 70
    short, long = [Token(2)] * 7, [Token(3)] * 8
    moved = chunks([filler, short], 0)
    assert [unframed(chunk) for chunk in moved] == [[1] * 70, [2] * 7]
    cut = chunks([filler, long], 0)
    assert [unframed(chunk) for chunk in cut] == [[1] * 70 + [3] * 5, [3] * 3]


def test_an_embedding_of_many_vectors_runs_over_several_chunks() -> None:
    vocabulary = Vocabulary(find={"foo": FOO}.get, rows={FOO: 160}.__getitem__)
    found = tokenize("embedding:foo", "clip_l", vocabulary)
    rows = [
        token.id.row for chunk in found for token in chunk if isinstance(token.id, EmbeddingRow)
    ]
    assert rows == list(range(160))
    assert [len(unframed(chunk)) for chunk in found] == [75, 75, 10]


def test_a_prompt_of_ten_thousand_words_is_tokenised() -> None:
    found = tokenize("cat " * 10_000, "clip_l")
    assert len(found) == -(-10_000 // 75)


@given(st.text(), st.sampled_from(KINDS))
def test_chunks_are_always_framed_and_full(text: str, kind: TextKind) -> None:
    for chunk in tokenize(text, kind):
        assert len(chunk) == 77
        assert chunk[0] == Token(START)
        assert END in [token.id for token in chunk]


@given(st.lists(st.lists(st.just(Token(5)), max_size=200), max_size=6))
def test_no_token_is_lost_between_chunks(groups: list[list[Token]]) -> None:
    found = chunks(groups, 0)
    assert sum(len(unframed(chunk)) for chunk in found) == sum(map(len, groups))


@given(st.text(st.characters(exclude_characters="()\\:"), max_size=60))
def test_a_plain_prompt_has_the_tokenizers_ids(text: str) -> None:
    (chunk, *rest) = tokenize(text, "clip_g")
    ids = token_ids(text)
    if not rest and END not in ids:
        assert unframed(chunk) == ids

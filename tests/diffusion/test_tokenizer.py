import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.diffusion.tokenizer import END, START, token_ids


def test_case_and_whitespace_do_not_matter() -> None:
    assert token_ids("  A Photo\n of\ta CAT ") == [320, 1125, 539, 320, 2368]


def test_letters_that_are_written_in_two_ways_are_the_same() -> None:
    assert token_ids("cafe\u0301") == token_ids("caf\u00e9")


def test_scripts_without_own_tokens_are_spelled_in_bytes() -> None:
    assert token_ids("猫") == [163, 234, 360]
    assert token_ids("😀") == [7334]


def test_a_literal_end_or_start_token_is_that_token() -> None:
    assert token_ids("cat<|endoftext|> dog") == [2368, END, 1929]
    assert token_ids("<|startoftext|>") == [START]


def test_a_lone_surrogate_counts_as_the_replacement_character() -> None:
    assert token_ids("a \ud83d b") == token_ids("a \ufffd b")


def test_a_surrogate_pair_is_the_character_it_spells() -> None:
    assert token_ids("\ud83d\ude00") == token_ids("😀")


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_no_words_are_no_tokens(text: str) -> None:
    assert token_ids(text) == []


@given(st.text(st.characters(codec=None)))
def test_any_text_has_ids_of_the_vocabulary(text: str) -> None:
    assert all(0 <= id <= END for id in token_ids(text))

"""Prompts with choices: one text is drawn for each run, and what was drawn is recorded."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.api import Artifacts, Prompt, Text, node
from graphengine.dynamic_prompts import expand
from graphengine.engine import Engine
from graphengine.folders import Folders
from graphengine.registry import Registry
from graphengine.workflow import parse_api


@node("TestPrompt")
def say(text: Annotated[str, Prompt()], plain: Annotated[str, Text()] = "") -> Artifacts:
    """Shows a prompt."""
    return Artifacts(texts=(text, plain))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    registry = Registry()
    registry.add_functions(say)
    return Engine(registry, Folders(tmp_path, tmp_path, tmp_path, tmp_path))


def texts(prompt: str) -> Counter[str]:
    source = random.Random(1)
    return Counter(expand(prompt, source) for _ in range(400))


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("a cat", {"a cat"}),
        ("a {red|blue} ball", {"a red ball", "a blue ball"}),
        ("{a|b}{c|d}", {"ac", "ad", "bc", "bd"}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{a|}", {"a", ""}),
        ("{only}", {"only"}),
        ("{}", {""}),
        (r"\{a\|b\}", {"{a|b}"}),
        (r"{a\|b|c}", {"a|b", "c"}),
        (r"\(cat:1.2\)", {r"\(cat:1.2\)"}),
        ("a | b", {"a | b"}),
        ("{a|b", {"{a|b"}),
        ("a}b", {"a}b"}),
        ("{x {a|b}", {"{x a", "{x b"}),
        ("a // {b|c}\nd", {"a \nd"}),
        ("a /* {b|\nc} */d", {"a d"}),
        ("a {b // first\n|c}", {"a b \n", "a c"}),
        ("{赤い|青い}丸", {"赤い丸", "青い丸"}),
    ],
)
def test_what_a_prompt_can_become(prompt: str, meant: set[str]) -> None:
    assert set(texts(prompt)) == meant


def test_options_have_equal_chances_and_a_source_gives_the_same_again() -> None:
    counts = texts("{a|b|{c|d}}")

    assert set(counts) == {"a", "b", "c", "d"}
    assert 90 < counts["a"] < 180
    assert 35 < counts["c"] < 100
    assert texts("{a|b|c}") == texts("{a|b|c}")


def test_very_deep_and_very_many_choices() -> None:
    deep = "{" * 20_000 + "x" + "}" * 20_000
    assert expand("{a|b}" * 2_000, random.Random(1)).strip("ab") == ""
    assert expand(deep[:4_000], random.Random(1)) == deep[:4_000]


@given(st.text(alphabet="ab{}|\\/* \n", max_size=40), st.integers())
def test_no_prompt_breaks_it(prompt: str, seed: int) -> None:
    assert isinstance(expand(prompt, random.Random(seed)), str)


def test_the_engine_draws_and_records_what_it_drew(engine: Engine) -> None:
    workflow = parse_api(
        {"1": {"class_type": "TestPrompt", "inputs": {"text": "{a|b} //c", "plain": "{a|b}"}}}
    )
    result = engine.run(workflow)

    (text, plain) = result.artifacts["1"].texts
    assert text in ("a ", "b ")
    assert plain == "{a|b}"
    assert result.prompt["1"]["inputs"] == {"text": text, "plain": plain}
    assert engine.run(parse_api(result.prompt)).artifacts["1"].texts == (text, plain)

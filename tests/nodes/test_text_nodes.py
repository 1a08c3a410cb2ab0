"""Single values, texts, and values shown as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from graphengine.api import InputError, Latent
from graphengine.registry import Registry

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("node_id", "value"),
    [
        ("PrimitiveInt", -(2**63) + 1),
        ("PrimitiveFloat", 0.1),
        ("PrimitiveString", "a"),
        ("PrimitiveStringMultiline", "a\nb"),
        ("PrimitiveBoolean", True),
    ],
)
def test_a_primitive_hands_its_value_on(call: Call, node_id: str, value: object) -> None:
    assert call(node_id, value=value) is value


@pytest.mark.parametrize(
    ("node_id", "inputs", "expected"),
    [
        ("StringConcatenate", {"string_a": "a", "string_b": "b"}, "ab"),
        ("StringConcatenate", {"string_a": "a", "string_b": "b", "delimiter": ", "}, "a, b"),
        ("StringReplace", {"string": "a.a", "find": "a", "replace": "bb"}, "bb.bb"),
        ("StringSubstring", {"string": "夢の中へ", "start": 1, "end": -1}, "の中"),
        ("StringLength", {"string": "夢の中へ"}, (4,)),
        ("StringTrim", {"string": " a \n", "mode": "Both"}, "a"),
        ("StringTrim", {"string": " a \n", "mode": "Left"}, "a \n"),
        ("StringTrim", {"string": " a \n", "mode": "Right"}, " a"),
    ],
)
def test_texts(call: Call, node_id: str, inputs: dict[str, Any], expected: object) -> None:
    assert call(node_id, **inputs) == expected


@pytest.mark.parametrize(
    ("pattern", "replacement", "options", "expected"),
    [
        ("cat", "dog", {}, "dog dog\ndog"),
        ("cat", "dog", {"case_insensitive": False}, "Cat dog\ndog"),
        ("cat", "dog", {"count": 1}, "dog cat\ncat"),
        ("^cat$", "dog", {"multiline": True}, "Cat cat\ndog"),
        ("cat.cat$", "dog", {"dotall": True}, "Cat dog"),
        (r"(c)(at)", r"\2\1", {}, "atC atc\natc"),
    ],
)
def test_regular_expressions(
    call: Call, pattern: str, replacement: str, options: dict[str, Any], expected: str
) -> None:
    text = "Cat cat\ncat"
    assert (
        call("RegexReplace", string=text, regex_pattern=pattern, replace=replacement, **options)
        == expected
    )


@pytest.mark.parametrize(("pattern", "replacement"), [("(", ""), ("a", r"\7")])
def test_a_wrong_regular_expression_is_explained(
    call: Call, pattern: str, replacement: str
) -> None:
    with pytest.raises(InputError) as caught:
        call("RegexReplace", string="a", regex_pattern=pattern, replace=replacement)
    assert caught.value.code == "bad_regex"


def test_an_expression_that_would_take_years_is_given_up(
    call: Call, builtins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = builtins.get("RegexReplace")
    assert spec is not None
    monkeypatch.setitem(spec.function.__globals__, "_REGEX_TIMEOUT_S", 0.1)
    with pytest.raises(InputError) as caught:
        call("RegexReplace", string="a" * 60 + "!", regex_pattern="(a|aa)+$", replace="")
    assert caught.value.code == "slow_regex"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("夢", "夢"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        ({"a": ["夢"]}, '{"a": ["夢"]}'),
        ([torch.zeros(0)], "[[0] float32]"),
        ({"x": torch.tensor([1, 2])}, "{x: [2] int64, 1 … 2}"),
        (
            Latent(torch.tensor([[[[-1.5, 2.0]]]])),
            "Latent(samples=[1, 1, 1, 2] float32, -1.5 … 2, noise_mask=None, batch_index=None)",
        ),
    ],
)
def test_any_value_is_shown_as_text(call: Call, value: object, shown: str) -> None:
    assert call("PreviewAny", source=value).as_ui() == {"text": [shown]}

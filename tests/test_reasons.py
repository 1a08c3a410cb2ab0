"""Why a value cannot be used is said in our words, in English and Japanese."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ByteSize, ConfigDict, Field, Json, TypeAdapter, ValidationError

from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.native import parse_native
from graphengine.reasons import findings, one_of
from graphengine.server.settings import ServerSettings
from graphengine.setting_sources import load_settings_as


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int


@pytest.mark.parametrize(
    ("kind", "value", "english", "japanese"),
    [
        (int, "abc", "a whole number is expected", "整数を指定してください"),
        (int, 1.5, "a whole number is expected", "整数を指定してください"),
        (float, "abc", "a number is expected", "数値を指定してください"),
        (bool, "maybe", "true or false is expected", "true か false を指定してください"),
        (str, 3, "a text is expected", "文字列を指定してください"),
        (Path, 3, "a text is expected", "文字列を指定してください"),
        (list[int], 3, "a list is expected", "リストを指定してください"),
        (tuple[int, ...], 3, "a list is expected", "リストを指定してください"),
        (dict[str, int], 3, "an object is expected", "オブジェクトを指定してください"),
        (Point, 3, "an object is expected", "オブジェクトを指定してください"),
        (Point, {}, "it is missing", "指定されていません"),
        (
            Point,
            {"x": 1, "y": 2},
            "there is no such field",
            "この名前の項目はありません",
        ),
        (Json[Any], "{", "it is not JSON", "JSON ではありません"),
        (
            Literal["a", "b", "c"],
            "d",
            "one of a, b, c is expected",
            "a, b, c のいずれかを指定してください",
        ),
        (Annotated[int, Field(ge=1)], 0, "at least 1 is expected", "1 以上にしてください"),
        (Annotated[int, Field(gt=1)], 1, "more than 1 is expected", "1 より大きくしてください"),
        (Annotated[int, Field(le=9)], 10, "at most 9 is expected", "9 以下にしてください"),
        (Annotated[int, Field(lt=9)], 9, "less than 9 is expected", "9 より小さくしてください"),
        (
            Annotated[str, Field(min_length=8)],
            "x",
            "at least 8 characters are expected",
            "8 文字以上にしてください",
        ),
        (
            Annotated[str, Field(max_length=1)],
            "xy",
            "at most 1 characters are expected",
            "1 文字以下にしてください",
        ),
        (
            Annotated[list[int], Field(min_length=2)],
            [1],
            "at least 2 are expected",
            "2 個以上必要です",
        ),
        (
            Annotated[list[int], Field(max_length=1)],
            [1, 2],
            "at most 1 are expected",
            "1 個までです",
        ),
        (
            ByteSize,
            "lots",
            "a size such as 500MB or 8GiB is expected",
            "500MB や 8GiB のようなサイズを指定してください",
        ),
    ],
)
def test_pydantic_s_findings(kind: Any, value: Any, english: str, japanese: str) -> None:
    with pytest.raises(ValidationError) as found:
        TypeAdapter(kind).validate_python(value)
    assert next(findings(found.value)).reason == {"en": english, "ja": japanese}


def test_what_has_no_words_of_ours_is_told_as_pydantic_says_it() -> None:
    with pytest.raises(ValidationError) as found:
        TypeAdapter(Annotated[str, Field(pattern="^a$")]).validate_python("b")
    told = found.value.errors()[0]["msg"]
    assert next(findings(found.value)).reason == {"en": told, "ja": told}


def test_the_place_stands_before_the_reason() -> None:
    with pytest.raises(ValidationError) as found:
        TypeAdapter(list[Point]).validate_python([{"x": "a"}])
    first = next(findings(found.value))
    assert (first.place, first.value) == ("0.x", "a")
    assert first.placed == {
        "en": "0.x: a whole number is expected",
        "ja": "0.x: 整数を指定してください",
    }


def test_choices() -> None:
    assert one_of(("ui", "api"))["en"] == "one of ui, api is expected"


@pytest.mark.parametrize(
    ("variable", "value", "japanese"),
    [
        ("PORT", "70000", "65535 以下にしてください"),
        ("PORT", "many", "整数を指定してください"),
        ("TOKEN", "x", "8 文字以上にしてください"),
        ("ON_RESTART", "no", "requeue, interrupt のいずれかを指定してください"),
        ("DEVICE", "gpu", "cuda:1"),
        ("CACHE_RAM_BYTES", "lots", "8GiB"),
    ],
)
def test_a_setting_is_refused_in_the_person_s_language(
    tmp_path: Path, variable: str, value: str, japanese: str
) -> None:
    environment = {f"GRAPHENGINE_{variable}": value}
    with pytest.raises(GraphEngineError) as refused:
        load_settings_as(ServerSettings, environment, base_directory=tmp_path)
    english = refused.value.text("en")
    assert f"GRAPHENGINE_{variable}: {value} cannot be used: " in english
    assert "Input should" not in english
    assert japanese in refused.value.text("ja")


def test_a_saved_workflow_tells_its_bad_field() -> None:
    damaged = {"format": "graphengine workflow", "nodes": [{"id": "1", "type": 3}]}
    with pytest.raises(ProblemsFound) as found:
        parse_native(json.loads(json.dumps(damaged)))
    [problem] = found.value.problems
    assert "nodes.0.type" in problem.message("en")
    assert problem.message("en").endswith("cannot be read: a text is expected.")
    assert "文字列を指定してください" in problem.message("ja")

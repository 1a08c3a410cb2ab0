"""Errors and problems: every code has its texts, in English and Japanese alike."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from graphengine.errors import (
    ByLanguage,
    GraphEngineError,
    InputError,
    NodeFailed,
    Problem,
    ProblemsFound,
    render,
    said,
)
from graphengine.nearest import listed, nearest

ROOT = Path(__file__).parent.parent
MESSAGES = ROOT / "graphengine" / "messages"
AREAS = sorted({path.name.partition(".")[0] for path in MESSAGES.glob("*.toml")})
SOURCES = [*ROOT.glob("graphengine/**/*.py"), *ROOT.glob("nodes/**/*.py")]


def messages(area: str, language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((MESSAGES / f"{area}.{language}.toml").read_text(encoding="utf-8"))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def error_classes() -> set[str]:
    """The names of GraphEngineError and of all that derive from it, also in plugins' files."""
    bases = {
        found.name: {base.id for base in found.bases if isinstance(base, ast.Name)}
        for path in SOURCES
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.ClassDef)
    }
    names = {"GraphEngineError"}
    while more := {name for name in bases if bases[name] & names} - names:
        names |= more
    return names


def codes_in_source() -> Iterator[tuple[str, str]]:
    """Every code that is written out where an error, a problem or a text is made, and the file."""
    makers = error_classes() | {"Problem", "WrongValue", "render"}
    for path in SOURCES:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            code = call.args[0]
            if name in makers and isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value, path.name


@pytest.mark.parametrize("area", AREAS)
def test_english_and_japanese_have_equal_codes_and_placeholders(area: str) -> None:
    english, japanese = messages(area, "en"), messages(area, "ja")

    assert list(english) == list(japanese)
    for code, texts in english.items():
        assert set(texts) == set(japanese[code]), code
        assert set(texts) <= {"message", "hint"}, code
        for part, text in texts.items():
            assert placeholders(text) == placeholders(japanese[code][part]), (code, part)


@pytest.mark.parametrize("area", AREAS)
def test_japanese_texts_are_japanese(area: str) -> None:
    for code, texts in messages(area, "ja").items():
        for text in texts.values():
            words = "".join(literal for literal, *_ in Formatter().parse(text))
            assert not words.isascii() or not words.strip(" :[]/"), code


def test_no_code_has_two_texts() -> None:
    counts = Counter(code for area in AREAS for code in messages(area, "en"))

    assert [code for code, count in counts.items() if count > 1] == []


def test_every_code_in_the_source_has_texts() -> None:
    known = {code for area in AREAS for code in messages(area, "en")}

    assert sorted(found for found in codes_in_source() if found[0] not in known) == []


def test_every_text_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    codes = [code for area in AREAS if area != "cli" for code in messages(area, "en")]

    assert [code for code in codes if f'"{code}"' not in source] == []


def test_a_problem_says_where_what_and_how_to_mend() -> None:
    problem = Problem(
        "file_not_found", "7", "Loader", "name", details={"name": "a", "kind": "vae", "there": "b"}
    )

    assert problem.text() == 'Loader (#7), input "name": There is no "a" in vae. There is: b'
    assert problem.text("ja").startswith('Loader (#7), 入力 "name": ')
    assert problem.hint("ja") == "あるもの: b"


def test_a_detail_in_each_language_fills_each_message_with_its_own() -> None:
    cause = GraphEngineError("plugin_folder_missing").texts()
    problem = Problem("cli_load_failure", details={"where": "a", "cause": cause})

    assert problem.text() == "a could not be loaded: There is no such folder."
    assert problem.text("ja") == "a を読み込めませんでした: このフォルダーはありません。"


def test_a_problem_without_title_or_node_still_says_what_it_knows() -> None:
    details = {"name": "a", "kind": "vae", "there": "b"}

    assert Problem("file_not_found", "7", details=details).message().startswith("#7: ")
    assert Problem("file_not_found", details=details).message() == 'There is no "a" in vae.'


def test_a_problem_as_json_holds_all_languages() -> None:
    found = Problem("bad_shape", "7", input="x", expected="one", got="two").as_dict()

    assert found["code"] == "bad_shape"
    assert (found["node_id"], found["input"], found["severity"]) == ("7", "x", "error")
    assert "one" in found["message"]["en"]
    assert "one" in found["message"]["ja"]
    assert found["hint"]["ja"] == "この値を作ったノードを確認してください。"


def test_all_problems_are_in_the_text_and_the_json_of_the_error() -> None:
    error = ProblemsFound((Problem("ui_format"), Problem("bad_shape", "3")))

    assert str(error).startswith("The workflow has 2 problem(s):\n")
    assert len(str(error).splitlines()) == 3
    assert [problem["code"] for problem in error.as_dict()["problems"]] == [
        "ui_format",
        "bad_shape",
    ]


def test_a_failed_node_tells_its_cause_in_the_persons_language() -> None:
    cause = InputError("bad_shape", socket="IMAGE", expected="4", got="3")
    failed = NodeFailed(
        node_id="5", title="Decode", node_type="VAEDecode", inputs={"x": "INT 3"}, cause=cause
    )

    assert str(failed) == f"Decode (#5) failed: {cause}"
    assert cause.text("ja") in failed.text("ja")
    assert failed.as_dict()["inputs"] == {"x": "INT 3"}


def test_a_failed_node_is_called_as_the_editor_does_in_each_language() -> None:
    failed = NodeFailed(
        node_id="5",
        title="Decode",
        node_type="VAEDecode",
        inputs={},
        cause=ValueError("bad"),
        type_title=ByLanguage(en="Decode", ja="デコード"),
    )

    assert failed.text("en").startswith("Decode (#5) failed")
    assert failed.text("ja").startswith("デコード (#5)")
    assert failed.as_dict()["title"] == "Decode"


def test_a_foreign_cause_is_shown_with_its_type() -> None:
    failed = NodeFailed(
        node_id="5", title="Decode", node_type="T", inputs={}, cause=ValueError("bad")
    )

    assert failed.cause_text("ja") == "ValueError: bad"


def test_an_error_that_says_nothing_or_cannot_is_shown_by_its_type_alone() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert (said(KeyError()), said(Mute())) == ("KeyError", "Mute")


def test_an_unknown_code_and_a_missing_detail_do_not_fail() -> None:
    assert str(GraphEngineError("no_such_code", a=1, b=None)) == "no_such_code (a=1)"
    assert render("no_such_code", {}, "en") == ("no_such_code", "")
    assert str(GraphEngineError("file_not_found", name="a")).startswith('There is no "a" in ?.')
    assert render("bad_shape", {}, "fr")[0] == render("bad_shape", {}, "en")[0]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Install the plugin that brings it, or put another node in its place."),
        ("ja", "このノードを含むプラグインを入れるか、別のノードに置き換えてください。"),
    ],
)
def test_nothing_is_said_of_near_names_where_there_are_none(language: str, expected: str) -> None:
    problem = Problem("unknown_node", got="Zzz", details={"nearest": listed(())})
    assert problem.hint(language) == expected
    assert Problem("unknown_input", details={"nearest": listed(())}).hint(language) == ""
    near = Problem("unknown_node", got="Zzz", details={"nearest": listed(["Zza"])})
    assert '"Zza"' in near.hint(language)


def test_a_hint_in_japanese_follows_without_a_space() -> None:
    message, hint = render("no_vae", {}, "ja")
    assert InputError("no_vae").text("ja") == message + hint
    assert InputError("no_vae").text("en") == " ".join(render("no_vae", {}, "en"))


def test_files_of_one_kind_do_not_resemble_each_other_by_their_suffix() -> None:
    files = ["graphengine-starter.safetensors", "DreamShaper_8.ckpt"]
    assert nearest("sd_xl_refiner_1.0.safetensors", files) == ()
    assert nearest("dreamshapr_8.safetensors", files) == ("DreamShaper_8.ckpt",)


def test_a_cause_without_an_end_does_not_run_into_the_hint() -> None:
    error = InputError("image_not_written", path="out", cause=PermissionError(13, "No permission"))
    assert error.text().startswith("out could not be written: No permission. Check")
    assert error.text("ja").startswith("out に書き込めませんでした: No permission。フォルダー")

"""Widgets: which values they take, what they make of them, and what they say of the others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.folders import Folders, model_folders
from graphengine.parameters import (
    Bool,
    Choice,
    Float,
    ImageFile,
    Int,
    ModelFile,
    Prompt,
    Seed,
    Text,
    Widget,
    WrongValue,
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(
        tmp_path / "input",
        tmp_path / "output",
        tmp_path / "temp",
        tmp_path / "user",
        model_folders(tmp_path / "models"),
    )
    for path in ("models/vae/sub/a.pt", "models/embeddings/good.pt", "input/cat.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    return made


@pytest.mark.parametrize(
    ("widget", "value", "taken"),
    [
        (Int(ge=1, le=12), 1, 1),
        (Int(ge=1, le=12), 12, 12),
        (Int(), "7", 7),
        (Int(), 7.0, 7),
        (Seed(), -1, -1),
        (Seed(), 2**64 - 1, 2**64 - 1),
        (Float(ge=0.0, le=1.0), 1, 1.0),
        (Float(), "0.5", 0.5),
        (Bool(), True, True),
        (Bool(), "false", False),
        (Text(), "words", "words"),
        (Text(), 5, "5"),
        (Choice(options=("a", "b")), "b", "b"),
        (Choice(options=(1, 2)), 2, 2),
    ],
)
def test_values_that_fit_are_taken(
    folders: Folders, widget: Widget, value: Any, taken: Any
) -> None:
    got = widget.check(value, folders)
    assert got == taken
    assert type(got) is type(taken)


@pytest.mark.parametrize(
    ("widget", "value", "code", "expected"),
    [
        (Int(ge=1, le=12), 0, "below_minimum", "INT 1 … 12"),
        (Int(ge=1, le=12), 13, "above_maximum", "INT 1 … 12"),
        (Int(ge=1), "many", "wrong_value_type", "INT ≥ 1"),
        (Int(le=3), 2.5, "wrong_value_type", "INT ≤ 3"),
        (Int(), None, "wrong_value_type", "INT"),
        (Seed(), -2, "below_minimum", f"INT -1 … {2**64 - 1}"),
        (Seed(), 2**64, "above_maximum", f"INT -1 … {2**64 - 1}"),
        (Float(ge=0.0), -0.1, "below_minimum", "FLOAT ≥ 0.0"),
        (Float(), math.nan, "not_finite", "FLOAT"),
        (Float(), math.inf, "not_finite", "FLOAT"),
        (Float(), [1.0], "wrong_value_type", "FLOAT"),
        (Bool(), "maybe", "wrong_value_type", "BOOLEAN"),
        (Bool(), 2, "wrong_value_type", "BOOLEAN"),
        (Text(), {"a": 1}, "wrong_value_type", "STRING"),
        (Text(), None, "wrong_value_type", "STRING"),
        (Choice(options=("a", "b")), "c", "not_in_list", "a, b"),
        (Choice(options=()), "c", "not_in_list", "–"),
        (ModelFile(kind="vae"), "b.pt", "missing_file", "sub/a.pt"),
        (ModelFile(kind="vae"), 5, "missing_file", "sub/a.pt"),
        (ImageFile(), "dog.png", "missing_file", "cat.png"),
        (ImageFile(), "../models/vae/sub/a.pt", "missing_file", "cat.png"),
    ],
)
def test_values_that_do_not_fit_say_what_was_expected(
    folders: Folders, widget: Widget, value: Any, code: str, expected: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        widget.check(value, folders)

    assert (caught.value.code, caught.value.expected) == (code, expected)


def test_a_long_list_of_choices_is_cut_with_its_length(folders: Folders) -> None:
    with pytest.raises(WrongValue) as caught:
        Choice(options=tuple(range(1000))).check("x", folders)

    assert caught.value.expected.endswith("19, … (1000)")
    assert len(caught.value.details["choices"]) == 1000


def test_choices_may_be_found_when_asked_for(folders: Folders) -> None:
    widget = Choice(find=lambda found: [*found.list("vae"), "none"])

    assert widget.check("none", folders) == "none"
    assert widget.check("sub/a.pt", folders) == "sub/a.pt"


def test_a_model_file_may_have_further_names(folders: Folders) -> None:
    widget = ModelFile(kind="vae", extra=("pixel_space",))

    assert list(widget.choices(folders)) == ["sub/a.pt", "pixel_space"]
    assert widget.check("pixel_space", folders) == "pixel_space"


def test_a_file_name_from_windows_is_understood(folders: Folders) -> None:
    assert ModelFile(kind="vae").check("sub\\a.pt", folders) == "sub/a.pt"


def test_a_picture_of_the_output_folder_is_taken(folders: Folders) -> None:
    folders.output.mkdir()
    (folders.output / "made.png").write_text("x")

    assert ImageFile().check("made.png [output]", folders) == "made.png [output]"


def test_the_fingerprint_of_a_file_changes_with_the_file(folders: Folders, tmp_path: Path) -> None:
    widget = ModelFile(kind="vae")
    before = widget.fingerprint("sub/a.pt", folders)
    (tmp_path / "models/vae/sub/a.pt").write_text("longer")

    assert widget.fingerprint("sub/a.pt", folders) != before
    assert widget.fingerprint("gone.pt", folders) == ""


def test_the_fingerprint_of_a_prompt_holds_the_embeddings_that_it_names(
    folders: Folders, tmp_path: Path
) -> None:
    named = Prompt().fingerprint("a cat, embedding:good", folders)
    unnamed = Prompt().fingerprint("a cat", folders)
    (tmp_path / "models/embeddings/good.pt").write_text("longer")

    assert unnamed == Prompt().fingerprint("a cat", folders) == ""
    assert named != Prompt().fingerprint("a cat, embedding:good", folders)


@pytest.mark.parametrize(
    "text", ["embedding:good, cat", "(embedding:good:1.2)", "embedding:,good,"]
)
def test_commas_and_weights_are_no_part_of_an_embeddings_name(folders: Folders, text: str) -> None:
    assert folders.fingerprint("embeddings", "good") in Prompt().fingerprint(text, folders)


def test_the_fingerprint_of_a_linked_prompt_holds_all_embeddings(folders: Folders) -> None:
    linked = Prompt().fingerprint(None, folders)

    assert linked == Prompt().fingerprint("embedding:good.pt", folders)
    assert linked != ""


@given(st.integers(), st.integers(-50, 50), st.integers(0, 50))
def test_what_an_int_takes_is_inside_its_range(value: int, low: int, width: int) -> None:
    widget = Int(ge=low, le=low + width)
    folders = Folders(Path(), Path(), Path(), Path())
    if low <= value <= low + width:
        assert widget.check(value, folders) == value
        return
    with pytest.raises(WrongValue) as caught:
        widget.check(value, folders)
    assert caught.value.code == ("below_minimum" if value < low else "above_maximum")

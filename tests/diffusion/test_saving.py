"""Numbered names: placeholders, counters, sub-folders."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import torch

from graphengine.diffusion.saving import choose_target, save_pictures
from graphengine.errors import LANGUAGES, InputError
from graphengine.sockets import Image

NOON = datetime(2026, 1, 2, 12, 30, 45)


def test_placeholders_are_filled(tmp_path: Path) -> None:
    prefix = "%year%-%month%-%day%/%hour%%minute%%second%_%width%x%height%"
    target = choose_target(tmp_path, prefix, width=64, height=32, now=NOON)
    assert (target.subfolder, target.stem) == ("2026-01-02", "123045_64x32")
    assert (tmp_path / "2026-01-02").is_dir()


def test_numbers_go_on_from_the_highest_of_the_same_name(tmp_path: Path) -> None:
    names = ("a_00007_.png", "A_00009_.png", "ab_00050_.png", "a_b_00060_.png", "a_x.png")
    for name in names:
        (tmp_path / name).touch()
    assert choose_target(tmp_path, "a", width=1, height=1).first == 10


def test_a_batch_number_can_stand_in_the_name_and_counters_still_go_on(tmp_path: Path) -> None:
    batch = Image(torch.zeros(2, 4, 4, 3))
    first = [name for name, _ in save_pictures(batch, tmp_path, "a%batch_num%")]
    assert first == ["a0_00001_.png", "a1_00002_.png"]
    again = [name for name, _ in save_pictures(batch, tmp_path, "a%batch_num%")]
    assert again == ["a0_00003_.png", "a1_00004_.png"]


def test_a_prefix_that_ends_in_a_slash_names_a_folder_only(tmp_path: Path) -> None:
    saved = save_pictures(Image(torch.zeros(1, 4, 4, 3)), tmp_path, "x/y/")
    assert saved == [("_00001_.png", "x/y")]


def test_backslashes_separate_folders_too(tmp_path: Path) -> None:
    target = choose_target(tmp_path, "x\\y", width=1, height=1)
    assert (target.subfolder, target.stem) == ("x", "y")


@pytest.mark.parametrize("prefix", ["..", "../a", "/a", "x/../../a"])
def test_leaving_the_folder_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_target(tmp_path, prefix, width=1, height=1)
    assert caught.value.code == "prefix_leaves_folder"
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)


@pytest.mark.parametrize("prefix", ["a\0b", "a\ud800b"])
def test_a_character_that_no_file_name_has_is_told(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_target(tmp_path, prefix, width=1, height=1)
    assert caught.value.code == "prefix_is_no_name"
    assert all('"a\\u' in caught.value.text(language) for language in LANGUAGES)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a file where a folder should be")
    with pytest.raises(InputError) as caught:
        choose_target(tmp_path, "x/a", width=1, height=1)
    assert caught.value.code == "image_not_written"

"""Settings: from the environment, with defaults below one folder, and errors that name them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from graphengine.setting_sources import load_settings, load_settings_as, names_of
from graphengine.settings import GIB, PREFIX, STARTER_FOLDER, Settings, SettingsError


def test_everything_lies_below_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = load_settings({}).folders()

    assert (folders.input, folders.output) == (tmp_path / "input", tmp_path / "output")
    assert (folders.temp, folders.user) == (tmp_path / "temp", tmp_path / "user")
    assert folders.roots("vae")[0] == tmp_path / "models" / "vae"
    assert load_settings({}).plugins() == (tmp_path / "plugins",)


def test_the_environment_names_folders_one_by_one(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "GRAPHENGINE_BASE_DIRECTORY": str(tmp_path),
            "GRAPHENGINE_OUTPUT_DIRECTORY": "/pictures",
            "GRAPHENGINE_MODELS_DIRECTORY": "weights",
            "GRAPHENGINE_PLUGIN_DIRECTORIES": os.pathsep.join(["/one", "two"]),
            "GRAPHENGINE_DEVICE": "cpu",
            "GRAPHENGINE_CACHE_RAM_BYTES": "1000",
        }
    )

    assert settings.folders().output == Path("/pictures")
    assert settings.folders().input == tmp_path / "input"
    assert settings.folders().roots("loras")[0] == tmp_path / "weights" / "loras"
    assert settings.plugins() == (Path("/one"), tmp_path / "two")
    assert (settings.device, settings.cache_ram_bytes) == ("cpu", 1000)


def test_the_starter_models_folder_is_the_last_of_its_kinds() -> None:
    folders = load_settings({}).folders()

    assert folders.roots("checkpoints")[-1] == STARTER_FOLDER / "checkpoints"
    assert folders.roots("loras")[-1] == STARTER_FOLDER / "loras"
    assert STARTER_FOLDER / "controlnet" not in folders.roots("controlnet")


def test_what_is_given_wins_over_the_environment() -> None:
    environment = {"GRAPHENGINE_DEVICE": "cuda", "GRAPHENGINE_OUTPUT_DIRECTORY": "/a"}
    settings = load_settings(environment, output_directory=Path("/b"), device=None)

    assert (settings.output_directory, settings.device) == (Path("/b"), "cuda")


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({"GRAPHENGINE_DEVICE": ""}).device == "auto"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRAPHENGINE_DEVICE", "toaster"),
        ("GRAPHENGINE_CACHE_RAM_BYTES", "much"),
        ("GRAPHENGINE_CACHE_RAM_BYTES", "-1"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({variable: value})

    for language in ("en", "ja"):
        assert variable in caught.value.text(language)
        assert value in caught.value.text(language)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings({}).device = "cpu"  # type: ignore[misc]


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_every_variable_is_documented(readme: str) -> None:
    text = (Path(__file__).parent.parent / readme).read_text(encoding="utf-8")

    for name in Settings.model_fields:
        assert f"`{PREFIX}{name.upper()}`" in text


# --- names, sizes, the file ---


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [("8GiB", 8 * GIB), ("500MB", 500_000_000), ("4", 4 * GIB), ("0", 0), ("0.5", GIB // 2)],
)
def test_a_size_has_a_unit_or_counts_gibibytes(written: str, size_bytes: int) -> None:
    assert load_settings({"GRAPHENGINE_CACHE_RAM": written}).cache_ram_bytes == size_bytes


def test_a_setting_may_be_called_as_its_option_is(tmp_path: Path) -> None:
    assert names_of(Settings, "plugin_directories") == ("plugin_directories", "plugins")
    environment = {"GRAPHENGINE_BASE_DIRECTORY": str(tmp_path), "GRAPHENGINE_PLUGINS": "mine"}

    assert load_settings(environment).plugins() == (tmp_path / "mine",)


def test_a_file_in_the_base_directory_holds_settings_too(tmp_path: Path) -> None:
    written = 'device = "cpu"\nplugins = ["a", "b"]\ncache-ram = "1GiB"\n'
    (tmp_path / "graphengine.toml").write_text(written)
    settings = load_settings({}, base_directory=tmp_path)

    assert (settings.device, settings.cache_ram_bytes) == ("cpu", GIB)
    assert settings.plugins() == (tmp_path / "a", tmp_path / "b")


def test_the_environment_wins_over_the_file_and_what_is_given_over_both(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text('device = "cuda"\npreview_method = "none"\n')
    environment = {"GRAPHENGINE_BASE_DIRECTORY": str(tmp_path), "GRAPHENGINE_DEVICE": "mps"}

    assert load_settings(environment).device == "mps"
    assert load_settings(environment, device="cpu").device == "cpu"
    assert load_settings(environment).preview_method == "none"


def test_a_key_of_the_file_that_nobody_knows_is_named_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text("prot = 8188\n")
    with pytest.raises(SettingsError, match="prot") as caught:
        load_settings_as(Settings, {}, base_directory=tmp_path)

    assert caught.value.code == "unknown_setting"
    assert "cache_ram" in str(caught.value)


def test_what_the_file_says_to_the_server_bothers_no_other_command(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text("port = 8188\n")

    assert load_settings({}, base_directory=tmp_path).device == "auto"


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text("device: cpu\n")

    with pytest.raises(SettingsError, match=r"graphengine\.toml"):
        load_settings({}, base_directory=tmp_path)


def test_a_value_of_the_file_that_cannot_be_used_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text('device = "toaster"\n')

    with pytest.raises(SettingsError, match=r"device .*graphengine\.toml"):
        load_settings({}, base_directory=tmp_path)


@pytest.mark.parametrize(
    ("given", "most", "last_run_only"),
    [
        ({}, None, False),
        ({"GRAPHENGINE_CACHE_LRU": "7"}, 7, False),
        ({"GRAPHENGINE_CACHE_LRU": "0"}, None, True),
        ({"GRAPHENGINE_CACHE_CLASSIC": "true"}, None, True),
    ],
)
def test_what_the_cache_keeps_can_be_set(
    given: dict[str, str], most: int | None, last_run_only: bool
) -> None:
    cache = load_settings(given).cache()

    assert (cache.most_entries, cache.last_run_only) == (most, last_run_only)

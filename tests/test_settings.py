"""Settings: from the environment, with defaults below one folder, and errors that name them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from graphengine.settings import PREFIX, STARTER_FOLDER, Settings, SettingsError, load_settings


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

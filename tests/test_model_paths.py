"""Further folders of models out of ``extra_model_paths.yaml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphengine.model_paths import ModelPathsError, load_model_paths
from graphengine.settings import Settings


def written(folder: Path, text: str, name: str = "extra_model_paths.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_section_names_folders_below_its_base_one_or_several_a_kind(tmp_path: Path) -> None:
    paths = load_model_paths(
        [
            written(
                tmp_path,
                """
a1111:
    base_path: /webui
    checkpoints: models/Stable-diffusion
    loras: |
        models/Lora
        models/LyCORIS

        /elsewhere/loras
""",
            )
        ]
    )

    assert paths.around("checkpoints") == (Path("/webui/models/Stable-diffusion"),)
    assert paths.around("loras") == (
        Path("/webui/models/Lora"),
        Path("/webui/models/LyCORIS"),
        Path("/elsewhere/loras"),
    )


def test_a_base_is_relative_to_the_file_and_so_are_paths_without_one(tmp_path: Path) -> None:
    text = "a:\n  base_path: ../shared\n  vae: vae\nb:\n  vae: own/vae\n"
    folder = tmp_path / "etc"
    folder.mkdir()

    assert load_model_paths([written(folder, text)]).around("vae") == (
        tmp_path / "shared" / "vae",
        folder / "own" / "vae",
    )


def test_a_default_section_comes_before_the_usual_folders_others_after(tmp_path: Path) -> None:
    text = "a:\n  is_default: true\n  clip_vision: /first\nb:\n  clip_vision: /last\n"
    written(tmp_path, text)
    roots = Settings(base_directory=tmp_path).folders().roots("clip_vision")

    assert roots == (Path("/first"), tmp_path / "models" / "clip_vision", Path("/last"))


def test_old_names_of_kinds_mean_the_new_ones(tmp_path: Path) -> None:
    file = written(tmp_path, "a:\n  unet: /unet\n  clip: /clip\n")

    assert load_model_paths([file]).kinds == ("diffusion_models", "text_encoders")


def test_home_and_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DISK", "/disk")
    file = written(tmp_path, "a:\n  base_path: ~/comfy\n  vae: vae\n  loras: $DISK/loras\n")

    assert load_model_paths([file]).around("vae") == (Path("/home/me/comfy/vae"),)
    assert load_model_paths([file]).around("loras") == (Path("/disk/loras"),)


def test_a_kind_of_ones_own_has_its_folders_too(tmp_path: Path) -> None:
    written(tmp_path, "a:\n  ultralytics: /yolo\n")

    assert Settings(base_directory=tmp_path).folders().roots("ultralytics") == (Path("/yolo"),)


def test_custom_nodes_lie_below_the_base_and_where_the_file_says(tmp_path: Path) -> None:
    file = written(tmp_path, "a:\n  custom_nodes: /packs\n", "other.yaml")
    settings = Settings(base_directory=tmp_path, extra_model_paths_config=(file,))

    assert settings.custom_nodes() == (tmp_path / "custom_nodes", Path("/packs"))
    assert settings.folders().roots("custom_nodes") == settings.custom_nodes()


@pytest.mark.parametrize("text", ["", "# nothing\n", "a:\n", "a:\n  vae:\n"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    assert load_model_paths([written(tmp_path, text)]).kinds == ()


@pytest.mark.parametrize("text", ["- a\n", "a: b\n", "a:\n  vae: [x]\n", "a: {vae: 'x\n"])
def test_what_cannot_be_used_names_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelPathsError, match=r"extra_model_paths\.yaml"):
        load_model_paths([written(tmp_path, text)])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelPathsError, match=r"none\.yaml"):
        load_model_paths([tmp_path / "none.yaml"])

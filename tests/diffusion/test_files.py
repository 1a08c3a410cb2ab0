"""Opening model files: every format, every way in which one can be bad."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphengine.diffusion.files import TensorInfo, file_ref, open_tensors
from graphengine.errors import LANGUAGES, ModelFileError


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"a.x": torch.arange(6.0).reshape(2, 3), "a.y": torch.ones(2).half(), "b": torch.eye(2)}


@pytest.fixture(params=["safetensors", "ckpt", "wrapped", "legacy"])
def model_file(
    request: pytest.FixtureRequest, tmp_path: Path, tensors: dict[str, torch.Tensor]
) -> Path:
    path = tmp_path / "model.bin"
    if request.param == "safetensors":
        save_file(tensors, str(path))
    elif request.param == "ckpt":
        torch.save(tensors, path)
    elif request.param == "wrapped":
        torch.save({"epoch": 3, "state_dict": tensors}, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


def read_all(path: Path) -> list[torch.Tensor]:
    opened = open_tensors(path)
    return [opened.tensor(key) for key in opened]


def failure(path: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        read_all(path)
    for language in LANGUAGES:
        text = caught.value.text(language)
        assert str(path) in text
        assert "?" not in text
    return caught.value


def test_every_format_is_recognised_by_content_and_read_alike(
    model_file: Path, tensors: dict[str, torch.Tensor]
) -> None:
    opened = open_tensors(model_file)
    assert dict(opened) == {k: TensorInfo(tuple(t.shape), t.dtype) for k, t in tensors.items()}
    assert all(torch.equal(opened.tensor(key), tensors[key]) for key in tensors)


def test_a_pickle_under_the_name_of_safetensors_is_read_alike(
    model_file: Path, tensors: dict[str, torch.Tensor]
) -> None:
    opened = open_tensors(model_file.rename(model_file.with_suffix(".safetensors")))
    assert all(torch.equal(opened.tensor(key), tensors[key]) for key in tensors)


def test_a_prefix_gives_the_part_under_it_with_shorter_names(model_file: Path) -> None:
    part = open_tensors(model_file).under("a.")
    assert set(part) == {"x", "y"}
    assert part.shape("x") == (2, 3)
    assert part.tensor("x")[1, 2] == 5.0


def test_asking_for_a_key_that_is_not_there_names_it(model_file: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere") as caught:
        open_tensors(model_file).shape("nowhere")
    assert caught.value.code == "model_missing_key"


def test_safetensors_metadata_is_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(1)}, str(path), metadata={"modelspec.prediction_type": "v"})
    assert open_tensors(path).metadata["modelspec.prediction_type"] == "v"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.safetensors").code == "model_not_found"


def test_a_folder_is_told(tmp_path: Path) -> None:
    assert failure(tmp_path).code == "model_is_folder"


def test_a_file_that_may_not_be_read_is_told(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)

    assert failure(model_file).code == "model_unreadable"
    assert failure(model_file).text("ja").count("Permission denied。") == 1


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty.safetensors"
    path.touch()
    assert failure(path).code == "model_empty"


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"version https://git-lfs", b"x"])
def test_a_web_page_or_pointer_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.safetensors"
    path.write_bytes(content)
    assert failure(path).code == "model_not_a_model"


def test_a_pickle_without_tensors_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "list.pt"
    torch.save([1, 2, 3], path)
    assert failure(path).code == "model_not_a_model"


def test_safetensors_without_tensors_are_no_model(tmp_path: Path) -> None:
    save_file({}, str(tmp_path / "model.safetensors"))
    assert failure(tmp_path / "model.safetensors").code == "model_not_a_model"


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_file_of_every_format_is_told(model_file: Path, kept: float) -> None:
    whole = model_file.read_bytes()
    model_file.write_bytes(whole[: int(len(whole) * kept)])
    assert failure(model_file).code == "model_truncated"


def test_a_file_with_wrong_bytes_is_damaged_wherever_they_are(model_file: Path) -> None:
    whole = model_file.read_bytes()
    chance = random.Random(2)
    for _ in range(300):
        wrong = bytearray(whole)
        for _ in range(chance.choice((1, 20))):
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
        model_file.write_bytes(wrong)
        with contextlib.suppress(ModelFileError):  # or it is as good as before
            read_all(model_file)


def test_a_pickle_is_truncated_not_unsafe_wherever_it_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    codes = set()
    for kept in range(2, len(whole)):
        path.write_bytes(whole[:kept])
        codes.add(failure(path).code)
    assert codes == {"model_truncated"}


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/graphengine_was_here",)


def assert_refused_by_name(path: Path) -> None:
    error = failure(path)
    assert error.code == "model_unsafe_pickle"
    assert error.details["name"].endswith(".system")
    assert not Path("/tmp/graphengine_was_here").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_an_evil_pickle_is_refused_by_name_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"w": torch.ones(1), "x": _Evil()}, path, _use_new_zipfile_serialization=zipped)
    assert_refused_by_name(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_bare_evil_pickle_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"x": _Evil()}, protocol=protocol))
    assert_refused_by_name(path)


def test_an_evil_pickle_of_a_newer_protocol_in_an_archive_is_refused_by_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"w": torch.ones(1), "x": _Evil()}, path, pickle_protocol=4)
    assert_refused_by_name(path)


def test_a_pickle_that_cannot_be_read_safely_brings_no_advice_to_read_it_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plain.pt"
    path.write_bytes(pickle.dumps({"x": [1, 2]}, protocol=4))
    error = failure(path)
    assert error.code == "model_truncated"
    assert "weights_only" not in error.text()


def test_the_objects_of_training_frameworks_beside_the_tensors_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("pytorch_lightning.callbacks")
    callback = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = callback  # type: ignore[attr-defined]
    path = tmp_path / "v1-4.ckpt"
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pytorch_lightning", types.ModuleType("pytorch_lightning"))
        patched.setitem(sys.modules, module.__name__, module)
        instance = callback()
        instance.best = 1.0
        torch.save({"callbacks": {callback: instance}, "state_dict": {"w": torch.ones(2)}}, path)
    assert torch.equal(open_tensors(path).tensor("w"), torch.ones(2))


def test_a_file_that_changed_since_it_was_looked_at_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(1)}, str(path))
    seen = file_ref(path)
    save_file({"a": torch.zeros(2)}, str(path))
    with pytest.raises(ModelFileError) as caught:
        open_tensors(seen)
    assert caught.value.code == "model_changed"

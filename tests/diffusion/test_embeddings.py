import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from graphengine.diffusion.embeddings import read_embedding
from graphengine.diffusion.files import file_ref
from graphengine.errors import ModelFileError

WIDTH = 8
ROWS = torch.arange(2.0 * WIDTH).reshape(2, WIDTH)
WIDE = torch.arange(3.0 * 12).reshape(3, 12)


def read(path: Path, kind: Any = "clip_l", width: int = WIDTH) -> Tensor:
    return read_embedding(file_ref(path), kind=kind, width=width)


def pickled(path: Path, stored: object, *, legacy: bool = False) -> Path:
    torch.save(stored, path, _use_new_zipfile_serialization=not legacy)
    return path


def automatic1111(vectors: object) -> dict[str, object]:
    return {
        "string_to_token": {"*": 265},
        "string_to_param": vectors,
        "name": "moody",
        "step": 500,
        "sd_checkpoint": None,
    }


@pytest.mark.parametrize(
    "stored",
    [
        automatic1111({"*": ROWS}),
        automatic1111({"*": nn.Parameter(ROWS)}),
        automatic1111(nn.ParameterDict({"*": nn.Parameter(ROWS)})),
        {"<moody>": ROWS},
        {"<moody>": nn.Parameter(ROWS)},
        [{"emb": ROWS[:1]}, {"other": torch.ones(2, 5), "emb": ROWS[1:]}],
        [ROWS],
        ROWS,
        {"clip_g": WIDE, "clip_l": ROWS},
        {"state": {"step": torch.tensor(3), "vectors": ROWS}},
    ],
    ids=[
        "automatic1111",
        "automatic1111-parameter",
        "automatic1111-parameter-dict",
        "diffusers",
        "diffusers-parameter",
        "list-of-dicts",
        "list-of-tensors",
        "tensor",
        "sdxl",
        "nested",
    ],
)
def test_pickled_layouts_are_read(tmp_path: Path, stored: object) -> None:
    assert torch.equal(read(pickled(tmp_path / "moody.pt", stored)), ROWS)


@pytest.mark.parametrize("stored", [automatic1111({"*": ROWS}), {"<moody>": ROWS}, [{"e": ROWS}]])
def test_files_of_old_pytorch_are_read(tmp_path: Path, stored: object) -> None:
    assert torch.equal(read(pickled(tmp_path / "moody.bin", stored, legacy=True)), ROWS)


@pytest.mark.parametrize(
    "tensors",
    [
        {"emb_params": ROWS},
        {"clip_l": ROWS, "clip_g": WIDE},
        {"<moody>": ROWS},
        {"lora_te_x.alpha": torch.ones(3), "bundle_emb.moody.string_to_param.*": ROWS},
        {"bundle_emb.moody.clip_g": WIDE, "bundle_emb.moody.clip_l": ROWS},
    ],
    ids=["emb_params", "sdxl", "diffusers", "bundle", "sdxl-bundle"],
)
def test_safetensors_layouts_are_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, tmp_path / "moody.safetensors")
    assert torch.equal(read(tmp_path / "moody.safetensors"), ROWS)


def test_each_encoder_gets_its_own_vectors(tmp_path: Path) -> None:
    path = tmp_path / "moody.safetensors"
    save_file({"clip_l": ROWS, "clip_g": WIDE}, path)
    assert torch.equal(read(path, "clip_l", 8), ROWS)
    assert torch.equal(read(path, "clip_g", 12), WIDE)


def test_a_single_vector_is_one_row_and_half_precision_becomes_float32(tmp_path: Path) -> None:
    found = read(pickled(tmp_path / "one.pt", {"<one>": ROWS[0].half()}))
    assert found.dtype == torch.float32
    assert torch.equal(found, ROWS[:1])


def test_vectors_of_another_width_are_given_as_they_are(tmp_path: Path) -> None:
    assert read(pickled(tmp_path / "wide.pt", {"<wide>": WIDE})).shape == (3, 12)
    assert read(pickled(tmp_path / "list.pt", [{"<wide>": WIDE}])).shape == (3, 12)


def test_a_safetensors_header_may_begin_like_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "moody.safetensors"
    for length in range(0, 128, 8):
        save_file({"emb_params": ROWS}, path, metadata={"note": "x" * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert torch.equal(read(path), ROWS)


class Evil:
    """Makes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("legacy", [False, True])
def test_an_evil_pickle_is_refused_unexecuted(tmp_path: Path, legacy: bool) -> None:
    stored = {"<evil>": ROWS, "payload": Evil(tmp_path / "executed")}
    path = pickled(tmp_path / "evil.pt", stored, legacy=legacy)
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert caught.value.code == "model_unsafe_pickle"
    assert "system" in caught.value.text("en")
    assert "system" in caught.value.text("ja")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "model_empty"), (b"<html>not found</html>", "model_not_a_model")],
)
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "moody.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert caught.value.code == code


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = pickled(tmp_path / "moody.pt", {"<moody>": ROWS})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert caught.value.code == "model_truncated"


def test_a_lora_among_the_embeddings_is_named(tmp_path: Path) -> None:
    lora = {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": ROWS}
    with pytest.raises(ModelFileError) as caught:
        read(pickled(tmp_path / "lora.pt", lora))
    assert caught.value.code == "embedding_has_no_vectors"


def test_a_file_without_vectors_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        read(pickled(tmp_path / "settings.pt", {"step": 3, "kernel": torch.ones(2, 2, 3, 3)}))
    assert caught.value.code == "embedding_has_no_vectors"
    assert "settings.pt" in caught.value.text("ja")

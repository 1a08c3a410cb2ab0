"""Folders: names find files, and no name leaves its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphengine.errors import InputError
from graphengine.folders import Folders, inside, model_folders, reference


def make_folders(base: Path, **more: tuple[Path, ...]) -> Folders:
    return Folders(
        input=base / "input",
        output=base / "output",
        temp=base / "temp",
        user=base / "user",
        models=model_folders(base / "models", more),
    )


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_model_files_are_listed_by_name_with_their_subfolders(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    for name in ("b.safetensors", "A.ckpt", "sub/c.pt", "notes.txt", ".hidden.pt", ".git/d.pt"):
        put(tmp_path / "models" / "checkpoints" / name)

    assert folders.list("checkpoints") == ("A.ckpt", "b.safetensors", "sub/c.pt")


def test_a_folder_that_is_not_there_lists_nothing(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)

    assert folders.list("checkpoints") == ()
    assert folders.list("no such kind") == ()
    assert folders.find("checkpoints", "a.safetensors") is None


def test_old_names_of_model_folders_still_work(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    put(tmp_path / "models" / "clip" / "old.safetensors")
    put(tmp_path / "models" / "text_encoders" / "new.safetensors")

    assert folders.list("clip") == folders.list("text_encoders")
    assert folders.list("clip") == ("new.safetensors", "old.safetensors")


def test_the_first_root_that_has_a_name_wins(tmp_path: Path) -> None:
    folders = make_folders(tmp_path, vae=(tmp_path / "shipped",))
    put(tmp_path / "shipped" / "v.pt", "shipped")
    assert folders.path("vae", "v.pt").read_text() == "shipped"

    put(tmp_path / "models" / "vae" / "v.pt", "own")
    assert folders.path("vae", "v.pt").read_text() == "own"
    assert folders.list("vae") == ("v.pt",)


def test_pictures_of_another_folder_are_named_by_an_annotation(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    made = put(tmp_path / "output" / "sub" / "a.png")

    assert folders.find("input", "sub/a.png [output]") == made
    assert folders.find("input", "sub/a.png") is None
    assert folders.find("input", "../output/sub/a.png [input]") is None


def test_diffusers_models_are_folders_with_an_index(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    put(tmp_path / "models" / "diffusers" / "sd" / "model_index.json")
    put(tmp_path / "models" / "diffusers" / "other" / "config.json")

    assert folders.list("diffusers") == ("sd",)
    assert folders.find("diffusers", "sd") == tmp_path / "models" / "diffusers" / "sd"


def test_a_folder_is_not_found_as_a_file(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    put(tmp_path / "models" / "vae" / "sub" / "v.pt")

    assert folders.find("vae", "sub") is None
    assert folders.find("vae", ".") is None


@pytest.mark.parametrize("name", ["good", "good.pt", "a/good", "a\\good.pt"])
def test_an_embedding_needs_neither_extension_nor_subfolder(tmp_path: Path, name: str) -> None:
    folders = make_folders(tmp_path)
    file = put(tmp_path / "models" / "embeddings" / "a" / "good.pt")

    assert folders.find("embeddings", name) == file
    assert folders.find("embeddings", "goo") is None


def test_of_embeddings_with_one_name_the_nearest_and_safest_wins(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    root = tmp_path / "models" / "embeddings"
    put(root / "a" / "good.safetensors")
    put(root / "good.pt")
    assert folders.find("embeddings", "good") == root / "good.pt"

    put(root / "good.safetensors")
    assert folders.find("embeddings", "good") == root / "good.safetensors"


def test_a_missing_file_is_an_error_that_lists_what_is_there(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    put(tmp_path / "models" / "loras" / "there.safetensors")

    with pytest.raises(InputError) as caught:
        folders.path("loras", "gone.safetensors")

    assert caught.value.code == "file_not_found"
    assert "there.safetensors" in str(caught.value)


ESCAPES = [
    "../secret.pt",
    "..\\secret.pt",
    "sub/../../secret.pt",
    "sub\\..\\..\\secret.pt",
    "..",
    ".",
    "",
    "secret.pt\0.png",
    "\0",
    "\ud800",
]


@pytest.mark.parametrize("kind", ["vae", "input", "output", "temp", "user", "embeddings"])
@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leaves_its_folder(tmp_path: Path, kind: str, name: str) -> None:
    base = tmp_path / "base"
    folders = make_folders(base)
    for root in folders.roots(kind):
        put(root / "sub" / "x.pt")
        put(root.parent / "secret.pt")

    assert folders.find(kind, name) is None
    assert folders.fingerprint(kind, name) == ""


def test_absolute_names_are_refused(tmp_path: Path) -> None:
    folders = make_folders(tmp_path / "base")
    secret = put(tmp_path / "secret.png")
    (tmp_path / "base" / "input").mkdir(parents=True)

    assert folders.find("input", str(secret)) is None
    assert folders.find("input", f"{secret} [output]") is None
    assert folders.find("vae", str(secret)) is None


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    put(tmp_path / "in-private" / "a.png")

    assert inside(tmp_path / "in", "../in-private/a.png") is None


def test_links_out_of_open_folders_are_as_if_not_there(tmp_path: Path) -> None:
    folders = make_folders(tmp_path / "base")
    put(tmp_path / "elsewhere" / "secret.png")
    inbox = tmp_path / "base" / "input"
    inbox.mkdir(parents=True)
    (inbox / "file.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (inbox / "folder").symlink_to(tmp_path / "elsewhere")
    put(inbox / "own.png")
    (inbox / "alias.png").symlink_to(inbox / "own.png")

    assert folders.find("input", "file.png") is None
    assert folders.find("input", "folder/secret.png") is None
    assert folders.list("input") == ("alias.png", "own.png")
    assert folders.find("input", "alias.png") == inbox / "own.png"


def test_links_in_model_folders_lead_to_other_disks(tmp_path: Path) -> None:
    folders = make_folders(tmp_path / "base")
    put(tmp_path / "disk" / "big.safetensors")
    root = tmp_path / "base" / "models" / "checkpoints"
    root.mkdir(parents=True)
    (root / "one.safetensors").symlink_to(tmp_path / "disk" / "big.safetensors")
    (root / "all").symlink_to(tmp_path / "disk")

    assert folders.list("checkpoints") == ("all/big.safetensors", "one.safetensors")
    assert folders.reference("checkpoints", "one.safetensors").size_bytes == 1
    assert folders.find("checkpoints", "all/../../../../disk/big.safetensors") is None


def test_links_that_lead_in_a_circle_or_to_nothing_are_not_listed(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    root = tmp_path / "models" / "vae"
    put(root / "v.pt")
    (root / "again").symlink_to(root)
    (root / "loop.pt").symlink_to(root / "loop.pt")

    (root / "gone.pt").symlink_to(tmp_path / "no such file")

    assert folders.list("vae") == ("v.pt",)
    assert folders.find("vae", "loop.pt") is None


def test_names_that_no_file_can_have_are_only_not_found(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    put(tmp_path / "input" / "a.png")

    assert folders.find("input", "x" * 5000) is None
    assert folders.find("vae", "x/" * 5000) is None


@given(st.text(max_size=40), st.sampled_from(["/", "\\", "../", "..\\", ""]))
def test_whatever_the_name_the_path_stays_below_the_folder(name: str, prefix: str) -> None:
    root = Path("/some/folder")
    for follow in (False, True):
        path = inside(root, prefix + name, follow_links=follow)
        assert path is None or root in path.parents


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    folders = make_folders(tmp_path)
    file = put(tmp_path / "input" / "a.png", "one")
    first = folders.fingerprint("input", "a.png")

    os.utime(file, ns=(1, 1))
    touched = folders.fingerprint("input", "a.png")
    put(file, "three")
    os.utime(file, ns=(1, 1))

    assert len({first, touched, folders.fingerprint("input", "a.png")}) == 3


def test_a_folder_is_as_large_and_as_new_as_its_files(tmp_path: Path) -> None:
    os.utime(put(tmp_path / "a", "12"), ns=(5, 5))
    os.utime(put(tmp_path / "sub" / "b", "345"), ns=(9, 9))

    state = reference(tmp_path)

    assert (state.size_bytes, state.modified_ns) == (5, 9)

"""The nodes between pictures and latents, and between pictures and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch

from graphengine.api import Artifacts, Context, Folders, Image, InputError, Latent, Vae
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.registry import Registry
from tests.diffusion.tiny_models import make_checkpoint

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Vae:
    path = make_checkpoint(tmp_path_factory.mktemp("vae") / "m.safetensors")
    loaded = load_checkpoint(path)[2]
    assert loaded is not None
    return loaded


@pytest.mark.parametrize(
    ("node_id", "inputs", "outputs", "sink"),
    [
        ("VAEDecode", ["samples", "vae"], ["IMAGE"], False),
        ("VAEEncode", ["pixels", "vae"], ["LATENT"], False),
        ("LoadImage", ["image"], ["IMAGE", "MASK"], False),
        ("SaveImage", ["images", "filename_prefix"], [], True),
        ("PreviewImage", ["images"], [], True),
    ],
)
def test_inputs_and_outputs_are_named_as_saved_workflows_name_them(
    builtins: Registry, node_id: str, inputs: list[str], outputs: list[str], sink: bool
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [item.name for item in spec.inputs] == inputs
    assert [item.type for item in spec.outputs] == outputs
    assert spec.sink is sink


def test_encoding_and_decoding_keep_the_size(call: Call, context: Context, vae: Vae) -> None:
    image = Image(torch.rand(1, 64, 72, 3))
    latent = call("VAEEncode", context=context, pixels=image, vae=vae)
    assert isinstance(latent, Latent)
    assert latent.samples.shape == (1, 4, 8, 9)
    decoded = call("VAEDecode", context=context, samples=latent, vae=vae)
    assert isinstance(decoded, Image)
    assert decoded.pixels.shape == image.pixels.shape


def test_the_tiled_nodes_give_the_whole_where_one_tile_covers_it(
    call: Call, context: Context, vae: Vae
) -> None:
    image = Image(torch.rand(1, 64, 64, 3))
    whole = call("VAEEncode", context=context, pixels=image, vae=vae)
    tiled = call("VAEEncodeTiled", context=context, pixels=image, vae=vae)
    assert isinstance(whole, Latent)
    assert isinstance(tiled, Latent)
    assert torch.allclose(tiled.samples, whole.samples, atol=1e-5)
    one = call("VAEDecode", context=context, samples=whole, vae=vae)
    other = call("VAEDecodeTiled", context=context, samples=whole, vae=vae, tile_size=64)
    assert torch.allclose(one.pixels, other.pixels, atol=1e-5)


@pytest.mark.parametrize(
    ("node_id", "inputs"),
    [
        ("VAEDecode", {"samples": Latent(torch.zeros(1, 4, 8, 8))}),
        ("VAEEncode", {"pixels": Image(torch.zeros(1, 64, 64, 3))}),
    ],
)
def test_a_checkpoint_without_a_vae_is_explained(
    call: Call, context: Context, node_id: str, inputs: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="VAELoader"):
        call(node_id, context=context, vae=None, **inputs)


def test_a_picture_of_the_input_folder_is_loaded_with_its_mask(
    call: Call, context: Context, folders: Folders
) -> None:
    PIL.Image.new("RGBA", (3, 2), (255, 0, 0, 51)).save(folders.input / "a.png")
    image, mask = call("LoadImage", context=context, image="a.png")
    assert image.pixels[0, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert mask.values.shape == (1, 2, 3)
    assert float(mask.values[0, 0, 0]) == pytest.approx(0.8)


def test_a_picture_of_the_output_folder_can_be_named_too(
    call: Call, context: Context, folders: Folders
) -> None:
    PIL.Image.new("RGB", (3, 2)).save(folders.output / "a.png")
    image, _ = call("LoadImage", context=context, image="a.png [output]")
    assert image.pixels.shape == (1, 2, 3, 3)


def test_pictures_are_saved_under_numbers_that_go_on_and_carry_the_workflow(
    call: Call, context: Context, folders: Folders
) -> None:
    batch = Image(torch.rand(2, 8, 8, 3))
    for _ in range(2):
        shown = call("SaveImage", context=context, images=batch, filename_prefix="sub/cat")
    assert isinstance(shown, Artifacts)
    names = [f"cat_{number:05}_.png" for number in (3, 4)]
    assert [(f.filename, f.subfolder, f.kind) for f in shown.images] == [
        (name, "sub", "output") for name in names
    ]
    with PIL.Image.open(folders.output / "sub" / "cat_00001_.png") as file:
        assert json.loads(file.info["prompt"])["1"]["class_type"] == "SaveImage"
        assert json.loads(file.info["workflow"]) == {"nodes": [1]}


def test_previews_go_to_the_temporary_folder_under_a_name_of_their_own(
    call: Call, context: Context, folders: Folders
) -> None:
    shown = call("PreviewImage", context=context, images=Image(torch.zeros(1, 8, 8, 3)))
    assert isinstance(shown, Artifacts)
    (file,) = shown.images
    assert file.kind == "temp"
    assert file.filename.startswith("ComfyUI_temp_")
    assert (folders.temp / file.filename).is_file()
    assert list(folders.output.iterdir()) == []


def test_a_prefix_cannot_leave_the_output_folder(
    call: Call, context: Context, tmp_path: Path
) -> None:
    picture = Image(torch.zeros(1, 8, 8, 3))
    for prefix in ("../evil", "a/../../evil", str(tmp_path / "evil")):
        with pytest.raises(InputError) as caught:
            call("SaveImage", context=context, images=picture, filename_prefix=prefix)
        assert caught.value.code == "prefix_leaves_folder"
    assert not list(tmp_path.glob("evil*"))

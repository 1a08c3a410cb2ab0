"""What our own nodes write opens again: pictures, animations and latents."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.diffusion.animations import apng, save_animation, webp
from graphengine.diffusion.images import save_png
from graphengine.opening import open_file
from graphengine.sockets import Image
from tests.comfy.drawing import LAYOUTS, drawn, file, slot

UI = file(
    [
        drawn(1, "LoadImage", outputs="IMAGE MASK", values=["花.png", "image"]),
        drawn(2, "SaveImage", [slot("images", "IMAGE", 1)], values=["p"]),
    ],
    [[1, 1, 0, 2, 0, "IMAGE"]],
)
PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "花.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"filename_prefix": "p", "images": ["1", 0]}},
}
BOTH = {"prompt": PROMPT, "workflow": UI}
PIXELS = torch.rand(2, 16, 16, 3, generator=torch.Generator().manual_seed(1))


def picture(folder: Path, metadata: dict[str, Any]) -> Path:
    save_png(folder / "a.png", PIXELS[0], metadata=metadata)
    return folder / "a.png"


def animated_webp(folder: Path, metadata: dict[str, Any]) -> Path:
    write = partial(webp, fps=6.0, lossless=True, quality=80, effort=0)
    name, _ = save_animation(
        Image(PIXELS), folder, "a", extension="webp", write=write, metadata=metadata
    )
    return folder / name


def animated_png(folder: Path, metadata: dict[str, Any]) -> Path:
    write = partial(apng, fps=6.0, compress_level=1)
    name, _ = save_animation(
        Image(PIXELS), folder, "a", extension="png", write=write, metadata=metadata
    )
    return folder / name


def latent(folder: Path, metadata: dict[str, Any]) -> Path:
    texts = {name: json.dumps(value) for name, value in metadata.items()}
    save_file({"latent_tensor": torch.zeros(1, 4, 2, 2)}, folder / "a.latent", metadata=texts)
    return folder / "a.latent"


@pytest.mark.parametrize("write", [picture, animated_webp, animated_png, latent])
@pytest.mark.parametrize("names", [("prompt", "workflow"), ("workflow",), ("prompt",)])
def test_what_was_written_opens_again(
    write: Callable[[Path, dict[str, Any]], Path], names: tuple[str, ...], tmp_path: Path
) -> None:
    opened = open_file(write(tmp_path, {name: BOTH[name] for name in names}), LAYOUTS)

    assert opened.form == ("ui" if "workflow" in names else "api")
    assert opened.api() == PROMPT
    assert opened.changes == ()

"""Batches of pictures as animated files that carry their workflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import PIL.Image
from PIL import PngImagePlugin

from graphengine.diffusion.images import to_pil, whole_file
from graphengine.diffusion.saving import choose_target
from graphengine.sockets import Image

Write = Callable[[IO[bytes], Sequence[PIL.Image.Image], Mapping[str, Any]], None]

WEBP_EFFORT = {"fastest": 0, "default": 4, "slowest": 6}
# EXIF tags: "Model", and those below it, "Make" first.
_EXIF_PROMPT = 0x0110


def save_animation(
    image: Image,
    folder: Path,
    prefix: str,
    *,
    extension: str,
    write: Write,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """Write a batch as the frames of one file; its name and sub-folder.

    ``write``: `webp` or `apng` with its options filled in. ``prefix`` and errors as in
    `saving.save_pictures`.
    """
    height, width = image.pixels.shape[1:3]
    target = choose_target(folder, prefix, width=width, height=height)
    name = f"{target.stem}_{target.first:05}_.{extension}"
    frames = [to_pil(pixels) for pixels in image.pixels]
    with whole_file(target.folder / name) as file:
        write(file, frames, metadata or {})
    return name, target.subfolder


def webp(
    file: IO[bytes],
    frames: Sequence[PIL.Image.Image],
    metadata: Mapping[str, Any],
    *,
    fps: float,
    lossless: bool,
    quality: int,
    effort: int,
) -> None:
    """An animated WebP. ``metadata`` as EXIF texts ``name:json``: prompt in tag 0x0110 (Model),
    the others from 0x010F (Make) downwards.
    """
    exif = frames[0].getexif()
    others = [name for name in metadata if name != "prompt"]
    tags = {"prompt": _EXIF_PROMPT}
    tags |= {name: _EXIF_PROMPT - 1 - place for place, name in enumerate(others)}
    for name, value in metadata.items():
        exif[tags[name]] = f"{name}:{json.dumps(value)}"
    _encode(file, frames, fps, "WEBP", exif=exif, lossless=lossless, quality=quality, method=effort)


def apng(
    file: IO[bytes],
    frames: Sequence[PIL.Image.Image],
    metadata: Mapping[str, Any],
    *,
    fps: float,
    compress_level: int,
) -> None:
    """An animated PNG. ``metadata`` as ``comf`` chunks behind the first pixels: name, NUL, JSON."""
    chunks = PngImagePlugin.PngInfo()
    for name, value in metadata.items():
        payload = name.encode("latin-1") + b"\0" + json.dumps(value).encode("latin-1")
        chunks.add(b"comf", payload, after_idat=True)
    _encode(file, frames, fps, "PNG", pnginfo=chunks, compress_level=compress_level)


def _encode(
    file: IO[bytes], frames: Sequence[PIL.Image.Image], fps: float, form: str, **options: Any
) -> None:
    frames[0].save(
        file,
        form,
        save_all=True,
        append_images=frames[1:],
        duration=int(1000 / fps),
        **options,
    )

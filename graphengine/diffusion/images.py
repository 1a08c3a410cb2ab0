"""Picture files ↔ ``Image`` and ``Mask``."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image
import torch
from PIL import ImageOps, ImageSequence, PngImagePlugin
from torch import Tensor

from graphengine.errors import InputError
from graphengine.sockets import Image, Mask

# 4 GiB as float32; far beyond what a network takes, and below where Pillow itself refuses.
MAX_PIXELS = 1 << 27
# What LoadImage gives for a picture without alpha.
_NO_MASK_SIDE = 64


def load_image(path: str | Path) -> tuple[Image, Mask]:
    """A picture file's frames and their masks.

    Image: [B, H, W, 3] float32, turned as its EXIF data says, all frames of the first one's size.
    Mask: [B, H, W], 1 - alpha; [1, 64, 64] zeros if there is no alpha channel.
    Raises InputError if the file is missing, no picture, truncated or larger than MAX_PIXELS.
    """
    try:
        with PIL.Image.open(path) as file:
            _check_size(Path(path), file.size)
            frames = [_frame(frame) for frame in _frames(file)]
    except FileNotFoundError as error:
        raise InputError("image_not_found", path=str(path)) from error
    except PIL.Image.DecompressionBombError as error:
        raise InputError("image_too_large", path=str(path), expected=MAX_PIXELS) from error
    except PIL.UnidentifiedImageError as error:
        raise InputError("image_unknown", path=str(path)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError("image_unreadable", path=str(path), cause=error) from error
    size = frames[0][0].shape
    kept = [(colours, mask) for colours, mask in frames if colours.shape == size]
    return (
        Image(torch.stack([colours for colours, _ in kept])),
        Mask(torch.stack([mask for _, mask in kept])),
    )


def to_uint8(pixels: Tensor) -> Tensor:
    """Pixels in 0..1 as bytes, truncated rather than rounded (as ComfyUI's files are)."""
    return (255.0 * pixels.float()).clamp(0, 255).to(torch.uint8).cpu()


def to_pil(pixels: Tensor) -> PIL.Image.Image:
    """One picture, [H, W, C] in 0..1 with 1, 3 or 4 channels, as a Pillow image."""
    array = to_uint8(pixels).numpy()
    return PIL.Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def save_png(
    path: str | Path,
    pixels: Tensor,
    *,
    metadata: Mapping[str, Any] | None = None,
    compress_level: int = 4,
) -> None:
    """Write one picture, [H, W, C] in 0..1, so that the file is there whole or not at all.

    ``metadata``: text chunks before the pixels, each value as JSON with ASCII escapes; ``prompt``
    and ``workflow`` are what other programs read. Raises InputError if the folder cannot be
    written to.
    """
    chunks = PngImagePlugin.PngInfo()
    for name, value in (metadata or {}).items():
        chunks.add_text(name, json.dumps(value))
    picture = to_pil(pixels)
    with whole_file(path) as file:
        picture.save(file, format="PNG", pnginfo=chunks, compress_level=compress_level)


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    Raises InputError for what the file system refuses.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise InputError("image_not_written", path=str(path), cause=error) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses also to delete what is not there
            part.unlink(missing_ok=True)


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError("image_too_large", path=str(path), expected=MAX_PIXELS)


def _frames(file: PIL.Image.Image) -> Iterator[PIL.Image.Image]:
    # The further frames of a camera's MPO are previews and gain maps, not pictures of a series.
    if file.format == "MPO":
        yield file
    else:
        yield from ImageSequence.Iterator(file)


def _frame(frame: PIL.Image.Image) -> tuple[Tensor, Tensor]:
    """One frame's colours [H, W, 3] and mask [H, W] or [64, 64]."""
    frame = ImageOps.exif_transpose(frame)
    if frame.mode.startswith("I"):
        return _deep_grey(frame), torch.zeros(_NO_MASK_SIDE, _NO_MASK_SIDE)
    if not frame.has_transparency_data:
        return _floats(frame.convert("RGB")), torch.zeros(_NO_MASK_SIDE, _NO_MASK_SIDE)
    pixels = _floats(frame.convert("RGBA"))
    return pixels[..., :3].contiguous(), 1.0 - pixels[..., 3]


def _floats(frame: PIL.Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(frame).astype(np.float32) / 255.0)


def _deep_grey(frame: PIL.Image.Image) -> Tensor:
    """A 16-bit grey picture at its full precision."""
    grey = torch.from_numpy(np.asarray(frame).astype(np.float32) / 65535.0)
    return grey[..., None].expand(-1, -1, 3).contiguous()

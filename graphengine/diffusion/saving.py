"""Pictures written to a folder under numbered names, as ComfyUI names them."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from graphengine.diffusion.images import save_png
from graphengine.errors import InputError
from graphengine.sockets import Image

_CLOCK = {
    "%year%": "%Y",
    "%month%": "%m",
    "%day%": "%d",
    "%hour%": "%H",
    "%minute%": "%M",
    "%second%": "%S",
}
_PREVIEW_LETTERS = 5


@dataclass(frozen=True)
class Target:
    """Where the pictures of one call go: ``<folder>/<subfolder>/<stem>_<number>_.png``."""

    folder: Path
    subfolder: str
    stem: str
    first: int


def save_pictures(
    image: Image,
    folder: Path,
    prefix: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    compress_level: int = 4,
) -> list[tuple[str, str]]:
    """Write a batch; name and sub-folder (with forward slashes) of each file.

    ``prefix`` may name a sub-folder and hold ``%width%``, ``%height%``, ``%year%``, ``%month%``,
    ``%day%``, ``%hour%``, ``%minute%``, ``%second%`` and ``%batch_num%``. Numbers go on from the
    highest that the folder has under the same name. Raises InputError if the prefix leaves the
    folder or nothing can be written there.
    """
    height, width = image.pixels.shape[1:3]
    target = choose_target(folder, prefix, width=width, height=height)
    saved = []
    for i, pixels in enumerate(image.pixels):
        stem = target.stem.replace("%batch_num%", str(i))
        name = f"{stem}_{target.first + i:05}_.png"
        save_png(target.folder / name, pixels, metadata=metadata, compress_level=compress_level)
        saved.append((name, target.subfolder))
    return saved


def save_previews(
    image: Image, folder: Path, *, metadata: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """Write a batch, quickly, under a name that nothing else has; as `save_pictures`."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_PREVIEW_LETTERS))
    return save_pictures(
        image, folder, f"ComfyUI_temp_{letters}", metadata=metadata, compress_level=1
    )


def choose_target(
    folder: Path, prefix: str, *, width: int, height: int, now: datetime | None = None
) -> Target:
    """Where a prefix leads, its folder made; raises InputError as `save_pictures` does."""
    filled = _filled(prefix, width, height, now or datetime.now())
    try:
        path = (folder / filled.replace("\\", "/")).resolve()
    except ValueError as error:  # a zero byte, or half of a surrogate pair
        raise InputError("prefix_is_no_name", prefix=json.dumps(prefix)) from error
    stem = "" if filled.endswith(("/", "\\")) else path.name
    parent = path if not stem else path.parent
    if not parent.is_relative_to(folder.resolve()):
        raise InputError("prefix_leaves_folder", prefix=prefix, folder=str(folder))
    try:
        parent.mkdir(parents=True, exist_ok=True)
        first = 1 + _highest(parent, stem)
    except OSError as error:
        raise InputError("image_not_written", path=str(parent), cause=error) from error
    subfolder = parent.relative_to(folder.resolve()).as_posix()
    return Target(parent, "" if subfolder == "." else subfolder, stem, first)


def _filled(prefix: str, width: int, height: int, now: datetime) -> str:
    filled = prefix.replace("%width%", str(width)).replace("%height%", str(height))
    for name, form in _CLOCK.items():
        filled = filled.replace(name, now.strftime(form))
    return filled


def _highest(folder: Path, stem: str) -> int:
    """The highest number in use for a name; file systems may ignore case."""
    pattern = re.compile(rf"{re.escape(stem)}_(\d+)_?(\.|$)".replace("%batch_num%", r"\d+"), re.I)
    matches = (pattern.match(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)

"""Where files lie: model folders by kind, and the input, output, temporary and user folders.

Names are relative, with forward slashes; nothing outside the folders can be named. Links in model
folders are followed, since only the machine's owner can put them there and large files often lie
on another disk; in the other folders a link that leaves the folder is as if it were not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from graphengine.errors import InputError
from graphengine.sockets import FileRef

MODEL_EXTENSIONS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft")
CONFIG_EXTENSIONS = (".yaml", ".yml")
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
MODEL_KINDS = (
    "checkpoints",
    "configs",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
)
_ALIASES = {"unet": "diffusion_models", "clip": "text_encoders"}
_SUBFOLDERS = {
    "text_encoders": ("clip",),
    "diffusion_models": ("unet",),
    "controlnet": ("t2i_adapter",),
}
_OPEN_KINDS = ("input", "output", "temp", "user")
_ANNOTATED = re.compile(r"^(?P<name>.*) \[(?P<kind>input|output|temp)\]$", re.DOTALL)


@dataclass(frozen=True)
class Folders:
    """The folders of one installation. ``models``: kind → folders, first match wins."""

    input: Path
    output: Path
    temp: Path
    user: Path
    models: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def roots(self, kind: str) -> tuple[Path, ...]:
        """The folders of a kind: a model folder's name, or input, output, temp, user."""
        if kind in _OPEN_KINDS:
            return (getattr(self, kind),)
        return self.models.get(kind_of(kind), ())

    def list(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind, sorted; ``diffusers`` lists folders."""
        follow = kind not in _OPEN_KINDS
        if kind == "diffusers":
            index = "/model_index.json"
            found = (name for root in self.roots(kind) for name in _walk(root, follow))
            return _sorted(name.removesuffix(index) for name in found if name.endswith(index))
        extensions: tuple[str, ...] = MODEL_EXTENSIONS if follow else IMAGE_EXTENSIONS
        if kind == "configs":
            extensions = CONFIG_EXTENSIONS
        return _sorted(
            name
            for root in self.roots(kind)
            for name in _walk(root, follow)
            if name.lower().endswith(extensions)
        )

    def find(self, kind: str, name: str) -> Path | None:
        """The path of a file (of ``diffusers`` a folder) by its name; None if there is none.

        A name may end in `` [input]``, `` [output]`` or `` [temp]``; an embedding's name may
        leave out the extension and the sub-folder.
        """
        if kind in _OPEN_KINDS and (match := _ANNOTATED.match(name)):
            kind, name = match["kind"], match["name"]
        is_there = os.path.isdir if kind == "diffusers" else os.path.isfile
        for root in self.roots(kind):
            path = inside(root, name, follow_links=kind not in _OPEN_KINDS)
            if path is not None and is_there(path):
                return path
        return self._find_embedding(name) if kind == "embeddings" else None

    def _find_embedding(self, name: str) -> Path | None:
        """The file of this name without its extension, or else without its sub-folder too."""
        wanted = PurePosixPath(name.replace("\\", "/"))
        files = [PurePosixPath(found) for found in self.list("embeddings")]
        files.sort(key=lambda file: MODEL_EXTENSIONS.index(file.suffix.lower()))
        named = [file for file in files if file.with_suffix("") == wanted]
        below = [file for file in files if str(wanted) in (file.name, file.stem)]
        for found in (*named, *below):
            return self.find("embeddings", str(found))
        return None

    def path(self, kind: str, name: str) -> Path:
        """As `find`; raises InputError(file_not_found) with what is there."""
        found = self.find(kind, name)
        if found is None:
            there = ", ".join(self.list(kind)[:20]) or "–"
            raise InputError("file_not_found", kind=kind, name=name, there=there)
        return found

    def reference(self, kind: str, name: str) -> FileRef:
        """The file as it is now: path, size, time of change."""
        return reference(self.path(kind, name))

    def fingerprint(self, kind: str, name: str) -> str:
        """A text that changes when the file does; '' if it is missing."""
        path = self.find(kind, name)
        if path is None:
            return ""
        state = reference(path)
        return f"{state.path}:{state.size_bytes}:{state.modified_ns}"


def kind_of(name: str) -> str:
    """The kind of models that a name means: ``unet`` and ``clip`` are the names of before."""
    return _ALIASES.get(name, name)


def reference(path: Path) -> FileRef:
    """A file, or a folder by the newest of its files, as it is now."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    states = [file.stat() for file in files]
    return FileRef(
        path=str(path),
        size_bytes=sum(state.st_size for state in states),
        modified_ns=max((state.st_mtime_ns for state in states), default=0),
    )


def inside(root: Path, name: str, *, follow_links: bool = False) -> Path | None:
    """The path of ``name`` below ``root``; None if it is not a name or would leave the folder.

    Absolute names and ``..`` never leave it; a link may with ``follow_links``.
    """
    if not name or "\0" in name:
        return None
    top = os.path.realpath(root)
    path = os.path.normpath(os.path.join(top, name.replace("\\", "/")))  # noqa: PTH118
    try:
        real = path if follow_links else os.path.realpath(path)
    except ValueError:  # a name that no file system can hold, such as a lone surrogate
        return None
    below = (there != top and os.path.commonpath((top, there)) == top for there in (path, real))
    return Path(real) if all(below) else None


def model_folders(
    base: Path, more: Mapping[str, tuple[Path, ...]] | None = None
) -> dict[str, tuple[Path, ...]]:
    """The usual model folders below ``base`` (old names too), and further ones after them."""
    return {
        kind: (
            base / kind,
            *(base / old for old in _SUBFOLDERS.get(kind, ())),
            *(more or {}).get(kind, ()),
        )
        for kind in MODEL_KINDS
    }


def _sorted(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(names), key=lambda name: (name.lower(), name)))


def _walk(root: Path, follow_links: bool) -> Iterator[str]:
    """The names of all files below a folder, hidden ones and links to nothing left out."""
    visited: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=follow_links):
        visited.add(os.path.realpath(folder))
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(folder, name)) not in visited  # noqa: PTH118
        ]
        for file in files:
            path = Path(folder, file)
            name = PurePosixPath(path.relative_to(root)).as_posix()
            there = os.path.exists(path) if follow_links else inside(root, name) is not None  # noqa: PTH110
            if there and not file.startswith("."):
                yield name

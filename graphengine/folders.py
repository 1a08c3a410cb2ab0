"""Where files lie: model folders by kind, and the input, output, temporary and user folders.

Names are relative, with forward slashes; nothing outside the folders can be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from graphengine.errors import InputError
from graphengine.sockets import FileRef

MODEL_EXTENSIONS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft")
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
)
_ALIASES = {"unet": "diffusion_models", "clip": "text_encoders"}
_SUBFOLDERS = {
    "text_encoders": ("clip",),
    "diffusion_models": ("unet",),
    "controlnet": ("t2i_adapter",),
}
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
        if kind in ("input", "output", "temp", "user"):
            return (getattr(self, kind),)
        return self.models.get(_ALIASES.get(kind, kind), ())

    def list(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind, sorted; ``diffusers`` lists folders."""
        if kind == "diffusers":
            return _sorted(_diffusers_folders(self.roots(kind)))
        extensions = (
            MODEL_EXTENSIONS if kind not in ("input", "output", "temp") else IMAGE_EXTENSIONS
        )
        return _sorted(
            name
            for root in self.roots(kind)
            for name in _walk(root)
            if name.lower().endswith(extensions)
        )

    def find(self, kind: str, name: str) -> Path | None:
        """The path of a file or folder by its name; None if there is none of that name.

        A name may end in `` [input]``, `` [output]`` or `` [temp]``; an embedding's name may
        leave out the extension.
        """
        if kind in ("input", "output", "temp") and (match := _ANNOTATED.match(name)):
            kind, name = match["kind"], match["name"]
        for root in self.roots(kind):
            path = inside(root, name)
            if path is None:
                continue
            if path.exists() and path != root.resolve():
                return path
            if kind == "embeddings":
                found = _with_extension(path) or _below(root, name)
                if found is not None:
                    return found
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


def reference(path: Path) -> FileRef:
    """A file, or a folder by the newest of its files, as it is now."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    states = [file.stat() for file in files]
    return FileRef(
        path=str(path),
        size_bytes=sum(state.st_size for state in states),
        modified_ns=max((state.st_mtime_ns for state in states), default=0),
    )


def inside(root: Path, name: str) -> Path | None:
    """The path of ``name`` below ``root``; None if it would leave it (.., links, absolute)."""
    if not name or "\0" in name:
        return None
    top = root.resolve()
    path = (top / name.replace("\\", "/")).resolve()
    return path if path.is_relative_to(top) else None


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


def _walk(root: Path) -> Iterator[str]:
    if not root.is_dir():
        return
    for path in root.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-1:]):
            yield PurePosixPath(path.relative_to(root)).as_posix()


def _diffusers_folders(roots: tuple[Path, ...]) -> Iterator[str]:
    for root in roots:
        if root.is_dir():
            for index in root.rglob("model_index.json"):
                yield PurePosixPath(index.parent.relative_to(root)).as_posix()


def _with_extension(path: Path) -> Path | None:
    for extension in (".safetensors", ".pt", ".bin"):
        candidate = path.with_name(path.name + extension)
        if candidate.is_file():
            return candidate
    return None


def _below(root: Path, name: str) -> Path | None:
    """The same name in a sub-folder: embeddings are found wherever below the folder they lie."""
    if "/" in name or not root.is_dir():
        return None
    for folder in sorted(entry for entry in root.rglob("*") if entry.is_dir()):
        path = inside(root, f"{PurePosixPath(folder.relative_to(root)).as_posix()}/{name}")
        if path is not None:
            found = path if path.is_file() else _with_extension(path)
            if found is not None:
                return found
    return None

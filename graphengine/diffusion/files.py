"""Model files as mappings of named tensors: safetensors and PyTorch's own, both memory-mapped.

Nothing here knows which network a file holds. Pickles are only read by PyTorch's restricted
unpickler (``weights_only=True``); whatever it refuses is refused here, by name.
"""

from __future__ import annotations

import os
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from graphengine.errors import ModelFileError
from graphengine.sockets import FileRef

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

# What training frameworks leave beside the tensors of real checkpoints. None of it is executed:
# every one of these names is read as an inert placeholder.
_IGNORED_GLOBALS = ("pytorch_lightning.", "lightning.", "omegaconf.", "numpy.", "collections.")
_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
_MOST_SCANNED_BYTES = 2**24
_OF_TENSORS = re.compile(r"collections\.OrderedDict|torch\._utils\.\w+|torch\.\w*Storage")
_TORCHS_CAUSE = re.compile(r"WeightsUnpickler error:\s*(.+)")
"""After a paragraph of advice, which is not ours."""
# What PyTorch raises on a file that ends too early or has wrong bytes, depending on where.
_DAMAGE = (
    RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    AssertionError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"


@dataclass(frozen=True)
class TensorInfo:
    """Shape and dtype of a stored tensor, known without reading it."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True, eq=False)
class TensorFile(Mapping[str, TensorInfo]):
    """A model file, or the part of it under a prefix: what it holds, and how to read one tensor."""

    ref: FileRef
    infos: Mapping[str, TensorInfo]
    read: Callable[[str], Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> TensorInfo:
        return self.infos[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.infos)

    def __len__(self) -> int:
        return len(self.infos)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of ``key``; ModelFileError naming the key if the file lacks it."""
        if key not in self.infos:
            raise ModelFileError("model_missing_key", path=self.ref.path, key=key, count=1)
        return self.infos[key].shape

    def tensor(self, key: str) -> Tensor:
        """The tensor of ``key``, memory-mapped where the format allows."""
        self.shape(key)
        try:
            return self.read(key)
        except (SafetensorError, RuntimeError, OSError) as error:
            raise _damaged(self.ref, error) from error

    def under(self, prefix: str) -> TensorFile:
        """The tensors whose keys begin with ``prefix``, named without it."""
        if not prefix:
            return self
        cut = len(prefix)
        infos = {key[cut:]: info for key, info in self.infos.items() if key.startswith(prefix)}
        return TensorFile(self.ref, infos, lambda key: self.read(prefix + key), self.metadata)


def file_ref(path: str | Path) -> FileRef:
    """The identity of a model file as it is now; ModelFileError if there is no such file."""
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise ModelFileError("model_not_found", path=str(path)) from error
    if path.is_dir():
        raise ModelFileError("model_is_folder", path=str(path))
    return FileRef(str(path), stat.st_size, stat.st_mtime_ns)


def open_tensors(source: str | Path | FileRef) -> TensorFile:
    """What a model file holds, without reading its tensors.

    Recognised by content, not by name. Raises ModelFileError for a file that is missing,
    unreadable, empty, truncated, no model file, unsafe, or (given a FileRef) changed since the
    node looked at it.
    """
    ref, form = _recognised(source)
    if form == "safetensors":
        return _open_safetensors(ref)
    return _open_pickle(ref, mapped=form == "zip")


def read_stored(source: str | Path | FileRef, *, allowed: Sequence[type] = ()) -> Any:
    """All that a model file holds, as it was saved: nested dicts and lists of tensors.

    ``allowed``: further classes that a pickle may contain. Raises as `open_tensors` does.
    """
    ref, form = _recognised(source)
    if form == "safetensors":
        tensors = _open_safetensors(ref)
        return {key: tensors.tensor(key) for key in tensors}
    with torch.serialization.safe_globals(list(allowed)):
        return _unpickle(ref, mapped=form == "zip")


def _recognised(source: str | Path | FileRef) -> tuple[FileRef, str]:
    """The file and its form (safetensors, zip or pickle), by its first bytes."""
    ref = file_ref(source.path if isinstance(source, FileRef) else source)
    if isinstance(source, FileRef) and source != ref:
        raise ModelFileError("model_changed", path=ref.path)
    if ref.size_bytes == 0:
        raise ModelFileError("model_empty", path=ref.path)
    try:
        with Path(ref.path).open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ModelFileError("model_unreadable", path=ref.path, cause=error) from error
    if head.startswith(_ZIP_MAGIC):
        return ref, "zip"
    # Before pickle: the first byte belongs to the header's length and may be any.
    if head[8:9] == b"{":
        return ref, "safetensors"
    if head.startswith(_PICKLE_MAGIC):
        return ref, "pickle"
    raise ModelFileError("model_not_a_model", path=ref.path, size_bytes=ref.size_bytes)


def _damaged(ref: FileRef, error: BaseException) -> ModelFileError:
    said = _TORCHS_CAUSE.search(str(error))
    lines = str(error).splitlines() if said is None else [said.group(1)]
    cause = next(iter(lines), type(error).__name__).rstrip(".")
    return ModelFileError("model_truncated", path=ref.path, cause=cause)


def _open_safetensors(ref: FileRef) -> TensorFile:
    try:
        # Typed as Any: safetensors ships incomplete stubs.
        handle: Any = safe_open(ref.path, framework="pt", device="cpu")
        infos = {key: _slice_info(handle.get_slice(key)) for key in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(ref, error) from error
    except KeyError as error:
        raise ModelFileError("model_dtype_unknown", path=ref.path, dtype=error.args[0]) from error
    if not infos:
        raise ModelFileError("model_not_a_model", path=ref.path, size_bytes=ref.size_bytes)
    return TensorFile(ref, infos, handle.get_tensor, handle.metadata() or {})


def _slice_info(part: Any) -> TensorInfo:
    return TensorInfo(tuple(part.get_shape()), _DTYPES[part.get_dtype()])


def _open_pickle(ref: FileRef, *, mapped: bool) -> TensorFile:
    stored = _unpickle(ref, mapped=mapped)
    tensors = {key: value for key, value in _flatten(stored) if isinstance(value, Tensor)}
    if not tensors:
        raise ModelFileError("model_not_a_model", path=ref.path, size_bytes=ref.size_bytes)
    infos = {key: TensorInfo(tuple(value.shape), value.dtype) for key, value in tensors.items()}
    return TensorFile(ref, infos, lambda key: tensors[key].detach())


def _unpickle(ref: FileRef, *, mapped: bool) -> Any:
    try:
        with (
            torch.serialization.safe_globals(_placeholders(ref, zipped=mapped)),
            warnings.catch_warnings(action="ignore"),  # of a protocol that it may not read
        ):
            return _load(ref.path, mapped=mapped)
    except UnpicklingError as error:
        forbidden = _FORBIDDEN.search(str(error))
        name = _asked_for(ref, zipped=mapped) if forbidden is None else forbidden.group(1)
        if name is None or _ends_within(ref.path, name):
            raise _damaged(ref, error) from error
        raise ModelFileError("model_unsafe_pickle", path=ref.path, name=name) from error
    except _DAMAGE as error:
        raise _damaged(ref, error) from error


def _load(path: str, *, mapped: bool) -> Any:
    if not path.endswith(".safetensors"):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    # PyTorch would go by the name, so it gets none; what has no name cannot be mapped.
    with Path(path).open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=True)


def _ends_within(path: str, name: str) -> bool:
    """Whether a file breaks off where its pickle names a global: then `name` is only its start.

    The unpickler takes the last byte for the end of the line.
    """
    with Path(path).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(name) - 1))
        return file.read()[:-1].endswith(name.rpartition(".")[2].encode())


def _asked_for(ref: FileRef, *, zipped: bool) -> str | None:
    """What a pickle wants that tensors do not need, where PyTorch cannot read on to find it.

    Its unpickler stops at the newer protocols' opcodes. Nothing is executed here either.
    """
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(_pickled(ref, zipped=zipped)):
            name = None
            if opcode.name == "GLOBAL":
                name = str(argument).replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL":
                name = ".".join(texts[-2:])
            elif isinstance(argument, str):
                texts.append(argument)
            if name is not None and not _OF_TENSORS.fullmatch(name):
                return name
    except (ValueError, OSError, zipfile.BadZipFile):  # it is damaged, and what is wrong is told
        pass
    return None


def _pickled(ref: FileRef, *, zipped: bool) -> bytes:
    if not zipped:
        with Path(ref.path).open("rb") as file:
            return file.read(_MOST_SCANNED_BYTES)
    with zipfile.ZipFile(ref.path) as archive:
        names = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        return b"".join(archive.read(name) for name in names)


class _Placeholder:
    """Stands for a training framework's object in a checkpoint; holds and does nothing."""

    def __init__(self, *args: object, **options: object) -> None:
        del args, options

    def __setstate__(self, state: object) -> None:
        del state


def _placeholders(ref: FileRef, *, zipped: bool) -> list[Any]:
    if not zipped or not zipfile.is_zipfile(ref.path):
        return []
    names = torch.serialization.get_unsafe_globals_in_checkpoint(ref.path)
    return [(_Placeholder, name) for name in names if name.startswith(_IGNORED_GLOBALS)]


def _flatten(stored: Any) -> Iterable[tuple[str, Any]]:
    """Key and value pairs of what a ``.ckpt`` holds, its wrappers taken off."""
    for wrapper in ("state_dict", "model", "params_ema", "params"):
        if isinstance(stored, Mapping) and isinstance(stored.get(wrapper), Mapping):
            stored = stored[wrapper]
    return stored.items() if isinstance(stored, Mapping) else ()

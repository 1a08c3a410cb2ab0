"""Values on their way between the engine and an isolated plugin.

Tensors and arrays become sealed shared memory whose descriptors travel beside the bytes. The engine
makes objects of graphengine's own value classes only; a plugin's own classes reach it as `Opaque`.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import mmap
import os
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphengine.spec import REQUIRED

_KNOWN = frozenset(
    f"graphengine.{name}"
    for name in ("sockets", "results", "events", "parameters", "spec", "errors", "folders")
)
_BUILTIN = frozenset(("set", "frozenset", "complex", "bytearray", "slice", "range"))
_OPAQUE = ("graphengine.isolation.values", "Opaque")


@dataclass(frozen=True, eq=False)
class Opaque:
    """A value of a plugin's own class: the engine passes it on and never looks inside."""

    type: str
    content: bytes
    tensors: tuple[Any, ...] = ()

    @property
    def __socket_type__(self) -> str:
        return self.type

    def __reduce__(self) -> tuple[Any, ...]:
        return Opaque, (self.type, self.content, self.tensors)


class Packed(NamedTuple):
    """A value as bytes, and the descriptors of its tensors; who unpacks them closes them."""

    content: bytes
    descriptors: tuple[int, ...]


def pack(value: Any) -> Packed:
    """A value as it is sent; raises what pickling it raises."""
    tensors: list[Any] = []
    content = _pickled(value, tensors)
    return Packed(content, tuple(_share(tensor) for tensor in tensors))


def unpack(packed: Packed, *, own_classes: bool) -> Any:
    """The value again. Only on the plugin's side may it be of any class.

    Raises pickle.UnpicklingError for what the engine does not know.
    """
    tensors = [_Shared(descriptor) for descriptor in packed.descriptors]
    return _Unpickler(packed.content, tensors, own_classes).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, tensors: list[Any], *, inner: bool) -> None:
        super().__init__(file, protocol=5)
        self._tensors = tensors
        self._inner = inner

    def persistent_id(self, value: Any) -> Any:
        if value is REQUIRED:
            return ("required",)
        kind = _kind_of(value)
        if kind is None:
            return None
        self._tensors.append(value)
        return (kind, len(self._tensors) - 1, _dtype(value), tuple(value.shape))

    def reducer_override(self, value: Any) -> Any:
        """A plugin's own values are wrapped; inside of such a wrapping all is as it is."""
        kind = type(value)
        if self._inner or isinstance(value, type) or _is_known(kind.__module__, kind.__qualname__):
            return NotImplemented
        tensors: list[Any] = []
        content = _pickled(value, tensors, inner=True)
        name = str(getattr(value, "__socket_type__", kind.__name__))
        return Opaque, (name, content, tuple(tensors))


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, tensors: Sequence[Any], own_classes: bool) -> None:
        super().__init__(io.BytesIO(content))
        self._tensors = tensors
        self._own_classes = own_classes

    def persistent_load(self, said: Any) -> Any:
        if said == ("required",):
            return REQUIRED
        kind, index, dtype, shape = said
        tensor = self._tensors[index]
        return tensor.load(kind, dtype, shape) if isinstance(tensor, _Shared) else tensor

    def find_class(self, module: str, name: str) -> Any:
        if self._own_classes:
            return self._open if (module, name) == _OPAQUE else super().find_class(module, name)
        if not _is_known(module, name):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)

    def _open(self, _: str, content: bytes, tensors: tuple[Any, ...]) -> Any:
        return _Unpickler(content, tensors, own_classes=True).load()


def _pickled(value: Any, tensors: list[Any], *, inner: bool = False) -> bytes:
    file = io.BytesIO()
    _Pickler(file, tensors, inner=inner).dump(value)
    return file.getvalue()


def _is_known(module: str, name: str) -> bool:
    """Whether it is a class of values that both sides have."""
    if (module, name) == _OPAQUE or (module == "builtins" and name in _BUILTIN):
        return True
    if module in ("pathlib", "collections"):
        return name in ("PosixPath", "PurePosixPath", "Path", "OrderedDict")
    if module not in _KNOWN or "." in name:
        return False
    found = getattr(__import__(module, fromlist=[name]), name, None)
    return isinstance(found, type) and found.__module__ == module


# --- tensors --------------------------------------------------------------------------------------


def _kind_of(value: Any) -> str | None:
    if hasattr(value, "untyped_storage") and hasattr(value, "detach"):
        return "torch"
    if hasattr(value, "__array_interface__") and hasattr(value, "tobytes") and value.shape:
        return "numpy"
    return None


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _share(value: Any) -> int:
    """A descriptor of memory that holds the elements in order."""
    descriptor = _memory()
    if hasattr(value, "detach"):
        import torch

        plain = value.detach().cpu().contiguous().reshape(-1)
        content = memoryview(plain.view(torch.uint8).numpy()) if plain.numel() else b""
    else:
        content = memoryview(value.tobytes())
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("graphengine", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _Shared:
    """Memory that came from the other side. It can no longer be changed or cut there."""

    def __init__(self, descriptor: int) -> None:
        with contextlib.suppress(OSError, AttributeError):  # not every system can seal
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        size = os.fstat(descriptor).st_size
        self._memory = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) if size else None
        os.close(descriptor)

    def load(self, kind: str, dtype: str, shape: tuple[int, ...]) -> Any:
        return (
            _torch(self._memory, dtype, shape)
            if kind == "torch"
            else _numpy(self._memory, dtype, shape)
        )


def _torch(memory: mmap.mmap | None, dtype: str, shape: tuple[int, ...]) -> Any:
    import torch

    kind = getattr(torch, dtype)
    if memory is None:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(memory, dtype=kind).reshape(shape)


def _numpy(memory: mmap.mmap | None, dtype: str, shape: tuple[int, ...]) -> Any:
    import numpy

    if memory is None:
        return numpy.empty(shape, dtype=dtype)
    return numpy.frombuffer(memory, dtype=dtype).reshape(shape)

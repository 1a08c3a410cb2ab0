"""Results of slow nodes kept on disk, so that they survive the process.

One safetensors file a result, named after the code that made it, the key of what it was made from,
and the digest of its content; it appears whole or not at all. What is read must have its digest:
a damaged file is dropped and computed again. The least recently used ones go beyond the budget.
Writing happens in a thread of its own; a result that cannot wait there is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from graphengine import __version__
from graphengine.cache import Entry
from graphengine.files import write_whole
from graphengine.fingerprint import Key
from graphengine.packing import NotPackable, pack_entry, unpack_entry

logger = logging.getLogger(__name__)
LEAST_SECONDS = 0.05
"""What took less is as soon computed as read."""
MOST_WAITING_BYTES = 512 * 2**20
SUFFIX = ".safetensors"
_DESCRIPTION = "graphengine.result"
_NOT_KEPT = (
    "results cannot be kept in %s: %s; set GRAPHENGINE_CACHE_DIRECTORY to a folder that can be "
    "written and has room, or GRAPHENGINE_CACHE_DISK_BYTES to 0"
)


@dataclass(frozen=True)
class DiskStatistics:
    """What lies on disk, and how it served since the start."""

    entries: int
    size_bytes: int
    hits: int
    damaged: int
    evictions: int


@dataclass(frozen=True)
class _File:
    path: Path
    size_bytes: int
    digest: str


class DiskCache:
    """Results by key in a folder. Thread-safe; ``max_bytes`` is its budget.

    ``code``: what made the results; those of other code are not found, and go first.
    """

    def __init__(self, folder: Path, max_bytes: int, *, code: str | None = None) -> None:
        self.max_bytes = max_bytes
        self._folder = folder
        self._code = code
        self._files: OrderedDict[str, _File] | None = None
        self._used = 0
        self._waiting_bytes = 0
        self._hits = self._damaged = self._evictions = 0
        self._lock = threading.RLock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="graphengine-disk-cache")
        self._last: Future[None] | None = None
        self._told = False

    def get(self, key: Key) -> Entry | None:
        """The results of a key, read and verified; None if they are not there."""
        with self._lock:
            file = self._index().get(self._name(key))
        if file is None:
            return None
        entry = _read(file)
        with self._lock:
            if entry is None:
                self._damaged += 1
                self._forget(self._name(key))
                logger.warning("%s is damaged and was dropped", file.path)
                return None
            self._hits += 1
            self._index().move_to_end(self._name(key))
        with contextlib.suppress(OSError):
            os.utime(file.path)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keep results, soon, if they took long enough and a file can hold them."""
        if entry.seconds < LEAST_SECONDS:
            return
        with contextlib.suppress(NotPackable):
            described, tensors = pack_entry(entry)
            size_bytes = sum(tensor.nbytes for tensor in tensors)
            with self._lock:
                full = self._waiting_bytes + size_bytes > MOST_WAITING_BYTES
                if not tensors or full or size_bytes > self.max_bytes:
                    return
                self._waiting_bytes += size_bytes
                self._last = self._writer.submit(self._write, key, described, tensors, size_bytes)

    def flush(self) -> None:
        """Wait until all that is to be kept lies on disk."""
        last = self._last
        if last is not None:
            last.result()

    def clear(self) -> None:
        """Forget everything."""
        self.flush()
        with self._lock:
            for name in tuple(self._index()):
                self._forget(name)

    def statistics(self) -> DiskStatistics:
        """What lies there now, and how it served."""
        with self._lock:
            entries = len(self._index())
            return DiskStatistics(entries, self._used, self._hits, self._damaged, self._evictions)

    # --- in the writer's thread ---

    def _write(
        self, key: Key, described: dict[str, Any], tensors: list[Any], size_bytes: int
    ) -> None:
        try:
            content = _content(described, tensors)
            digest = hashlib.sha256(content).hexdigest()
            name = self._name(key)
            path = self._folder / f"{name}-{digest}{SUFFIX}"
            write_whole(path, content)
            with self._lock:
                self._forget(name, keep=path)
                self._index()[name] = _File(path, len(content), digest)
                self._used += len(content)
                while self._used > self.max_bytes:
                    self._evictions += 1
                    self._forget(next(iter(self._index())))
            self._told = False
        except OSError as error:  # a full disk, or a folder of somebody else, must not stop a run
            self._tell(error)
        except Exception:  # nor must a tensor that cannot be written
            logger.warning("a result could not be kept on disk", exc_info=True)
        finally:
            with self._lock:
                self._waiting_bytes -= size_bytes

    def _tell(self, error: OSError) -> None:
        """Say once what is wrong, until it is mended: it is the same for all results."""
        if not self._told:
            self._told = True
            logger.warning(_NOT_KEPT, self._folder, error.strerror or error)

    # --- the index ---

    def _index(self) -> OrderedDict[str, _File]:
        """What lies there, least recently used first; that of other code before all."""
        if self._files is None:
            found = sorted(
                _scanned(self._folder), key=lambda item: (self._is_own(item[1]), item[0])
            )
            self._files = OrderedDict((name, file) for _, name, file in found)
            self._used = sum(file.size_bytes for file in self._files.values())
        return self._files

    def _is_own(self, name: str) -> bool:
        return name.startswith(f"{self._made_by}-")

    def _name(self, key: Key) -> str:
        return f"{self._made_by}-{key.hex()}"

    @property
    def _made_by(self) -> str:
        if self._code is None:
            self._code = code_digest()
        return self._code

    def _forget(self, name: str, *, keep: Path | None = None) -> None:
        file = self._index().pop(name, None)
        if file is not None:
            self._used -= file.size_bytes
            if file.path != keep:
                with contextlib.suppress(OSError):
                    file.path.unlink()


def code_digest() -> str:
    """What changes whenever this package's code or the torch below it does: 16 hex digits."""
    package = Path(__file__).parent
    parts = [__version__, metadata.version("torch")]
    for path in sorted(package.rglob("*.py")):
        state = path.stat()
        parts.append(f"{path.relative_to(package)}:{state.st_size}:{state.st_mtime_ns}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _scanned(folder: Path) -> Iterator[tuple[float, str, _File]]:
    """When each file was last used, its name without digest, and the file."""
    try:
        there = [*os.scandir(folder)]
    except OSError:  # it is not there, is no folder, or may not be read
        return
    for found in there:
        name, _, digest = found.name.removesuffix(SUFFIX).rpartition("-")
        if not found.name.endswith(SUFFIX) or not name:
            continue
        with contextlib.suppress(OSError):
            state = found.stat()
            yield state.st_mtime, name, _File(Path(found.path), state.st_size, digest)


def _content(described: dict[str, Any], tensors: list[Any]) -> bytes:
    from safetensors.torch import save

    alone = {str(index): tensor.detach().cpu().clone() for index, tensor in enumerate(tensors)}
    contiguous = {name: tensor.contiguous() for name, tensor in alone.items()}
    return bytes(save(contiguous, {_DESCRIPTION: json.dumps(described)}))


def _read(file: _File) -> Entry | None:
    """What a file holds; None if it is not there, not whole, or not what was written."""
    from safetensors.torch import load

    try:
        content = file.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.digest:
            return None
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        described = json.loads(header["__metadata__"][_DESCRIPTION])
        tensors = {int(name): tensor for name, tensor in load(content).items()}
        return unpack_entry(described, tensors)
    except Exception:  # whatever it is, it can be computed again
        logger.debug("%s cannot be read", file.path, exc_info=True)
        return None

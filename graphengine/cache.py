"""Results kept in memory: least recently used out first, bounded by the bytes they really occupy,
and by their number or by what the last run used where that is wanted.

Tensors that share storage (a latent and its copy with a mask) are counted once. What lies on the
host and what lies on a device have a budget each.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from graphengine.events import Artifacts
from graphengine.fingerprint import Key

if TYPE_CHECKING:
    from graphengine.disk_cache import DiskCache

GIB = 2**30
_PLAIN_BYTES = 64
_MAX_RECORDS = 200_000


class Entry(NamedTuple):
    """A node's results: its outputs in order, what it showed, how long it took.

    ``made_by``: the digest of the code that made them; '' if it is not known.
    """

    outputs: tuple[Any, ...]
    artifacts: Artifacts | None = None
    seconds: float = 0.0
    made_by: str = ""


@dataclass(frozen=True)
class CacheStatistics:
    """What the cache holds and how it served."""

    entries: int
    host_bytes: int
    device_bytes: int
    hits: int
    misses: int
    evictions: int


@dataclass(frozen=True, slots=True)
class Storage:
    """One piece of memory: who it is, how large, and whether it lies on a device."""

    identity: tuple[str, int]
    size_bytes: int
    on_device: bool = False


@dataclass(slots=True)
class _Held:
    """How many entries hold a piece of memory."""

    storage: Storage
    count: int = 0


class _Kept(NamedTuple):
    entry: Entry
    storages: tuple[Storage, ...]
    plain_bytes: int


@dataclass
class Cache:
    """Results by key. Thread-safe; ``host_bytes`` and ``device_bytes`` are its budgets.

    ``most_entries``: of so many nodes results are kept at most. ``last_run_only``: only those that
    the last run used. ``disk``: where those of slow nodes are kept too; what is found there comes
    back into memory.

    ``_kept`` and ``_on_device`` (those that hold memory of a device) are in the order of use.
    """

    host_bytes: int = 4 * GIB
    device_bytes: int = 2 * GIB
    most_entries: int | None = None
    last_run_only: bool = False
    disk: DiskCache | None = None
    _kept: OrderedDict[Key, _Kept] = field(default_factory=OrderedDict)
    _on_device: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _held: dict[tuple[str, int], _Held] = field(default_factory=dict)
    _pulled: OrderedDict[Key, tuple[str, ...]] = field(default_factory=OrderedDict)
    _host_used: int = 0
    _device_used: int = 0
    _hits: int = 0
    _misses: int = 0
    _evictions: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def get(self, key: Key) -> Entry | None:
        """The results of a key, which become the most recently used; None if not there."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._hits += 1
                self._kept.move_to_end(key)
                if key in self._on_device:
                    self._on_device.move_to_end(key)
                return kept.entry
            self._misses += 1
        entry = None if self.disk is None else self.disk.get(key)
        if entry is not None:
            self._keep(key, entry)
        return entry

    def __contains__(self, key: Key | None) -> bool:
        """Whether results are there, without using them."""
        return key in self._kept

    def put(self, key: Key, entry: Entry) -> None:
        """Keep results, and drop the least recently used ones beyond the budgets.

        Results larger than a whole budget are not kept.
        """
        if self.disk is not None:
            self.disk.put(key, entry)
        self._keep(key, entry)

    def _keep(self, key: Key, entry: Entry) -> None:
        storages, plain_bytes = measure(entry)
        with self._lock:
            if key in self._kept:
                self._drop(key)
            if self._is_too_large(storages, plain_bytes):
                return
            self._kept[key] = _Kept(entry, storages, plain_bytes)
            self._host_used += plain_bytes
            for storage in storages:
                self._hold(storage)
                if storage.on_device:
                    self._on_device[key] = None
            while self._device_used > self.device_bytes:
                self._evict(next(iter(self._on_device)))
            while self._host_used > self.host_bytes or self._holds_too_many():
                self._evict(next(iter(self._kept)))

    def forget(self, key: Key) -> None:
        """Drop a result that is no longer what its node gave."""
        with self._lock:
            if key in self._kept:
                self._drop(key)

    def end_run(self, used: Iterable[Key]) -> None:
        """Where only the last run's results are kept: drop those that it did not use."""
        if not self.last_run_only:
            return
        with self._lock:
            for key in self._kept.keys() - set(used):
                self._drop(key)

    def keep_made_by(self, digests: Collection[str]) -> None:
        """Drop what other code has made: no key will ask for it, and it keeps that code alive."""
        with self._lock:
            for key, kept in list(self._kept.items()):
                if kept.entry.made_by and kept.entry.made_by not in digests:
                    self._drop(key)

    def clear(self) -> None:
        """Forget everything that is in memory."""
        with self._lock:
            self._kept.clear()
            self._on_device.clear()
            self._held.clear()
            self._pulled.clear()
            self._host_used = self._device_used = 0

    def pulled(self, base: Key) -> tuple[str, ...] | None:
        """Which lazy inputs a node with this base key asked for when it last ran."""
        return self._pulled.get(base)

    def remember_pulled(self, base: Key, names: tuple[str, ...]) -> None:
        """Keep which lazy inputs a node asked for."""
        with self._lock:
            self._pulled[base] = names
            self._pulled.move_to_end(base)
            while len(self._pulled) > _MAX_RECORDS:
                self._pulled.popitem(last=False)

    def statistics(self) -> CacheStatistics:
        """What it holds now and how it served since it was made."""
        with self._lock:
            return CacheStatistics(
                entries=len(self._kept),
                host_bytes=self._host_used,
                device_bytes=self._device_used,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
            )

    def _holds_too_many(self) -> bool:
        return self.most_entries is not None and len(self._kept) > self.most_entries

    def _is_too_large(self, storages: tuple[Storage, ...], plain_bytes: int) -> bool:
        on_host, on_device = plain_bytes, 0
        for storage in storages:
            if storage.on_device:
                on_device += storage.size_bytes
            else:
                on_host += storage.size_bytes
        return on_host > self.host_bytes or on_device > self.device_bytes

    def _evict(self, key: Key) -> None:
        self._evictions += 1
        self._drop(key)

    def _hold(self, storage: Storage) -> None:
        held = self._held.setdefault(storage.identity, _Held(storage))
        held.count += 1
        if held.count == 1:
            self._count(storage, 1)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._on_device.pop(key, None)
        self._host_used -= kept.plain_bytes
        for storage in kept.storages:
            held = self._held[storage.identity]
            held.count -= 1
            if held.count == 0:
                del self._held[storage.identity]
                self._count(storage, -1)

    def _count(self, storage: Storage, sign: int) -> None:
        if storage.on_device:
            self._device_used += sign * storage.size_bytes
        else:
            self._host_used += sign * storage.size_bytes


def measure(entry: Entry) -> tuple[tuple[Storage, ...], int]:
    """The pieces of memory that results hold, each once, and the bytes of everything small."""
    plain_bytes = _PLAIN_BYTES
    storages: dict[tuple[str, int], Storage] = {}
    stack: list[Any] = list(entry.outputs)
    shown = entry.artifacts
    if shown is not None and shown.more:
        stack.append(shown)
    elif shown is not None:  # texts and names of files, which most sinks show
        plain_bytes += _PLAIN_BYTES * (1 + 4 * len(shown.images))
        plain_bytes += sum(map(sys.getsizeof, shown.texts))
    seen: set[int] = set()
    while stack:
        value = stack.pop()
        if value is None or type(value) in (int, float, bool):
            plain_bytes += _PLAIN_BYTES
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        storage = _storage(value)
        if storage is not None:
            storages[storage.identity] = storage
        else:
            plain_bytes += sys.getsizeof(value, _PLAIN_BYTES)
            stack.extend(_parts(value))
    return tuple(storages.values()), plain_bytes


def _storage(value: Any) -> Storage | None:
    """The memory behind a tensor or array; told by what it can do, as torch is not imported."""
    get_storage = getattr(value, "untyped_storage", None)
    if get_storage is not None:
        memory = get_storage()
        kind = value.device.type
        size_bytes = 0 if kind == "meta" else memory.nbytes()
        on_device = kind not in ("cpu", "meta")
        return Storage((str(value.device), memory.data_ptr()), size_bytes, on_device)
    interface = getattr(value, "__array_interface__", None)
    if isinstance(interface, dict) and hasattr(value, "nbytes"):
        return Storage(("array", interface["data"][0]), int(value.nbytes))
    return None


def _parts(value: Any) -> Iterator[Any] | Iterable[Any]:
    if isinstance(value, tuple | list | set | frozenset):
        return value
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, entry.name) for entry in fields(value))
    if isinstance(value, str | bytes | type) or callable(value):
        return ()
    return list(getattr(value, "__dict__", {}).values())

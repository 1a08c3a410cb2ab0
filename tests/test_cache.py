"""What the cache keeps, how it counts memory, and what it lets go first."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from graphengine.api import Artifacts
from graphengine.cache import Cache, Entry, measure

KIB = 1024


@dataclass
class Device:
    type: str = "cpu"


class Storage:
    """Memory that several tensors may share."""

    def __init__(self, address: int, size_bytes: int) -> None:
        self.address = address
        self.size_bytes = size_bytes

    def data_ptr(self) -> int:
        return self.address

    def nbytes(self) -> int:
        return self.size_bytes


class Tensor:
    """As much of a tensor as the cache looks at."""

    def __init__(self, address: int, size_bytes: int, device: str = "cpu") -> None:
        self.storage = Storage(address, size_bytes)
        self.device = Device(device)

    def untyped_storage(self) -> Storage:
        return self.storage


@dataclass(frozen=True)
class Pair:
    first: Any
    second: Any


def entry(*outputs: Any) -> Entry:
    return Entry(outputs)


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def kept(cache: Cache, count: int = 10) -> list[int]:
    return [number for number in range(count) if key(number) in cache]


def test_what_was_put_comes_back_and_what_was_not_is_none() -> None:
    cache = Cache()
    value = Entry((1, "a"), Artifacts(texts=("x",)), 2.0)
    cache.put(key(1), value)

    assert cache.get(key(1)) is value
    assert cache.get(key(2)) is None
    assert (cache.statistics().hits, cache.statistics().misses) == (1, 1)


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(host_bytes=3 * KIB + 600)
    for number in range(3):
        cache.put(key(number), entry(Tensor(number + 1, KIB)))
    cache.get(key(0))
    cache.put(key(3), entry(Tensor(9, KIB)))

    assert kept(cache) == [0, 2, 3]
    assert cache.statistics().evictions == 1


def test_shared_memory_is_counted_once_and_until_its_last_holder_goes() -> None:
    cache = Cache()
    cache.put(key(0), entry(Tensor(1, 1000 * KIB)))
    alone = cache.statistics().host_bytes
    cache.put(key(1), entry(Pair(Tensor(1, 1000 * KIB), Tensor(1, 1000 * KIB))))
    both = cache.statistics().host_bytes
    cache.put(key(0), entry(1))
    second_only = cache.statistics().host_bytes
    cache.put(key(1), entry(1))

    assert 1000 * KIB < alone < 1001 * KIB
    assert alone < both < 1002 * KIB
    assert 1000 * KIB < second_only < 1002 * KIB
    assert cache.statistics().host_bytes < 2 * KIB


def test_putting_a_key_again_replaces_its_memory() -> None:
    cache = Cache()
    for address in range(1, 6):
        cache.put(key(0), entry(Tensor(address, 100 * KIB)))

    assert cache.statistics().entries == 1
    assert cache.statistics().host_bytes < 101 * KIB


def test_a_result_larger_than_the_budget_is_not_kept_and_drives_nothing_out() -> None:
    cache = Cache(host_bytes=10 * KIB)
    cache.put(key(0), entry(Tensor(1, KIB)))
    cache.put(key(1), entry(Tensor(2, 11 * KIB)))

    assert kept(cache) == [0]
    assert cache.statistics().evictions == 0


def test_a_key_whose_new_result_is_too_large_loses_the_old_one() -> None:
    cache = Cache(host_bytes=10 * KIB)
    cache.put(key(0), entry(1))
    cache.put(key(0), entry(Tensor(2, 11 * KIB)))

    assert kept(cache) == []
    assert cache.statistics().host_bytes == 0


def test_host_and_device_have_budgets_of_their_own() -> None:
    cache = Cache(host_bytes=100 * KIB, device_bytes=2 * KIB)
    cache.put(key(0), entry(Tensor(1, KIB)))
    for number in (1, 2, 3):
        cache.put(key(number), entry(Tensor(number, KIB, "cuda")))

    assert kept(cache) == [0, 2, 3]
    assert cache.statistics().device_bytes == 2 * KIB
    assert KIB < cache.statistics().host_bytes < 3 * KIB


def test_use_counts_on_the_device_too() -> None:
    cache = Cache(device_bytes=2 * KIB)
    cache.put(key(1), entry(Tensor(1, KIB, "cuda")))
    cache.put(key(2), entry(Tensor(2, KIB, "cuda")))
    cache.get(key(1))
    cache.put(key(3), entry(Tensor(3, KIB, "cuda")))

    assert kept(cache) == [1, 3]


def test_the_same_address_on_two_devices_is_two_pieces_of_memory() -> None:
    storages, _ = measure(entry(Tensor(5, KIB), Tensor(5, KIB, "cuda")))

    assert [storage.on_device for storage in storages] in ([False, True], [True, False])


def test_a_tensor_without_memory_counts_nothing() -> None:
    storages, _ = measure(entry(Tensor(0, 10**9, "meta")))

    assert sum(storage.size_bytes for storage in storages) == 0


@pytest.mark.parametrize(
    "value",
    [
        [Tensor(1, KIB)],
        {"a": (Tensor(1, KIB),)},
        Pair(None, {"x": [Tensor(1, KIB)]}),
        type("Plain", (), {})(),
    ],
    ids=["list", "dict", "dataclass", "object"],
)
def test_memory_is_found_wherever_it_hides(value: Any) -> None:
    if type(value).__name__ == "Plain":
        value.inside = Tensor(1, KIB)
    storages, _ = measure(entry(value))

    assert [storage.size_bytes for storage in storages] == [KIB]


def test_a_value_that_holds_itself_is_measured() -> None:
    value: list[Any] = [Tensor(1, KIB)]
    value.append(value)

    assert len(measure(entry(value))[0]) == 1


def test_texts_count_by_their_length() -> None:
    assert measure(entry("x" * 10_000))[1] - measure(entry("x"))[1] == 9_999


def test_clearing_forgets_everything() -> None:
    cache = Cache()
    cache.put(key(1), entry(Tensor(1, KIB, "cuda"), 2))
    cache.remember_pulled(key(1), ("a",))
    cache.clear()

    statistics = cache.statistics()
    assert (statistics.entries, statistics.host_bytes, statistics.device_bytes) == (0, 0, 0)
    assert cache.pulled(key(1)) is None


def test_many_threads_leave_the_sums_right() -> None:
    cache = Cache(host_bytes=50 * KIB)

    def work(seed: int) -> None:
        for step in range(300):
            number = (seed * 7 + step * 13) % 40
            cache.put(key(number), entry(Tensor(number % 10 + 1, KIB)))
            cache.get(key((number + 3) % 40))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(40):
        cache.put(key(number), Entry((Tensor(99, 60 * KIB),)))

    statistics = cache.statistics()
    assert (statistics.entries, statistics.host_bytes) == (0, 0)
    assert statistics.hits + statistics.misses == 6 * 300


def test_of_more_entries_than_are_wanted_the_least_recently_used_goes_first() -> None:
    cache = Cache(most_entries=3)
    for number in range(3):
        cache.put(key(number), entry(number))
    cache.get(key(0))
    cache.put(key(3), entry(3))

    assert kept(cache) == [0, 2, 3]
    assert cache.statistics().evictions == 1


def test_what_the_last_run_did_not_use_goes_only_where_that_is_wanted() -> None:
    for last_run_only, left in ((True, [1, 2]), (False, [0, 1, 2])):
        cache = Cache(last_run_only=last_run_only)
        for number in range(3):
            cache.put(key(number), entry(number))
        cache.end_run([key(1), key(2), key(7)])

        assert kept(cache) == left

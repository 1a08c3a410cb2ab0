"""Results on disk: they survive, are verified, and stay within their budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from graphengine.cache import Cache, Entry
from graphengine.disk_cache import DiskCache, code_digest
from graphengine.engine import Engine
from graphengine.events import Artifacts, SavedFile
from graphengine.folders import Folders
from graphengine.packing import pack_entry, unpack_entry
from graphengine.registry import Registry
from graphengine.results import Items
from graphengine.sockets import Area, Condition, Conditioning, Image, Latent

KEYS = [bytes([index]) * 32 for index in range(10)]


def entry(value: float = 1.0, size: int = 100, seconds: float = 1.0) -> Entry:
    return Entry((Latent(torch.full((1, 1, 1, size), value)),), seconds=seconds)


def disk(folder: Path, max_bytes: int = 10**6, code: str = "code") -> DiskCache:
    return DiskCache(folder / "cache", max_bytes, code=code)


def kept(folder: Path, **entries: Entry) -> DiskCache:
    cache = disk(folder)
    for index, value in enumerate(entries.values()):
        cache.put(KEYS[index], value)
    cache.flush()
    return cache


def files(folder: Path) -> list[Path]:
    return sorted((folder / "cache").iterdir())


def test_a_result_is_there_again_in_another_process(tmp_path: Path) -> None:
    kept(tmp_path, a=entry(0.5))
    again = disk(tmp_path).get(KEYS[0])

    assert again is not None
    assert torch.equal(again.outputs[0].samples, torch.full((1, 1, 1, 100), 0.5))
    assert again.seconds == 1.0


@pytest.mark.parametrize(
    "outputs",
    [
        (Image(torch.rand(1, 2, 2, 3)), 3, "text", None, True, 0.25),
        (Latent(torch.rand(1, 4, 2, 2), torch.rand(1, 1, 2, 2), (0, 2)),),
        (Items((torch.rand(2), torch.rand(3))), [1, (2, torch.rand(1))]),
        ({"samples": torch.rand(1, 4), "batch_index": [0], 3: {"deep": torch.rand(2).half()}},),
        (
            Conditioning(
                (
                    Condition(
                        torch.rand(1, 3, 4).to(torch.bfloat16),
                        area=Area(1, 2, 3, 4, fraction=True),
                        extra={"guidance": 3.5},
                        size={"width": 64.0},
                    ),
                )
            ),
        ),
    ],
)
def test_what_links_carry_is_the_same_afterwards(tmp_path: Path, outputs: tuple[Any, ...]) -> None:
    shown = Artifacts((SavedFile("a.png", "b", "temp"),), ("text",), {"more": (1, {"a": 2})})
    kept(tmp_path, a=Entry(outputs, shown, 2.0))
    again = disk(tmp_path).get(KEYS[0])

    assert again is not None
    assert again.artifacts == shown
    assert described(again.outputs) == described(outputs)


def described(value: Any) -> Any:
    """A value that compares: tensors by their type and numbers."""
    packed, tensors = pack_entry(Entry(tuple(value)))
    return packed, [(tensor.dtype, tensor.tolist()) for tensor in tensors]


def test_tensors_that_share_memory_are_written_each(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    kept(tmp_path, a=Entry((whole, whole[::2], whole.reshape(2, 3).T), seconds=1.0))
    again = disk(tmp_path).get(KEYS[0])

    assert again is not None
    assert again.outputs[1].tolist() == [0.0, 2.0, 4.0]
    assert again.outputs[2].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]


@pytest.mark.parametrize(
    "result",
    [
        entry(seconds=0.001),
        Entry((1, "text"), seconds=1.0),
        Entry((torch.rand(1), object()), seconds=1.0),
        entry(size=10**6),
    ],
    ids=["quick", "without tensors", "of unknown classes", "too large"],
)
def test_results_that_are_not_worth_a_file_or_fit_none_are_not_kept(
    tmp_path: Path, result: Entry
) -> None:
    assert kept(tmp_path, a=result).statistics().entries == 0


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
def test_a_damaged_file_is_noticed_dropped_and_computed_again(tmp_path: Path, damage: str) -> None:
    kept(tmp_path, a=entry())
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    damaged = {"flip": bytes(content), "cut": bytes(content[:-4]), "empty": b""}
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(damaged[damage])
    cache = disk(tmp_path)
    cache.statistics()

    assert cache.get(KEYS[0]) is None
    assert files(tmp_path) == []
    cache.put(KEYS[0], entry(2.0))
    cache.flush()
    again = cache.get(KEYS[0])
    assert again is not None
    assert again.outputs[0].samples.max() == 2.0


def test_the_least_recently_used_go_beyond_the_budget_also_after_a_restart(tmp_path: Path) -> None:
    first = disk(tmp_path, 10_000)
    for key in KEYS[:2]:
        first.put(key, entry(size=1000))
    first.flush()
    assert first.get(KEYS[0]) is not None
    again = disk(tmp_path, 10_000)
    again.put(KEYS[2], entry(size=1000))
    again.flush()

    assert again.get(KEYS[1]) is None
    assert again.get(KEYS[0]) is not None
    assert again.statistics().size_bytes <= 10_000
    assert again.statistics().evictions == 1
    assert len(files(tmp_path)) == 2


def test_results_of_other_code_are_not_found_and_go_first(tmp_path: Path) -> None:
    kept(tmp_path, a=entry())
    other = disk(tmp_path, 1000, code="newer")

    assert other.get(KEYS[0]) is None
    other.put(KEYS[1], entry())
    other.flush()
    assert other.get(KEYS[1]) is not None
    assert len(files(tmp_path)) == 1


def test_nothing_is_left_after_clearing(tmp_path: Path) -> None:
    cache = kept(tmp_path, a=entry(), b=entry())
    cache.clear()

    assert files(tmp_path) == []
    assert cache.statistics().entries == cache.statistics().size_bytes == 0


def test_a_disk_that_cannot_be_written_stops_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = disk(tmp_path)
    for key in KEYS[:3]:
        cache.put(key, entry())
    cache.flush()

    assert cache.get(KEYS[0]) is None
    (told,) = caplog.records
    assert f"{tmp_path / 'cache'}: File exists" in told.getMessage()
    assert "GRAPHENGINE_CACHE_DIRECTORY" in told.getMessage()
    assert told.exc_info is None


def test_a_folder_that_may_not_be_read_is_as_if_it_were_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    kept(tmp_path, a=entry())
    monkeypatch.setattr("graphengine.disk_cache.os.scandir", forbidden)

    assert disk(tmp_path).get(KEYS[0]) is None


def test_memory_is_asked_first_and_gets_what_the_disk_had(tmp_path: Path) -> None:
    first = Cache(disk=disk(tmp_path))
    first.put(KEYS[0], entry())
    assert first.disk is not None
    first.disk.flush()
    second = Cache(disk=disk(tmp_path))

    assert second.get(KEYS[0]) is not None
    assert second.get(KEYS[0]) is not None
    assert second.disk is not None
    assert second.disk.statistics().hits == 1
    assert second.statistics().hits == 1


def test_an_engine_that_is_left_has_written_what_it_keeps(tmp_path: Path) -> None:
    cache = Cache(disk=disk(tmp_path))
    with Engine(Registry(), Folders(tmp_path, tmp_path, tmp_path, tmp_path), cache):
        for key in KEYS:
            cache.put(key, entry(size=1_000))

    assert len(files(tmp_path)) == len(KEYS)


def test_the_code_has_one_digest_while_it_does_not_change() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 16


def test_unpacking_needs_no_more_than_was_packed() -> None:
    packed, tensors = pack_entry(Entry((1, [2.5]), None, 0.5))

    assert tensors == []
    assert unpack_entry(packed, {}) == Entry((1, [2.5]), None, 0.5)

"""A plugin that ends the whole process ends its own job with it, and no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.error import HTTPError

import pytest

from graphengine.crash import Noted, read_crash
from graphengine.jobs import STUCK_AFTER_S
from tests.server.process import START_TIMEOUT_S, Server

PACK = """
    import ctypes
    import time
    from pathlib import Path

    class Crash:
        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"seconds": ("FLOAT", {"default": 0.0})}}

        RETURN_TYPES = ()
        OUTPUT_NODE = True
        FUNCTION = "run"

        def run(self, seconds):
            (Path(__file__).parents[1] / "begun").touch()
            time.sleep(seconds)  # a call that nothing can interrupt
            if seconds:
                ctypes.string_at(0)
            return {"ui": {"shown": ["alive"]}}

    NODE_CLASS_MAPPINGS = {"Crash": Crash}
"""


def prompt(seconds: float) -> dict[str, Any]:
    inputs = {"seconds": seconds}
    return {"7": {"class_type": "Crash", "inputs": inputs, "_meta": {"title": "Bad one"}}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with the pack."""
    folder = tmp_path / "custom_nodes"
    folder.mkdir()
    (folder / "crash.py").write_text(dedent(PACK), encoding="utf-8")
    with Server(tmp_path, plugins=None) as started:
        yield started


def history_of(server: Server, job_id: str) -> Any:
    """What is told of a job once it has ended."""
    until = time.monotonic() + START_TIMEOUT_S
    while not (history := server.call(f"/history/{job_id}")) and time.monotonic() < until:
        time.sleep(0.05)
    return history


def test_the_job_that_ended_the_server_fails_by_name_and_the_next_one_runs(
    server: Server, tmp_path: Path
) -> None:
    first = server.pid
    bad = server.call("/prompt", {"prompt": prompt(0.5)})["prompt_id"]
    good = server.call("/prompt", {"prompt": prompt(0)})["prompt_id"]
    history = history_of(server, good)
    assert server.pid != first
    assert history[good]["outputs"]["7"]["shown"] == ["alive"]
    entry = server.call(f"/history/{bad}")[bad]
    kind, error = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert (error["node_id"], error["node_type"]) == ("7", "Crash")
    assert "Bad one (#7) ended the whole server (Segmentation fault)" in error["exception_message"]
    assert f"{tmp_path / 'custom_nodes' / 'crash.py'}, line 19" in error["exception_message"]
    assert "サーバー全体" in error["message"]["ja"]


def test_a_job_that_does_not_stop_is_ended_with_the_process_and_not_run_again(
    server: Server, tmp_path: Path
) -> None:
    first = server.pid
    stuck = server.call("/prompt", {"prompt": prompt(600)})["prompt_id"]
    good = server.call("/prompt", {"prompt": prompt(0)})["prompt_id"]
    kill = f"/api/v1/jobs/{stuck}/kill"
    with pytest.raises(HTTPError) as refused:
        server.call(kill, {})
    assert "job_not_stuck" in refused.value.read().decode()
    until = time.monotonic() + START_TIMEOUT_S
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    server.call("/interrupt", {})
    time.sleep(STUCK_AFTER_S)
    server.call(kill, {})

    while server.pid == first and time.monotonic() < until:
        time.sleep(0.05)
    history = history_of(server, good)
    assert history[good]["outputs"]["7"]["shown"] == ["alive"]
    assert server.call(f"/api/v1/jobs/{stuck}")["state"] == "interrupted"


STACK = """Fatal Python error: Segmentation fault

Thread 0x0000000000000010 (most recent call first):
  File "/x/other.py", line 1 in wait

Current thread 0x0000000000000020 (most recent call first):
  File "/x/packs/bad.py", line 9 in run
  File "/x/main.py", line 1 in main
"""


def test_only_the_job_of_the_thread_that_crashed_is_blamed(tmp_path: Path) -> None:
    assert read_crash(tmp_path) is None
    (tmp_path / "last-crash.log").write_text(STACK, encoding="utf-8")
    slots = (b"16\0one\x003\0", b"32\0two\x004\0")
    (tmp_path / "running.bin").write_bytes(b"".join(slot.ljust(1024, b"\0") for slot in slots))
    crash = read_crash(tmp_path)
    assert crash is not None
    assert crash.place == "/x/packs/bad.py, line 9"
    assert crash.of_job("one", 2) is None
    assert crash.of_job("two", 2) == Noted(32, "two", "4")
    (tmp_path / "last-crash.log").write_text(STACK.replace("20 (", "99 ("), encoding="utf-8")
    other = read_crash(tmp_path)
    assert other is not None
    assert other.of_job("one", 2) is None
    assert other.of_job("one", 1) == Noted(16, "one", "3")


def test_a_plugin_whose_import_ends_the_server_is_left_out_until_it_is_changed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "custom_nodes"
    folder.mkdir()
    good = dedent(PACK)
    (folder / "bad.py").write_text("import ctypes\nctypes.string_at(0)\n" + good, encoding="utf-8")
    with Server(tmp_path, plugins=None) as server:
        (pack,) = server.call("/api/v1/plugins")["packs"]
        assert pack["nodes"] == []
        (failure,) = pack["failures"]
        assert "ended the whole server while it was imported" in failure["cause"]
        assert "サーバー全体を終了させた" in failure["message"]["ja"]
        (folder / "bad.py").write_text(good, encoding="utf-8")
        until = time.monotonic() + START_TIMEOUT_S
        while not server.call("/object_info/Crash") and time.monotonic() < until:
            time.sleep(0.05)
        assert "Crash" in server.call("/object_info/Crash")

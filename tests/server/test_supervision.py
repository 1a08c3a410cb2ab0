"""The process that stays behind: it starts the other anew after a crash, and ends as it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graphengine.server.supervision import MOST_CRASHES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux starts it again")
PROGRAM = """
import os, signal, sys, time
from graphengine.server.supervision import start_again_after_crashes
start_again_after_crashes()
print(os.getpid(), flush=True)
{}
"""
WAITS = "time.sleep(60)"


@contextmanager
def started(then: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def child_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_it_ends_with_the_status_of_the_other() -> None:
    with started("sys.exit(3)") as process:
        assert process.wait(30) == 3


def test_after_a_crash_it_is_started_again_and_after_many_no_more() -> None:
    with started("os.kill(os.getpid(), signal.SIGSEGV)") as process:
        shown, said = process.communicate(timeout=60)
    assert len(set(shown.split())) == MOST_CRASHES
    assert said.count("ended by its own code (SIGSEGV)") == MOST_CRASHES - 1
    assert process.returncode == 128 + signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    name = f"{{signal.{number.name}}}"
    ends = f"signal.pthread_sigmask(signal.SIG_BLOCK, {name}); print(flush=True)"
    ends += f"; signal.sigwait({name}); sys.exit(5)"
    with started(ends) as process:
        child_of(process)
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == 5


def test_who_kills_the_server_means_it() -> None:
    with started(WAITS) as process:
        os.kill(child_of(process), signal.SIGKILL)
        assert process.wait(30) == 128 + signal.SIGKILL


def test_the_server_does_not_outlive_the_process_that_was_started() -> None:
    with started(WAITS) as process:
        child = child_of(process)
        process.kill()
        process.wait(30)
        until = time.monotonic() + 10
        while Path(f"/proc/{child}/exe").exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert not Path(f"/proc/{child}/exe").exists()

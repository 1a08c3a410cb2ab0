"""The engine's side of an isolated plugin: its process, started when needed and killed at need."""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import socket
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import Any

from graphengine.context import CancelFlag
from graphengine.errors import Cancelled, GraphEngineError
from graphengine.isolation.channel import Channel
from graphengine.printing import MOST_SHOWN_CHARACTERS

LOADING_S = 120.0
"""So long may a plugin take to be imported."""
_LOOKED_AT_S = 0.05
_TAIL = 2000
_CHUNK_BYTES = 4096
_MOST_CHUNKS = 64


class Crashed(GraphEngineError):
    """An isolated plugin's process has ended; says how, and its last words."""


class PluginProcess:
    """One process of a plugin; used by one thread at a time."""

    def __init__(self, python: Path) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        ends = (theirs.fileno(), lifeline)
        self._process = subprocess.Popen(
            [str(python), "-m", "graphengine.isolation.plugin_side", *map(str, ends)],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs.close()
        os.close(lifeline)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._end = ours
        self._channel = Channel(ours, own_classes=False)
        self._said: deque[str] = deque(maxlen=200)
        self.printed = 0
        self._draining = threading.Lock()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def last_words(self) -> str:
        """The end of what it printed."""
        return "".join(self._said)[-_TAIL:].strip()

    def take_printed(self) -> tuple[str, int]:
        """What it printed since this was asked last: what is kept of it, and its whole length."""
        with contextlib.suppress(OSError, ValueError):
            self._drain()
        text, count = "".join(self._said), self.printed
        self._said.clear()
        self.printed = 0
        return text[:MOST_SHOWN_CHARACTERS], count

    def ask(self, *message: Any) -> None:
        """Send a message; raises `Crashed`."""
        try:
            self._channel.send(*message)
        except OSError as error:
            raise self._crashed() from error

    def answer(self, cancel: CancelFlag, timeout_s: float | None = None) -> tuple[Any, ...]:
        """Its next message. Killed and `Cancelled` if the person stops the run.

        Raises `Crashed`.
        """
        waited = 0.0
        while not self._is_there():
            waited += _LOOKED_AT_S
            if cancel.is_set():
                self.kill()
                raise Cancelled
            if timeout_s is not None and waited > timeout_s:
                self.kill()
                raise GraphEngineError("isolated_slow", seconds=timeout_s)
        try:
            return self._channel.receive()
        except (EOFError, OSError) as error:
            raise self._crashed() from error
        except (pickle.UnpicklingError, ValueError, TypeError, AttributeError) as error:
            self.kill()
            raise GraphEngineError("isolated_answer", cause=str(error)) from error

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if not self._closed:
            self._closed = True
            os.close(self._lifeline)
        self._end.close()
        self._reader.join(1)

    def _is_there(self) -> bool:
        import select

        return bool(select.select([self._end], [], [], _LOOKED_AT_S)[0])

    def _crashed(self) -> Crashed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        status = self._process.returncode
        self.kill()
        return Crashed("isolated_crashed", how=_how(status), last_words=self.last_words or "–")

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream, selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):
            ready.register(stream, selectors.EVENT_READ)
            going = True
            while going:
                ready.select()
                going = self._drain()

    def _drain(self) -> bool:
        """Take what lies in the pipe, which is bounded; False once nothing will come any more."""
        stream = self._process.stdout
        assert stream is not None
        with self._draining, contextlib.suppress(BlockingIOError):
            for _ in range(_MOST_CHUNKS):
                chunk = os.read(stream.fileno(), _CHUNK_BYTES)
                if not chunk:
                    return False
                text = chunk.decode("utf-8", "replace")
                self.printed += len(text)
                self._said.append(text)
        return True


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
    return f"exit status {status}"

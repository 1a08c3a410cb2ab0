"""Stops a plugin's body that goes on although the person has stopped the run.

Bodies look at the run's flag themselves, or are stopped at their next progress. One that never does
gets an exception raised inside of it, which ends any loop of Python code; a call of a library that
does not come back cannot be ended in this process.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

from graphengine.errors import Cancelled

PATIENCE_S = 1.0
"""So long may a body take to notice by itself."""
_AGAIN_S = 0.25


class Stopped(BaseException):
    """Raised inside a body. Not an Exception, so that a body's ``except Exception`` lets it by."""


class Bodies:
    """The plugins' bodies that are running in one run, by their threads."""

    def __init__(self) -> None:
        self._running: dict[int, bool] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._asked = False
        self._stopping = False

    def call(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """What a body returns; raises `Cancelled` if it had to be stopped."""
        thread = threading.get_ident()
        try:
            try:
                self._running[thread] = False
                if self._asked:
                    self._begin_stopping()
                return function(**arguments)
            finally:
                self._leave(thread)
        except Stopped:
            self._leave(thread)
            raise Cancelled from None

    def stop(self) -> None:
        """Stop those that are running, once they have had time to notice by themselves."""
        self._asked = True
        if self._running:
            self._begin_stopping()

    def close(self) -> None:
        """The run is over."""
        self._over.set()

    def _begin_stopping(self) -> None:
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        threading.Thread(target=self._stop_all, name="graphengine-stop", daemon=True).start()

    def _leave(self, thread: int) -> None:
        with self._lock:
            if self._running.pop(thread, False):
                _raise_in(thread, None)

    def _stop_all(self) -> None:
        wait_s = PATIENCE_S
        while not self._over.wait(wait_s):
            with self._lock:
                for thread in list(self._running):
                    self._running[thread] = True
                    _raise_in(thread, Stopped)
            wait_s = _AGAIN_S


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread when it next runs Python code; None takes it back."""
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

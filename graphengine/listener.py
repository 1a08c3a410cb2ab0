"""Hands a run's events to whoever listens, from any thread, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from graphengine.events import Event
from graphengine.stopping import Stopped


class Listener:
    """Calls ``on_event``; nothing more once it raised or the run is over.

    What it raised is raised again at the next event, as a node's body may have caught it.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._lock = threading.RLock()
        self._error: BaseException | None = None
        self._closed = False

    def emit(self, event: Event) -> None:
        """Tell of an event; raises what ``on_event`` raises."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._closed:
                return
            try:
                self._on_event(event)
            except Stopped:  # that was meant for the body that told of the event
                raise
            except BaseException as error:
                self._error = error
                raise

    def raise_if_broken(self) -> None:
        """Raise what ``on_event`` raised, if it did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Tell of nothing from now on."""
        with self._lock:
            self._closed = True

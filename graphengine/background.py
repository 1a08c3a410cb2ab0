"""Work beside a run's loop: coroutines on an event-loop thread, waiting bodies in a few threads."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_THREADS = 8
_CLOSING_S = 5.0
"""How long closing waits for coroutines that refuse to be cancelled."""


class Background(Generic[T]):
    """Calls under way, by node id. Threads and event loop are started when first needed."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[tuple[str, Future[T]]] = queue.SimpleQueue()
        self._pending: dict[str, Future[T]] = {}
        self._coroutines: _EventLoop | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> bool:
        """Whether something is still under way."""
        return bool(self._pending)

    def start_coroutine(self, node_id: str, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Run a coroutine on the event loop."""
        if self._coroutines is None:
            self._coroutines = _EventLoop()
        self._watch(node_id, self._coroutines.start(make()))

    def start_thread(self, node_id: str, call: Callable[[], T]) -> None:
        """Run a function in a thread of its own."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="graphengine-wait")
        self._watch(node_id, self._pool.submit(call))

    def finished(self, *, wait_s: float) -> list[tuple[str, Future[T]]]:
        """What has finished since the last look, after waiting at most ``wait_s`` for one."""
        if not self._pending:
            return []
        found: list[tuple[str, Future[T]]] = []
        try:
            found.append(self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait())
            while True:
                found.append(self._done.get_nowait())
        except queue.Empty:
            pass
        for node_id, _ in found:
            del self._pending[node_id]
        return found

    def close(self) -> None:
        """Cancel what is under way, wait for what cannot be cancelled, end the threads."""
        for future in self._pending.values():
            future.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._coroutines is not None:
            self._coroutines.close()

    def _watch(self, node_id: str, future: Future[T]) -> None:
        self._pending[node_id] = future
        future.add_done_callback(lambda done: self._done.put((node_id, done)))


class _EventLoop:
    """An asyncio loop in a thread."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="graphengine-async", daemon=True
        )
        self._thread.start()
        self._running.wait()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Cancel every coroutine. One that does not end is left to its daemon thread."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=_CLOSING_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._running.set()
        await self._closing.wait()

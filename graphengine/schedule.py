"""Who waits for whom in a run, who can start, and whose results are still wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphengine.expansion import Expansion
from graphengine.graph import GraphNode
from graphengine.keys import links_to
from graphengine.workflow import Link, links_of


class State:
    """Where one node stands in the run.

    ``rounds``: the lazy inputs asked for, each time the body was called. ``twin``: the node with
    the same key whose results it waits for.
    """

    waiting_for = 0
    done = False
    rounds: tuple[tuple[str, ...], ...] = ()
    expansion: Expansion | None = None
    twin: str | None = None
    started = 0.0

    @property
    def pulled(self) -> list[str]:
        """All lazy inputs asked for."""
        return [name for names in self.rounds for name in names]


_SETTLED = State()
_SETTLED.done = True
"""Shared by all that never waited: nothing about them changes any more."""


class Schedule:
    """States and results by node id. ``nodes`` may grow; ``kept`` results are never let go."""

    def __init__(self, nodes: Mapping[str, GraphNode], kept: Iterable[str]) -> None:
        self.states: dict[str, State] = {}
        self.results: dict[str, tuple[Any, ...]] = {}
        self.dependents: dict[str, list[str]] = {}
        self._nodes = nodes
        self._kept = set(kept)
        self._uses: dict[str, int] = {}
        self._ready: list[str] = []
        self._ready_waiting: list[str] = []

    @property
    def has_ready(self) -> bool:
        """Whether a node can start."""
        return bool(self._ready or self._ready_waiting)

    def next_ready(self) -> str | None:
        """The node to start next: what only waits before all others."""
        if self._ready_waiting:
            return self._ready_waiting.pop()
        return self._ready.pop() if self._ready else None

    def make_ready(self, node_id: str) -> None:
        """The node made ready last is started first, so that one picture is finished before the
        next is begun."""
        spec = self._nodes[node_id].spec
        waits = spec.is_async or spec.concurrent
        (self._ready_waiting if waits else self._ready).append(node_id)

    def is_there(self, node_id: str) -> bool:
        """Whether a node is under way, or done with its results still in hand."""
        state = self.states.get(node_id)
        return state is not None and (not state.done or node_id in self.results)

    def wait_for_sources(self, node_id: str, state: State) -> list[str]:
        """Let a node wait for its sources; returns those not yet looked at, last one first."""
        node = self._nodes[node_id]
        lazy = node.spec.lazy_names
        unseen: list[str] = []
        for name, value in node.links.items():
            for source, _ in (value,) if type(value) is Link else links_of(value):
                self._uses[source] = self._uses.get(source, 0) + 1
                if name in lazy or source in self.results:
                    continue
                if not self.is_there(source):
                    unseen.append(source)
                self._wait(node_id, state, source)
        unseen.reverse()
        return unseen

    def wait_for(self, node_id: str, sources: Iterable[str]) -> None:
        """Let a node wait for those of some nodes that are not done; ready if all are."""
        state = self.states[node_id]
        for source in sources:
            if source not in self.results:
                self._wait(node_id, state, source)
        if state.waiting_for == 0:
            self.make_ready(node_id)

    def use(self, node_id: str) -> None:
        """Keep a node's results, once they are there, until one more `release`."""
        self._uses[node_id] = self._uses.get(node_id, 0) + 1

    def release(self, node_id: str) -> None:
        """One use of a node's results is over; the last one lets them go."""
        left = self._uses[node_id] = self._uses[node_id] - 1
        if left == 0 and node_id not in self._kept:
            self.results.pop(node_id, None)

    def keep(self, node_id: str) -> None:
        """Keep a node's results until the run ends."""
        self._kept.add(node_id)

    def settle(self, node_id: str) -> None:
        """A node's results are there: wake what waits for them."""
        self.states[node_id].done = True
        self._wake_dependents(node_id)

    def settle_at_once(self, node_id: str) -> None:
        """As `settle`, for a node that never had to wait."""
        self.states[node_id] = _SETTLED
        self._wake_dependents(node_id)

    def _wake_dependents(self, node_id: str) -> None:
        for dependent in reversed(self.dependents.pop(node_id, ())):
            state = self.states[dependent]
            state.waiting_for -= 1
            if state.waiting_for == 0:
                self.make_ready(dependent)

    def complete(self, node_id: str) -> None:
        """As `settle`, for a node that waited for its sources: it uses them no more."""
        self.settle(node_id)
        for link in links_to(self._nodes[node_id]):
            self.release(link.node)

    def unfinished(self) -> set[str]:
        """The nodes that were begun and are not done."""
        return {node_id for node_id, state in self.states.items() if not state.done}

    def _wait(self, node_id: str, state: State, source: str) -> None:
        state.waiting_for += 1
        self.dependents.setdefault(source, []).append(node_id)

"""The keys of one run's nodes, computed as soon as what they depend on is known.

A plain node's key needs its sources' keys. A lazy node's needs also what its body will ask for:
known from an earlier run with the same eager inputs, otherwise only after the body ran.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from graphengine.cache import Cache
from graphengine.collecting import collector_paused
from graphengine.context import CancelFlag
from graphengine.errors import Cancelled
from graphengine.fingerprint import (
    Key,
    LinkKeys,
    base_key,
    is_unique,
    outside_state,
    pulled_key,
    unique_key,
)
from graphengine.folders import Folders
from graphengine.graph import GraphNode
from graphengine.stopping import Bodies
from graphengine.trace import Trace
from graphengine.workflow import Link, links_of, new_tuple

_CHECKED_EVERY = 1024


class Keys:
    """Keys by node id; ``nodes`` may grow while the run is on its way.

    ``traces``: what decided each key, for `trace.explain`. ``bodies``: stop a plugin's code.
    """

    def __init__(
        self,
        nodes: Mapping[str, GraphNode],
        cache: Cache,
        folders: Folders,
        bodies: Bodies | None = None,
    ) -> None:
        self.traces: dict[str, Trace] = {}
        self._nodes = nodes
        self._cache = cache
        self._folders = folders
        self._bodies = bodies or Bodies()
        self._keys: dict[str, Key] = {}
        self._in_vain: set[str] = set()

    @collector_paused()
    def compute_all(self, order: Iterable[str], cancel: CancelFlag) -> None:
        """The keys of nodes that come sources first, as far as they can be known.

        Raises `Cancelled`.
        """
        for index, node_id in enumerate(order):
            if index % _CHECKED_EVERY == 0 and cancel.is_set():
                raise Cancelled
            self.compute(node_id)

    def compute(self, node_id: str) -> Key | None:
        """A node's key; None while a source's key, or what a lazy node will pull, is unknown."""
        key = self._keys.get(node_id)
        if key is not None:
            return key
        node = self._nodes[node_id]
        trace = self._trace(node)
        if trace is None:
            return None
        if node.spec.has_lazy:
            self.compute_below(node_id)
            return self._keys.get(node_id)
        key = self._keys[node_id] = trace.base
        return key

    def compute_below(self, node_id: str) -> None:
        """The keys of a node and of all that it needs, as far as they can be known.

        Sources that were looked at before in vain are not looked at again, so that all of a run's
        calls together visit each node once.
        """
        stack = [node_id]
        seen = {node_id}
        while stack:
            node = self._nodes[stack[-1]]
            wanted = () if node.id in self._keys else self._wanted(node)
            unseen = [
                link.node
                for link in wanted
                if link.node not in seen and link.node not in self._in_vain
            ]
            if unseen:
                seen.update(unseen)
                stack.extend(unseen)
                continue
            stack.pop()
            if node.id not in self._keys:
                self._settle(node)
            if node.id not in self._keys:
                self._in_vain.add(node.id)

    def known(self, node_id: str) -> Key | None:
        """A node's key if it has been computed."""
        return self._keys.get(node_id)

    def all_known(self) -> Collection[Key]:
        """The keys that have been computed."""
        return self._keys.values()

    def is_volatile(self, node_id: str) -> bool:
        """Whether a node's results cannot be asked for again, or their key is unknown."""
        key = self._keys.get(node_id)
        return key is None or is_unique(key)

    def make_volatile(self, node_id: str) -> Key:
        """Give a node a key that nothing equals, also where a lazy node's key is yet to come."""
        key = self._keys[node_id] = unique_key()
        trace = self._trace(self._nodes[node_id])
        if trace is not None:
            self.traces[node_id] = trace._replace(base=key)
        return key

    def finish_lazy(self, node: GraphNode, rounds: Iterable[tuple[str, ...]]) -> None:
        """The key of a lazy node that has run, and what it asked for, round by round.

        Each round is remembered under all that was known when it was asked for, so that what a
        body asks for may depend on what it got before.
        """
        trace = self.traces[node.id]
        key = trace.base
        pulled: list[tuple[str, Key, int]] = []
        for names in rounds:
            links = self._link_keys(node, names)
            if links is None or is_unique(key):
                self.make_volatile(node.id)
                return
            self._cache.remember_pulled(key, names)
            key = pulled_key(key, links)
            pulled.extend(links)
        if not is_unique(key):
            self._cache.remember_pulled(key, ())
        self._set_lazy(node, trace, key, pulled)

    def _wanted(self, node: GraphNode) -> Sequence[Link]:
        """The links whose sources' keys are needed next and unknown."""
        trace = self._trace(node)
        if trace is None:
            names: Collection[str] = node.links.keys() - node.spec.lazy_names
        elif node.spec.has_lazy:
            names = self._predict(node, trace)[2]
        else:
            return ()
        return [link for link in links_to(node, names) if link.node not in self._keys]

    def _settle(self, node: GraphNode) -> None:
        """Set the key if everything that decides it is known."""
        trace = self._trace(node)
        if trace is None:
            return
        if not node.spec.has_lazy:
            self._keys[node.id] = trace.base
            return
        key, pulled, _ = self._predict(node, trace)
        if key is not None:
            self._set_lazy(node, trace, key, pulled)

    def _predict(
        self, node: GraphNode, trace: Trace
    ) -> tuple[Key | None, Sequence[tuple[str, Key, int]], tuple[str, ...]]:
        """A lazy node's key, the links pulled for it, and the inputs whose keys are still missing.

        The key is None if a missing key or what the body will ask for keeps it from being known.
        """
        key = trace.base
        pulled: list[tuple[str, Key, int]] = []
        if node.spec.lazy_names.isdisjoint(node.links):
            return key, pulled, ()
        while True:
            names = self._cache.pulled(key)
            if names is None:
                return None, pulled, ()
            if not names:
                return key, pulled, ()
            links = self._link_keys(node, names)
            if links is None:
                return None, pulled, names
            pulled.extend(links)
            key = pulled_key(key, links)

    def _set_lazy(
        self, node: GraphNode, trace: Trace, key: Key, pulled: Sequence[tuple[str, Key, int]]
    ) -> None:
        self._keys[node.id] = key
        eager = tuple(entry for entry in trace.links if entry[0] not in node.spec.lazy_names)
        self.traces[node.id] = trace._replace(links=(*eager, *pulled))

    def _trace(self, node: GraphNode) -> Trace | None:
        """What decides the node's key; None while an eager source's key is unknown."""
        trace = self.traces.get(node.id)
        if trace is not None:
            return trace
        spec = node.spec
        names = node.links.keys() - spec.lazy_names if spec.has_lazy else None
        links = self._link_keys(node, names)
        if links is None:
            return None
        outside = self._outside(node) if spec.looks_outside else ""
        base = base_key(spec, node.id, node.values, links, outside)
        trace = self.traces[node.id] = new_tuple(Trace, (node, links, outside, base))
        return trace

    def _outside(self, node: GraphNode) -> str:
        """What beside the inputs decides the result; a plugin's code for it can be stopped too."""
        spec = node.spec
        if spec.fingerprint is None or spec.is_builtin:
            return outside_state(spec, node.values, self._folders)
        given = {"spec": spec, "values": node.values, "folders": self._folders}
        return str(self._bodies.call(outside_state, given))

    def _link_keys(self, node: GraphNode, names: Collection[str] | None) -> LinkKeys | None:
        """The sources' keys of some links (None: all), in the inputs' order; None if unknown."""
        keys = self._keys
        found: list[tuple[str, Key, int]] = []
        for name, value in node.links.items():
            if names is not None and name not in names:
                continue
            for source, output in (value,) if type(value) is Link else links_of(value):
                key = keys.get(source)
                if key is None:
                    return None
                found.append((name, key, output))
        return tuple(found)


def links_to(node: GraphNode, names: Collection[str] | None = None) -> list[Link]:
    """The links of some of a node's inputs, by default of all."""
    return [
        link
        for name, value in node.links.items()
        if names is None or name in names
        for link in ((value,) if type(value) is Link else links_of(value))
    ]

"""Why a node ran or not: what decided its key in this run, compared with the run before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from graphengine.fingerprint import Key, LinkKeys
from graphengine.graph import GraphNode

Kind = Literal[
    "cached",
    "first_run",
    "value_changed",
    "input_added",
    "input_removed",
    "upstream_changed",
    "outside_changed",
    "node_changed",
    "never_cached",
    "not_kept",
    "not_needed",
    "unknown_yet",
]


class Trace(NamedTuple):
    """What decides a node's key: its type, literals, links, files, and the key that they give."""

    spec_key: str
    values: Mapping[str, Any]
    links: LinkKeys
    outside: str
    base: Key
    cache: str


@dataclass(frozen=True)
class Reason:
    """Why a node ran, will run, or does not have to.

    ``input`` and ``source`` name what changed; ``before`` and ``after`` a changed value.
    """

    kind: Kind
    input: str | None = None
    source: str | None = None
    before: Any = None
    after: Any = None

    @property
    def runs(self) -> bool:
        """Whether it is a reason to run."""
        return self.kind not in ("cached", "not_needed")


def explain(node: GraphNode, trace: Trace | None, before: Trace | None) -> Reason:
    """Why the node has to run, from what decides its key now and what did in the last run."""
    if trace is None:
        return Reason("unknown_yet")
    if trace.cache == "never":
        return Reason("never_cached")
    if before is None:
        return Reason("first_run")
    if trace.spec_key != before.spec_key:
        return Reason("node_changed")
    return (
        _changed_value(trace, before)
        or _changed_link(node, trace, before)
        or _otherwise(trace, before)
    )


def _changed_value(trace: Trace, before: Trace) -> Reason | None:
    for name, value in trace.values.items():
        if name not in before.values:
            return Reason("input_added", name, after=value)
        old = before.values[name]
        if type(value) is not type(old) or value != old:
            return Reason("value_changed", name, before=old, after=value)
    removed = next((name for name in before.values if name not in trace.values), None)
    return None if removed is None else Reason("input_removed", removed)


def _changed_link(node: GraphNode, trace: Trace, before: Trace) -> Reason | None:
    old = {(name, index): (key, index) for name, key, index in before.links}
    names = {name for name, _ in old}
    for name, key, index in trace.links:
        if old.get((name, index)) == (key, index):
            continue
        link = node.links[name]
        source = link.node if hasattr(link, "node") else link[0].node
        return Reason("upstream_changed" if name in names else "input_added", name, source)
    return None


def _otherwise(trace: Trace, before: Trace) -> Reason:
    return Reason("outside_changed" if trace.outside != before.outside else "not_kept")

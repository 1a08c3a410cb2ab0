"""Why a node ran or not: what decided its key in this run, compared with the run before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from graphengine.fingerprint import Key, LinkKeys
from graphengine.graph import GraphNode
from graphengine.workflow import links_of

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
    """What decides a node's key: the node, its sources' keys, files, and the key that they give."""

    node: GraphNode
    links: LinkKeys
    outside: str
    base: Key


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


def explain(trace: Trace | None, before: Trace | None) -> Reason:
    """Why a node has to run, from what decides its key now and what did in the last run."""
    if trace is None:
        return Reason("unknown_yet")
    if trace.node.spec.cache == "never":
        return Reason("never_cached")
    if before is None:
        return Reason("first_run")
    if trace.node.spec.key != before.node.spec.key:
        return Reason("node_changed")
    return (
        _changed_value(trace, before) or _changed_link(trace, before) or _otherwise(trace, before)
    )


def _changed_value(trace: Trace, before: Trace) -> Reason | None:
    now, then = trace.node.values, before.node.values
    for name, value in now.items():
        if name not in then:
            return Reason("input_added", name, after=value)
        if type(value) is not type(then[name]) or value != then[name]:
            return Reason("value_changed", name, before=then[name], after=value)
    removed = next((name for name in then if name not in now), None)
    return None if removed is None else Reason("input_removed", removed)


def _changed_link(trace: Trace, before: Trace) -> Reason | None:
    then = set(before.links)
    linked_before = {name for name, _, _ in before.links}
    for name, key, output in trace.links:
        if (name, key, output) not in then:
            source = next(iter(links_of(trace.node.links[name]))).node
            kind: Kind = "upstream_changed" if name in linked_before else "input_added"
            return Reason(kind, name, source)
    return None


def _otherwise(trace: Trace, before: Trace) -> Reason:
    return Reason("outside_changed" if trace.outside != before.outside else "not_kept")

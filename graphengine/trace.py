"""Why a node ran or not: what decided its key in this run, compared with the run before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from graphengine.fingerprint import Key, LinkKeys, written
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
    "blocked",
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
        return self.kind not in ("cached", "not_needed", "blocked")


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
    return _changed_input(trace, before) or _otherwise(trace, before)


def _changed_input(trace: Trace, before: Trace) -> Reason | None:
    """The first input whose value or source is another one now."""
    now, then = trace.node, before.node
    keys_then = set(before.links)
    changed = {name for name, key, output in trace.links if (name, key, output) not in keys_then}
    for name in (*now.values, *now.links):
        was_given = name in then.values or name in then.links
        if name in now.values:
            value, old = now.values[name], then.values.get(name)
            if not was_given:
                return Reason("input_added", name, after=value)
            if name in then.links or _differ(value, old):
                return Reason("value_changed", name, before=old, after=value)
        elif name in changed:
            source = next((link.node for link in links_of(now.links[name])), None)
            return Reason("upstream_changed" if was_given else "input_added", name, source)
    return _removed_input(now, then)


def _removed_input(now: GraphNode, then: GraphNode) -> Reason | None:
    for name in (*then.values, *then.links):
        if name not in now.values and name not in now.links:
            return Reason("input_removed", name, before=then.values.get(name))
    return None


def _differ(value: Any, other: Any) -> bool:
    """Whether the two make different keys."""
    try:
        return written(value) != written(other)
    except (TypeError, RecursionError):
        return value is not other


def _otherwise(trace: Trace, before: Trace) -> Reason:
    return Reason("outside_changed" if trace.outside != before.outside else "not_kept")

"""What differs between two workflows, in words: nodes, titles, values and links.

Nodes are the same if they have the same id and type; of those left over, one of the same type and
title on the other side is the same under another id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphengine.errors import render
from graphengine.shown import shown
from graphengine.validation import unwrapped
from graphengine.workflow import Link, Workflow, WorkflowNode, links_of


@dataclass(frozen=True)
class Difference:
    """One thing that differs; ``old`` and ``new`` are values or sources, as text."""

    code: str
    node: str
    input: str = ""
    old: str = ""
    new: str = ""

    def text(self, language: str = "en") -> str:
        """The difference in words."""
        values = {"node": self.node, "input": self.input, "old": self.old, "new": self.new}
        return render(self.code, values, language)[0]

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape for programs."""
        return {
            "code": self.code,
            "node": self.node,
            "input": self.input,
            "old": self.old,
            "new": self.new,
            "message": {language: self.text(language) for language in ("en", "ja")},
        }


def differences(old: Workflow, new: Workflow) -> tuple[Difference, ...]:
    """Everything that differs, in the order of the new workflow; what was removed comes last."""
    pairs = _pairs(old, new)
    found: list[Difference] = []
    for node in new.nodes.values():
        before = pairs.get(node.id)
        if before is None:
            found.append(Difference("diff_node_added", _name(node)))
        else:
            found += _node_differences(old.nodes[before], node, old, new, pairs)
    kept = set(pairs.values())
    gone = (node for node in old.nodes.values() if node.id not in kept)
    return (*found, *(Difference("diff_node_removed", _name(node)) for node in gone))


def _pairs(old: Workflow, new: Workflow) -> dict[str, str]:
    """For each node of the new workflow the id that it had in the old one."""
    pairs = {
        node.id: node.id
        for node in new.nodes.values()
        if node.id in old.nodes and old.nodes[node.id].type == node.type
    }
    left: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for node in old.nodes.values():
        if node.id not in pairs:
            left[node.type, node.title].append(node.id)
    for node in new.nodes.values():
        candidates = left.get((node.type, node.title))
        if node.id not in pairs and candidates:
            pairs[node.id] = candidates.pop(0)
    return pairs


def _node_differences(
    before: WorkflowNode,
    after: WorkflowNode,
    old: Workflow,
    new: Workflow,
    pairs: Mapping[str, str],
) -> Iterator[Difference]:
    name = _name(after)
    if before.title != after.title:
        yield Difference("diff_title", name, old=before.title or "–", new=after.title or "–")
    for input_name in dict.fromkeys((*before.inputs, *after.inputs)):
        was, now = before.inputs.get(input_name), after.inputs.get(input_name)
        if input_name not in after.inputs:
            yield Difference("diff_input_gone", name, input_name, old=_shown(was, old))
        elif input_name not in before.inputs:
            yield Difference("diff_input_new", name, input_name, new=_shown(now, new))
        elif not _same(was, now, pairs):
            linked = links_of(was) or links_of(now)
            code = "diff_link" if linked else "diff_value"
            yield Difference(code, name, input_name, _shown(was, old), _shown(now, new))


def _same(was: Any, now: Any, pairs: Mapping[str, str]) -> bool:
    if links_of(was) and links_of(now):
        moved = tuple(Link(pairs.get(link.node, ""), link.output) for link in links_of(now))
        return links_of(was) == moved
    was, now = unwrapped(was), unwrapped(now)
    return bool(was == now) and isinstance(was, bool) == isinstance(now, bool)


def _shown(value: Any, workflow: Workflow) -> str:
    links = links_of(value)
    if not links:
        return shown(unwrapped(value))
    return ", ".join(_source(link, workflow) for link in links)


def _source(link: Link, workflow: Workflow) -> str:
    node = workflow.nodes.get(link.node)
    return f"{f'#{link.node}' if node is None else _name(node)}[{link.output}]"


def _name(node: WorkflowNode) -> str:
    return f"{node.title or node.type} (#{node.id})"

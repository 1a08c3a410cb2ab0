"""The graph of a run as ComfyUI's nodes may look at it while it grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.context import Surroundings
from graphengine.graph import GraphNode
from graphengine.workflow import Link, links_of


class NodeNotFoundError(KeyError):
    """There is no node of this id."""


class DynamicPrompt:
    """What the hidden input DYNPROMPT gives: the nodes of a prompt and those that grew from it."""

    def __init__(self, run: Surroundings) -> None:
        self._run = run

    @property
    def original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent."""
        return self._run.prompt

    @property
    def ephemeral_prompt(self) -> dict[str, Any]:
        """The nodes that have grown until now."""
        nodes = self._run.nodes
        return {key: as_prompt(node) for key, node in nodes.items() if node.parent is not None}

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent."""
        return self._run.prompt

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """A node in the API format; raises `NodeNotFoundError`."""
        node = self._run.nodes.get(node_id)
        if node is not None and node.parent is not None:
            return as_prompt(node)
        found = self._run.prompt.get(node_id)
        if found is None:
            raise NodeNotFoundError(f"Node {node_id} not found")
        return found  # type: ignore[no-any-return]  # prompts are JSON

    def has_node(self, node_id: str) -> bool:
        """Whether there is such a node."""
        return node_id in self._run.nodes or node_id in self._run.prompt

    def all_node_ids(self) -> set[str]:
        """All ids, also of nodes that have grown."""
        return {*self._run.prompt, *self._run.nodes}

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the prompt that a node grew from; itself if it is one."""
        node = self._run.nodes.get(node_id)
        return node_id if node is None or node.parent is None else node.parent

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node of the prompt that a node grew from; None if it is one."""
        node = self._run.nodes.get(node_id)
        return None if node is None else node.parent

    def get_display_node_id(self, node_id: str) -> str:
        """The node in whose place a node is shown."""
        node = self._run.nodes.get(node_id)
        return node_id if node is None or node.display is None else node.display


def as_prompt(node: GraphNode) -> dict[str, Any]:
    """A node of the run in the API format."""
    linked = {name: _plain(value) for name, value in node.links.items()}
    return {"class_type": node.spec.id, "inputs": {**node.values, **linked}}


def _plain(value: Any) -> Any:
    if type(value) is Link:
        return list(value)
    return [list(link) for link in links_of(value)]

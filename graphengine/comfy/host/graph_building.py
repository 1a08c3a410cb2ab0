"""Pieces of graph as ComfyUI's nodes build them, and the value that blocks what is behind it."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.running import RUNNING


class ExecutionBlocker:
    """Given instead of a value: nothing behind it runs; ``message`` is shown, None is quiet."""

    def __init__(self, message: str | None) -> None:
        self.message = message


class DependencyCycleError(Exception):
    """Nodes wait for each other."""


class NodeInputError(Exception):
    """An input of a node is wrong."""


class DuplicateNodeError(Exception):
    """A piece of graph uses an id that is taken."""


def is_link(obj: Any) -> bool:
    """Whether a value is ``[node id, output]``."""
    return (
        isinstance(obj, list)
        and len(obj) == 2
        and isinstance(obj[0], str)
        and type(obj[1]) in (int, float)
    )


class Node:
    """One node of a piece of graph."""

    def __init__(self, id: str, class_type: str, inputs: dict[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = inputs
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to one of its outputs."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Give an input a value or a link; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """An input's value or link; None if it has none."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """Show what it does at another node."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """The node in the API format."""
        node: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        if self.override_display_id is not None:
            node["override_display_id"] = self.override_display_id
        return node


class GraphBuilder:
    """Builds a piece of graph; ids begin with what is unique to the node's call and this piece."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = self.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self.id_gen = 1

    @classmethod
    def alloc_prefix(cls, root: Any = None, call_index: Any = None, graph_index: Any = None) -> str:
        """A prefix that no other piece has; of the call under way unless parts are named."""
        if root is not None and call_index is not None and graph_index is not None:
            return f"{root}.{call_index}.{graph_index}."
        running = RUNNING.get()
        return "" if running is None else running.next_prefix()

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> Node:
        """Add a node, or get the one that was added with this id."""
        if id is None:
            id = str(self.id_gen)
            self.id_gen += 1
        id = self.prefix + id
        if id not in self.nodes:
            self.nodes[id] = Node(id, class_type, kwargs)
        return self.nodes[id]

    def lookup_node(self, id: str) -> Node | None:
        """A node that was added with this id."""
        return self.nodes.get(self.prefix + id)

    def finalize(self) -> dict[str, Any]:
        """The piece in the API format."""
        return {node_id: node.serialize() for node_id, node in self.nodes.items()}

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Let all that links to an output get another link or value; None takes inputs away."""
        wanted = [self.prefix + node_id, index]
        for node in self.nodes.values():
            for name in [name for name, value in node.inputs.items() if value == wanted]:
                node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Take a node out."""
        del self.nodes[self.prefix + id]


def add_graph_prefix(
    graph: dict[str, Any], outputs: Any, prefix: str
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """A piece of graph and its outputs with ``prefix`` before every id."""

    def moved(value: Any) -> Any:
        return [prefix + value[0], value[1]] if is_link(value) else value

    return {
        prefix + node_id: {
            **node,
            "inputs": {name: moved(value) for name, value in node.get("inputs", {}).items()},
        }
        for node_id, node in graph.items()
    }, tuple(moved(value) for value in outputs)

"""The Python objects of hosted nodes: one for each node of a workflow, kept from run to run."""

from __future__ import annotations

import threading
from typing import Any
from weakref import ReferenceType, ref

from graphengine.context import Context, Surroundings


class Instances:
    """Objects by node id and class. Those of nodes that the present workflow lacks are let go.

    So are those of classes that have gone from ``classes``; None: none has.
    """

    def __init__(self) -> None:
        self._objects: dict[tuple[str, Any], Any] = {}
        self.classes: frozenset[Any] | None = None
        self._run: ReferenceType[Surroundings] | None = None
        self._lock = threading.Lock()

    @property
    def run(self) -> Surroundings | None:
        """The run that asked last, while it goes on."""
        return None if self._run is None else self._run()

    def get(self, context: Context, cls: Any) -> Any:
        """The object of a node; made when it is first asked for."""
        if self._run is None or self._run() is not context.run:
            self._begin(context.run)
        key = (context.node_id, cls)
        found = self._objects.get(key)
        if found is None:
            found = self._objects[key] = cls()
        return found

    def _begin(self, run: Surroundings) -> None:
        with self._lock:
            self._run = ref(run)
            roots = run.nodes
            self._objects = {
                key: value
                for key, value in self._objects.items()
                if _root(key[0]) in roots and (self.classes is None or key[1] in self.classes)
            }


def _root(node_id: str) -> str:
    """The node of the workflow that a node with such an id grew from."""
    return node_id.split(".", 1)[0]

"""An engine with toy nodes, and what its runs did, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphengine.cache import Cache
from graphengine.engine import Engine, RunResult
from graphengine.events import Event
from graphengine.folders import Folders, model_folders
from graphengine.registry import Registry
from graphengine.workflow import parse_api
from tests import toy_nodes


def n(node_type: str, **inputs: Any) -> dict[str, Any]:
    """A node in API format."""
    return {"class_type": node_type, "inputs": inputs}


class Toy:
    """An engine with all toy nodes and further ones; counts the calls of ``Counted`` by name."""

    def __init__(
        self, folder: Path, *functions: Callable[..., Any], cache: Cache | None = None
    ) -> None:
        for name in ("input", "output", "temp"):
            (folder / name).mkdir(exist_ok=True)
        self.folders = Folders(
            folder / "input",
            folder / "output",
            folder / "temp",
            folder / "user",
            models=model_folders(folder / "models"),
        )
        self.calls = toy_nodes.Calls()
        registry = Registry()
        registry.add_functions(*toy_nodes.ALL, toy_nodes.counted(self.calls), *functions)
        self.engine = Engine(registry, self.folders, cache or Cache())
        self.events: list[Event] = []

    def run(self, nodes: dict[str, Any], **options: Any) -> RunResult:
        """Run nodes; ``events`` and ``calls`` then hold what this run did."""
        self.events.clear()
        self.calls.counts.clear()
        options.setdefault("on_event", self.events.append)
        return self.engine.run(parse_api(nodes), **options)

    def value(self, nodes: dict[str, Any], node_id: str = "x") -> Any:
        """The first output of a node of a run that must succeed."""
        result = self.run(nodes, targets=(node_id,)).raise_for_status()
        return result.outputs[node_id][0]

    def of(self, kind: type) -> list[Any]:
        """The last run's events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


def texts(result: RunResult) -> dict[str, tuple[str, ...]]:
    """What each node showed."""
    return {node_id: shown.texts for node_id, shown in result.artifacts.items()}

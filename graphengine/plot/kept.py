"""What is finished of a plot, on the disk: the drawn seeds, and a picture and measures a cell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphengine.files import write_whole
from graphengine.folders import Folders
from graphengine.graph import Graph
from graphengine.plot.targets import PictureSource
from graphengine.workflow import Workflow, links_of, to_api


@dataclass(frozen=True)
class Kept:
    """The folder of one plot; whatever is damaged in it is as if it were not there."""

    folder: Path

    def seeds(self) -> list[int]:
        """The seeds that were drawn when the plot began, in their order."""
        try:
            found = json.loads((self.folder / "seeds.json").read_bytes())
        except (OSError, ValueError):
            return []
        whole = isinstance(found, list) and all(type(seed) is int for seed in found)
        return found if whole else []

    def keep_seeds(self, seeds: Sequence[int]) -> None:
        """Keep the drawn seeds."""
        write_whole(self.folder / "seeds.json", json.dumps(list(seeds)).encode())

    def cells(self) -> frozenset[str]:
        """The keys of the finished cells."""
        return frozenset(file.stem for file in self.folder.glob("*.png"))

    def cell(self, key: str) -> tuple[bytes, dict[str, Any]] | None:
        """A finished cell's picture and measures."""
        try:
            measures = json.loads((self.folder / f"{key}.json").read_bytes())
            return (self.folder / f"{key}.png").read_bytes(), measures
        except (OSError, ValueError):
            return None

    def keep_cell(self, key: str, picture: bytes, measures: Mapping[str, Any]) -> None:
        """Keep a cell; the measures go last and say that it is whole."""
        write_whole(self.folder / f"{key}.png", picture)
        write_whole(self.folder / f"{key}.json", json.dumps(measures).encode())


def plot_id(workflow: Workflow, axes: Sequence[str], source: PictureSource) -> str:
    """A name for what is asked: the same workflow, axes and picture give the same."""
    return _digest([to_api(workflow), list(axes), source.node_id, source.output])


def cell_key(graph: Graph, targets: Collection[str], folders: Folders) -> str:
    """What decides a cell: nodes with their code, values, links, and the files that they name."""
    needed: set[str] = set()
    waiting = list(targets)
    while waiting:
        node_id = waiting.pop()
        if node_id not in needed:
            needed.add(node_id)
            links = graph.nodes[node_id].links.values()
            waiting += [link.node for value in links for link in links_of(value)]
    return _digest([_node(graph, node_id, folders) for node_id in sorted(needed)])


def _node(graph: Graph, node_id: str, folders: Folders) -> list[Any]:
    node = graph.nodes[node_id]
    files = [
        spec.widget.fingerprint(node.values.get(spec.name), folders)
        for spec in node.spec.watched
        if spec.widget is not None
    ]
    links = {name: [list(link) for link in links_of(v)] for name, v in node.links.items()}
    return [node_id, node.spec.key, dict(node.values), links, files]


def _digest(parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

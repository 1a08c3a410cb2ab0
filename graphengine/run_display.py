"""A run as a person or a program watches it: bars on a terminal, lines in a log, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphengine.errors import GraphEngineError, render
from graphengine.events import (
    Artifacts,
    Event,
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodePreview,
    NodeProgress,
    NodesCached,
    NodeStarted,
    NodeWarning,
    RunStarted,
)
from graphengine.graph import Graph
from graphengine.shown import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Show = Callable[[Event], None]
Write = Callable[[str], None]


def json_lines(write: Write) -> Show:
    """Writes each event as one line of JSON: its name, then its fields. Previews are left out."""

    def show(event: Event) -> None:
        if not isinstance(event, NodePreview):
            write(json.dumps(event_json(event), ensure_ascii=False, default=str))

    return show


def event_json(event: Event) -> dict[str, Any]:
    """An event as JSON values: ``NodeFinished`` is called ``node_finished``."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    fields = {name: getattr(event, name) for name in type(event).__match_args__}
    return {"event": name, **{key: _json_value(value) for key, value in fields.items()}}


def lines(graph: Graph, language: str, write: Write) -> Show:
    """Writes a line for each node that has run, and for each warning."""
    counted = _Counted()

    def show(event: Event) -> None:
        counted.count(event)
        remark = _remark(event, graph, language)
        if remark is not None:
            write(remark)
        elif isinstance(event, NodeFinished) and not event.cached:
            values = {
                "done": counted.done,
                "total": counted.total,
                "title": _title(graph, event.node_id),
                "seconds": f"{event.seconds:.1f}",
            }
            write(render("cli_node_done", values, language)[0])

    return show


@contextmanager
def bars(graph: Graph, language: str) -> Iterator[Show]:
    """Shows a bar for all nodes and one for the steps of each node that is running."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bars(graph, language, progress).show


class _Bars:
    def __init__(self, graph: Graph, language: str, progress: Progress) -> None:
        self._graph = graph
        self._language = language
        self._progress = progress
        self._counted = _Counted()
        self._all = progress.add_task(render("cli_nodes", {}, language)[0], total=None)
        self._running: dict[str, TaskID] = {}

    def show(self, event: Event) -> None:
        self._counted.count(event)
        self._progress.update(
            self._all, completed=self._counted.done, total=self._counted.total or None
        )
        remark = _remark(event, self._graph, self._language)
        if remark is not None:
            self._progress.print(remark, markup=False, highlight=False)
        if isinstance(event, NodeStarted):
            title = f"  {_title(self._graph, event.node_id)}"
            self._running[event.node_id] = self._progress.add_task(title, total=None)
        elif isinstance(event, NodeProgress) and event.node_id in self._running:
            task = self._running[event.node_id]
            self._progress.update(task, completed=event.value, total=event.total)
        elif isinstance(event, NodeFinished | NodeBlocked | NodeError):
            task_done = self._running.pop(event.node_id, None)
            if task_done is not None:
                self._progress.remove_task(task_done)


class _Counted:
    """How many of the nodes are done; those that a node grew into do not count."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0

    def count(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.total = len(event.nodes)
        elif isinstance(event, NodesCached):
            self.done += len(event.nodes)
        elif isinstance(event, NodeBlocked) or _ran_itself(event):
            self.done += 1


def _ran_itself(event: Event) -> bool:
    return isinstance(event, NodeFinished) and not event.cached and event.parent is None


def _remark(event: Event, graph: Graph, language: str) -> str | None:
    """What a person should read while the run goes on: warnings, and why a node did not run."""
    if isinstance(event, NodeWarning):
        text = printable(f"{_title(graph, event.node_id)}: {event.warning.text(language)}")
        return render("cli_warning", {"text": text}, language)[0]
    if isinstance(event, NodeBlocked) and event.reason:
        values = {"title": _title(graph, event.node_id), "reason": printable(event.reason)}
        return render("cli_node_blocked", values, language)[0]
    return None


def _title(graph: Graph, node_id: str) -> str:
    node = graph.nodes.get(node_id)
    return printable(f"#{node_id}" if node is None else node.title)


def _json_value(value: Any) -> Any:
    if isinstance(value, GraphEngineError):
        return value.as_dict()
    return value.as_ui() if isinstance(value, Artifacts) else value

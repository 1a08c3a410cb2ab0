"""Which node's call is under way, for what has to ask without having been told."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from graphengine.context import Context
from graphengine.events import NodePreview


class Running:
    """One call under way. ``graphs``: how many pieces of graph it has begun."""

    __slots__ = ("context", "graphs")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.graphs = 0

    def next_prefix(self) -> str:
        """What makes the ids of its next piece of graph new."""
        prefix = f"{self.context.node_id}.{self.context.call}.{self.graphs}."
        self.graphs += 1
        return prefix


RUNNING: ContextVar[Running | None] = ContextVar("running", default=None)


def running_context() -> Context | None:
    """The context of the call that is under way in this thread or task."""
    running = RUNNING.get()
    return None if running is None else running.context


def of_node(context: Context, node_id: str | None) -> Context:
    """The context of another node of the same run, by its id; the same without one."""
    return context if node_id is None else Context(str(node_id), context.title, context.run)


def show(context: Context, make: Callable[[], Any], *, whole: bool = False) -> None:
    """Show a picture that a plugin made itself, also where previews of sampling are off."""
    context.run.emit(NodePreview(context.node_id, make, whole))

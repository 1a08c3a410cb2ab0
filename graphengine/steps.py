"""An awaitable whose every step runs inside of something else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Step = Callable[[], Any]


class InSteps:
    """Awaits another awaitable; ``around`` calls each of its steps."""

    def __init__(self, awaitable: Awaitable[Any], around: Callable[[Step], Any]) -> None:
        self._awaitable = awaitable
        self._around = around

    def __await__(self) -> Any:
        steps: Any = self._awaitable.__await__()
        sent: Any = None
        raised: BaseException | None = None
        while True:
            try:
                step = _step(steps, sent) if raised is None else _throw(steps, raised)
                waited = self._around(step)
            except StopIteration as stop:
                return stop.value
            try:
                sent, raised = (yield waited), None
            except BaseException as error:  # what is thrown in belongs to the awaited body
                raised = error


def _step(steps: Any, sent: Any) -> Step:
    return lambda: steps.send(sent)


def _throw(steps: Any, error: BaseException) -> Step:
    return lambda: steps.throw(error)

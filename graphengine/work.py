"""A node's calls, ready to be made in the run's thread, in another one, or on an event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from graphengine import calls
from graphengine.calls import Arguments, Called
from graphengine.context import Context
from graphengine.events import Artifacts
from graphengine.graph import GraphNode
from graphengine.printing import Printed
from graphengine.results import NeedsInputs
from graphengine.spec import NodeSpec
from graphengine.steps import InSteps, Step
from graphengine.stopping import Bodies
from graphengine.unchanged import Counted, check_unchanged, count_writes


class Calls(NamedTuple):
    """What all calls of a node gave; ``mapped``: it was called once an item.

    ``printed``: how many characters the body printed, if that was too much to show.
    """

    made: tuple[Called, ...]
    mapped: bool
    printed: int = 0

    @property
    def grow(self) -> bool:
        """Whether a call gave a piece of graph."""
        return any(call.expand is not None for call in self.made)

    @property
    def artifacts(self) -> Artifacts | None:
        """All that the calls showed."""
        return calls.join_artifacts([call.artifacts for call in self.made])

    def outputs(self, spec: NodeSpec) -> tuple[Any, ...]:
        """The node's outputs."""
        if not self.mapped and not spec.gives_items:
            return self.made[0].outputs
        return calls.join_outputs(spec, tuple(call.outputs for call in self.made), self.mapped)


class BodyExited(Exception):
    """A coroutine raised what would end the event loop: SystemExit or KeyboardInterrupt."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(repr(error))


class Work(NamedTuple):
    """A node with the values of its inputs, none of which blocks all of its calls.

    ``check_cancelled`` is asked before each call. ``bodies``: what can stop a plugin's body.
    """

    node: GraphNode
    inputs: Arguments
    context: Context | None
    check_cancelled: Callable[[], None]
    bodies: Bodies

    def call(self) -> Calls:
        """Make all calls, one after the other."""
        arguments, mapped = self._arguments()
        self._ask(arguments)
        made: list[Called] = []
        with Printed() as printed:
            for each in arguments:
                self.check_cancelled()
                block = calls.blocked_by(each) if mapped else None
                if block is not None:
                    made.append(calls.blocked_call(self.node, block))
                else:
                    made.append(self._call(each))
        return Calls(tuple(made), mapped, printed.characters if printed.cut_off else 0)

    def _call(self, arguments: Arguments) -> Called:
        counted = self._counted(arguments)
        function = self.node.spec.function
        if self.node.spec.is_builtin:
            result = function(**arguments)
        else:
            result = self.bodies.call(function, arguments)
        check_unchanged(counted, self.node.id, self.node.title)
        return calls.read_result(self.node, result)

    async def call_async(self) -> Calls:
        """Make all calls at the same time; when one fails the others are cancelled."""
        arguments, mapped = self._arguments()
        await self._ask_async(arguments)
        with Printed() as printed:
            made = await _all_or_first_error(self._call_one(each) for each in arguments)
        return Calls(made, mapped, printed.characters if printed.cut_off else 0)

    async def _call_one(self, arguments: Arguments) -> Called:
        block = calls.blocked_by(arguments)
        if block is not None:
            return calls.blocked_call(self.node, block)
        counted = self._counted(arguments)
        try:
            result = await InSteps(self.node.spec.function(**arguments), self._step)
        except (SystemExit, KeyboardInterrupt) as error:
            raise BodyExited(error) from error
        check_unchanged(counted, self.node.id, self.node.title)
        return calls.read_result(self.node, result)

    def _step(self, step: Step) -> Any:
        """One step of a coroutine. That it ends is told by a StopIteration, as everywhere."""
        return self.bodies.call(step, {})

    def _counted(self, arguments: Arguments) -> tuple[Counted, ...]:
        """What must not be written to; nodes that were written for ComfyUI may."""
        return count_writes(arguments) if self.node.spec.hosted is None else ()

    def _arguments(self) -> tuple[tuple[Arguments, ...], bool]:
        spec = self.node.spec
        arguments, mapped = calls.plan_calls(self.node, self.inputs)
        if spec.has_lazy:
            arguments = tuple(calls.with_lazy(self.node, each) for each in arguments)
        if spec.context_name is not None:
            for index, each in enumerate(arguments):
                each[spec.context_name] = self.context if index == 0 else self._context(index)
        return arguments, mapped

    def _context(self, call: int) -> Context | None:
        return None if self.context is None else dataclasses.replace(self.context, call=call)

    def _ask(self, arguments: Iterable[Arguments]) -> None:
        """Let a hosted node say, before any call, which lazy inputs its calls need.

        Raises `NeedsInputs`.
        """
        hosted = self.node.spec.hosted
        if hosted is not None and hosted.ask is not None:
            asked = [hosted.ask(**each) for each in arguments if not calls.blocked_by(each)]
            _need(asked)

    async def _ask_async(self, arguments: Iterable[Arguments]) -> None:
        hosted = self.node.spec.hosted
        if hosted is None or hosted.ask is None:
            return
        asked = [hosted.ask(**each) for each in arguments if not calls.blocked_by(each)]
        _need([await names if inspect.isawaitable(names) else names for names in asked])


def _need(asked: Iterable[Iterable[str]]) -> None:
    wanted = dict.fromkeys(name for names in asked for name in names)
    if wanted:
        raise NeedsInputs(tuple(wanted))


async def _all_or_first_error(coroutines: Iterable[Awaitable[Called]]) -> tuple[Called, ...]:
    """All results in order; wishes for lazy inputs are gathered, any other error comes first."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    waiting = set(tasks)
    wanted: dict[str, None] = {}
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                error = task.exception()
                if isinstance(error, NeedsInputs):
                    wanted.update(dict.fromkeys(error.names))
                elif error is not None:
                    raise error
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if wanted:
        raise NeedsInputs(tuple(wanted))
    return tuple(task.result() for task in tasks)

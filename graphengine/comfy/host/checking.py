"""What hosted nodes say of their inputs before a run: ``VALIDATE_INPUTS``, ``IS_CHANGED``."""

from __future__ import annotations

import asyncio
import inspect
import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from graphengine.spec import Fault


class Signature(NamedTuple):
    """What a function can be called with: its parameters, those without a default, or anything."""

    names: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    anything: bool = False


def signature_of(function: Callable[..., Any] | None) -> Signature:
    """The signature of a bound function; an empty one where there is none to be found."""
    if function is None:
        return Signature()
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return Signature(
        tuple(p.name for p in named),
        frozenset(p.name for p in named if p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
    )


def waited(result: Any) -> Any:
    """The result of a function that may be a coroutine."""
    if not inspect.isawaitable(result):
        return result
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_await(result))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(_outcome(result)))
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def refusals(results: Iterable[Any], names: Collection[str]) -> list[Fault]:
    """What ``VALIDATE_INPUTS`` found wrong: once for each input that it names."""
    faults: list[Fault] = []
    for result in results:
        if result is True or result is None:
            continue
        said = result if isinstance(result, str) else ""
        faults += [Fault("hosted_refused", name, {"said": said}) for name in names]
    return faults


def raised(error: BaseException) -> Fault:
    """What to say of a node whose own code fails before a run."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return Fault(
        "hosted_raised",
        None,
        {"cause": str(error), "type": name, "traceback": traceback.format_tb(error.__traceback__)},
    )


def arguments_for(
    signature: Signature, values: Mapping[str, Any], linked: Collection[str]
) -> dict[str, Any]:
    """What a check gets: literals that it names; None for what is linked."""
    given = {**dict.fromkeys(linked), **values}
    if signature.anything:
        return given
    return {name: value for name, value in given.items() if name in signature.names}


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _outcome(awaitable: Any) -> Any:
    try:
        return asyncio.run(_await(awaitable))
    except BaseException as error:  # raised again where it was waited for
        return error

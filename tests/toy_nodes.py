"""Small nodes for engine tests: numbers, texts, lists, lazy branches, growth; no torch."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Annotated, Any, NamedTuple

from graphengine.api import (
    Artifacts,
    Block,
    Context,
    Expand,
    InputError,
    Int,
    Items,
    Lazy,
    Text,
    node,
)
from graphengine.workflow import Link


@node("Number")
def number(value: int) -> int:
    """A number."""
    return value


@node("Add")
def add(a: int, b: int = 1) -> int:
    """The sum of two numbers."""
    return a + b


@node("Clock", cache="never")
def clock() -> int:
    """Something different each time."""
    return time.perf_counter_ns()


@node("Show")
def show(value: Any) -> Artifacts:
    """Shows a value as text."""
    return Artifacts(texts=(str(value),))


@node("Split")
def split(text: Annotated[str, Text()]) -> Items[str]:
    """The words of a text, one by one."""
    return Items(text.split())


@node("Numbers")
def numbers(count: int) -> Items[int]:
    """0, 1, 2, …, one by one."""
    return Items(range(count))


@node("Join")
def join(words: Items[str]) -> str:
    """All words in one text."""
    return " ".join(words)


@node("Sum")
def total(values: list[int]) -> int:
    """The sum of several links."""
    return sum(values)


class Both(NamedTuple):
    """Two outputs and something to show."""

    quotient: int
    rest: int
    shown: Artifacts


@node("Divide")
def divide(a: int, b: Annotated[int, Int(ge=1)]) -> Both:
    """Quotient and rest."""
    return Both(a // b, a % b, Artifacts(texts=(f"{a}/{b}",)))


@node("Choose")
def choose(first: bool, yes: Lazy[int], no: Lazy[int]) -> int:
    """One of two numbers; the other is not computed."""
    return yes() if first else no()


@node("Maybe")
def maybe(value: int, open: bool, reason: str = "") -> int | Block:
    """Lets a value pass, or blocks what is behind."""
    return value if open else Block(reason or None)


@node("OnlyEven")
def only_even(value: int) -> int | Block:
    """Blocks odd numbers."""
    return value if value % 2 == 0 else Block("odd")


@node("CountDown")
def count_down(value: int, total: int = 0) -> int | Expand:
    """Adds up value + (value - 1) + … by growing once for each."""
    if value == 0:
        return total
    return Expand(
        {
            "sum": {"class_type": "Add", "inputs": {"a": total, "b": value}},
            "next": {
                "class_type": "CountDown",
                "inputs": {"value": value - 1, "total": ["sum", 0]},
            },
        },
        (Link("next", 0),),
    )


@node("GrowWrong")
def grow_wrong(kind: str) -> int | Expand:
    """Grows into pieces that are wrong in one of several ways."""
    pieces: dict[str, dict[str, Any]] = {
        "unknown": {"x": {"class_type": "NoSuchNode", "inputs": {}}},
        "dangling": {"x": {"class_type": "Add", "inputs": {"a": ["nowhere", 0]}}},
        "cycle": {
            "x": {"class_type": "Add", "inputs": {"a": ["y", 0]}},
            "y": {"class_type": "Add", "inputs": {"a": ["x", 0]}},
        },
        "itself": {"x": {"class_type": "Add", "inputs": {"a": ["grow", 0]}}},
    }
    return Expand(pieces[kind], (Link("x", 0),))


@node("GrowShow")
def grow_show(text: str) -> Expand | int:
    """Grows into a node that shows something."""
    return Expand(
        {
            "n": {"class_type": "Number", "inputs": {"value": 5}},
            "s": {"class_type": "Show", "inputs": {"value": text}},
        },
        (Link("n", 0),),
    )


@node("Wait")
async def wait(value: int, seconds: float = 0.05) -> int:
    """The value, a little later."""
    await asyncio.sleep(seconds)
    return value


@node("Sleep", concurrent=True)
def sleep(value: int, seconds: float = 0.05) -> int:
    """The value, a little later, in a thread that only waits."""
    time.sleep(seconds)
    return value


@node("Fail")
def fail(value: int) -> int:
    """Fails."""
    raise InputError("bad_shape", socket="INT", expected="something else", got=str(value))


@node("Crash")
def crash(value: int, how: str = "error") -> int:
    """Fails in a way that nobody foresaw."""
    if how == "exit":
        raise SystemExit(3)
    return 1 // (value - value)


@node("WrongType")
def wrong_type() -> int:
    """Returns something else than it says."""
    return "text"  # type: ignore[return-value]


@node("Steps")
def steps(count: int, context: Context) -> int:
    """Reports its progress."""
    for index in range(count):
        context.progress(index + 1, count)
    return count


class Calls:
    """Counts how often a node's body was called; one for each test."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + 1


def counted(calls: Calls) -> Any:
    """A node that counts its calls by name: ``Counted(name, value) -> value``."""

    @node("Counted")
    def count(name: str, value: int) -> int:
        """The value; says that it was called."""
        calls(name)
        return value

    return count


ALL = tuple(
    value for value in list(globals().values()) if getattr(value, "__node__", None) is not None
)

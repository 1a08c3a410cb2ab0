"""What a node's body may return or receive beside plain socket values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Items(tuple[T, ...]):
    """Several values on one link, for which the nodes behind it run one by one.

    As an annotation: an output ``Items[Image]`` hands its items on one by one; an input
    ``Items[Image]`` gets them all in one call.
    """

    __slots__ = ()


@dataclass(frozen=True)
class Block:
    """Returned instead of a value: nothing behind it runs. ``reason`` is shown; None is quiet."""

    reason: str | None = None


@dataclass(frozen=True)
class Expand:
    """Returned instead of values: a piece of graph that runs in the node's place.

    ``nodes``: id → ``{"class_type": …, "inputs": {…}}`` in the API format; ids are unique within
    the piece, inputs may be any value, links may also name nodes of the surrounding graph.
    ``outputs``: the node's outputs, each a value or a link ``[id, slot]`` into the piece.
    """

    nodes: Mapping[str, Mapping[str, Any]]
    outputs: tuple[Any, ...] = ()


class Lazy(Generic[T]):
    """An input that is evaluated only when the body calls it.

    The body is started anew once the value is there, so everything before the call runs twice.
    """

    def __init__(self, name: str, get: Callable[[str], T]) -> None:
        self._name = name
        self._get = get

    def __call__(self) -> T:
        return self._get(self._name)


class NeedsInputs(BaseException):
    """Raised by an unevaluated `Lazy`; the executor evaluates the names and calls again.

    A BaseException, so that a node's ``except Exception`` lets it pass.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(*names)

"""What a node's body may return or receive beside plain socket values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graphengine.events import Artifacts

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
    ``outputs``: the node's outputs, each a value or a `Link` into the piece.
    ``unique_ids``: the ids are new in the whole graph already; otherwise the engine makes them so.
    """

    nodes: Mapping[str, Mapping[str, Any]]
    outputs: tuple[Any, ...] = ()
    unique_ids: bool = False


class _Unevaluated:
    pass


_UNEVALUATED = _Unevaluated()


class Lazy(Generic[T]):
    """An input that is evaluated only when the body calls it.

    The body is started anew once the value is there, so everything before the call runs twice.
    """

    def __init__(self, name: str, value: T | _Unevaluated = _UNEVALUATED) -> None:
        self._name = name
        self._value = value

    @property
    def evaluated(self) -> bool:
        """Whether calling it gives the value at once."""
        return not isinstance(self._value, _Unevaluated)

    def __call__(self) -> T:
        if isinstance(self._value, _Unevaluated):
            raise NeedsInputs((self._name,))
        return self._value


class NeedsInputs(BaseException):
    """Raised by an unevaluated `Lazy`; the executor evaluates the names and calls again.

    A BaseException, so that a node's ``except Exception`` lets it pass.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(*names)


@dataclass(frozen=True)
class Outputs:
    """What an adapter's function returns: all outputs in order, and what it shows.

    ``expand`` is set instead of values when the node grows into a piece of graph.
    """

    values: tuple[Any, ...] = ()
    artifacts: Artifacts | None = None
    expand: Expand | None = None

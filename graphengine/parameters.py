"""Widgets: what a person can set on a node, with its range, default and explanation.

A widget stands in a node's signature: ``steps: Annotated[int, Int(ge=1, le=10000)] = 20``.
pydantic checks the values that come from outside; what is wrong comes back as a `WrongValue`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from graphengine.folders import Folders

SEED_MAX = 2**64 - 1
DRAW_SEED = -1


class WrongValue(Exception):
    """A value that a widget cannot take: a problem code, what was expected, and details."""

    def __init__(self, code: str, expected: str, **details: Any) -> None:
        self.code = code
        self.expected = expected
        self.details = details
        super().__init__(code)


@dataclass(frozen=True, kw_only=True)
class Widget:
    """What all widgets have: an explanation, and whether only experts need it.

    ``optional``: ComfyUI's clients show the input among those that may be left out.
    """

    type: ClassVar[str] = ""
    default: ClassVar[Any] = None

    help: str = ""
    advanced: bool = False
    optional: bool = False

    @property
    def shown(self) -> Widget:
        """The widget that an editor shows."""
        return self

    def check(self, value: Any, folders: Folders) -> Any:
        """The value as the node gets it; raises `WrongValue`."""
        raise NotImplementedError

    def fingerprint(self, value: Any, folders: Folders) -> str:  # noqa: ARG002
        """What else than the value decides the result (a file's size and time); usually ''."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Int(Widget):
    """A whole number between ``ge`` and ``le``."""

    type: ClassVar[str] = "INT"
    default: ClassVar[Any] = 0

    ge: int | None = None
    le: int | None = None
    step: int = 1
    slider: bool = False

    def check(self, value: Any, folders: Folders) -> Any:  # noqa: ARG002
        if type(value) is int and self._inside(value):
            return value
        return _validated(self._adapter, value, self._expected)

    def _inside(self, value: int) -> bool:
        return (self.ge is None or value >= self.ge) and (self.le is None or value <= self.le)

    @cached_property
    def _adapter(self) -> TypeAdapter[int]:
        return TypeAdapter(Annotated[int, Field(ge=self.ge, le=self.le)])

    @cached_property
    def _expected(self) -> str:
        return f"INT {_range(self.ge, self.le)}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Seed(Int):
    """A seed, 0 … 2^64 - 1. -1 draws one for each run; what was drawn is recorded."""

    ge: int | None = DRAW_SEED
    le: int | None = SEED_MAX


@dataclass(frozen=True, kw_only=True)
class Float(Widget):
    """A finite number between ``ge`` and ``le``; ``round`` is the grid that an editor keeps to."""

    type: ClassVar[str] = "FLOAT"
    default: ClassVar[Any] = 0.0

    ge: float | None = None
    le: float | None = None
    step: float = 0.01
    round: float | None = None
    slider: bool = False

    def check(self, value: Any, folders: Folders) -> Any:  # noqa: ARG002
        return _validated(self._adapter, value, self._expected)

    @cached_property
    def _adapter(self) -> TypeAdapter[float]:
        return TypeAdapter(Annotated[float, Field(ge=self.ge, le=self.le, allow_inf_nan=False)])

    @cached_property
    def _expected(self) -> str:
        return f"FLOAT {_range(self.ge, self.le)}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Bool(Widget):
    """A switch; ``on`` and ``off`` are what its two positions are called."""

    type: ClassVar[str] = "BOOLEAN"
    default: ClassVar[Any] = False

    on: str = ""
    off: str = ""

    def check(self, value: Any, folders: Folders) -> Any:  # noqa: ARG002
        return _validated(_BOOL, value, "BOOLEAN")


@dataclass(frozen=True, kw_only=True)
class Text(Widget):
    """A text of one or more lines."""

    type: ClassVar[str] = "STRING"
    default: ClassVar[Any] = ""

    multiline: bool = False
    placeholder: str = ""

    def check(self, value: Any, folders: Folders) -> Any:  # noqa: ARG002
        return value if type(value) is str else _validated(_TEXT, value, "STRING")


@dataclass(frozen=True, kw_only=True)
class Prompt(Text):
    """A prompt: several lines, weights, ``embedding:name``, ``{a|b}`` choices."""

    multiline: bool = True
    dynamic: bool = True

    def fingerprint(self, value: Any, folders: Folders) -> str:
        """The embedding files that the text names; all of them if the text comes by a link."""
        if not isinstance(value, str):
            names = folders.list("embeddings")
        else:
            names = tuple(dict.fromkeys(_embedding_names(value)))
        return ",".join(folders.fingerprint("embeddings", name) for name in names)


@dataclass(frozen=True, kw_only=True)
class Choice(Widget):
    """One of ``options``, or of what a function finds in the folders when it is asked."""

    type: ClassVar[str] = "COMBO"

    options: tuple[Any, ...] = ()
    find: Callable[[Folders], Sequence[Any]] | None = field(default=None, compare=False)

    def choices(self, folders: Folders) -> Sequence[Any]:
        """What can be chosen now."""
        return self.options if self.find is None else self.find(folders)

    def check(self, value: Any, folders: Folders) -> Any:
        choices = self.choices(folders)
        if value in choices:
            return value
        raise WrongValue("not_in_list", _listed(choices), choices=tuple(choices))


@dataclass(frozen=True, kw_only=True)
class ModelFile(Choice):
    """A file of a model folder ("checkpoints", "vae", "loras", …); ``extra`` are further names."""

    kind: str = ""
    extra: tuple[str, ...] = ()

    def choices(self, folders: Folders) -> Sequence[Any]:
        return (*folders.list(self.kind), *self.extra)

    def check(self, value: Any, folders: Folders) -> Any:
        found = self.choices(folders)
        if value in found:
            return value
        if isinstance(value, str) and value.replace("\\", "/") in found:
            return value.replace("\\", "/")
        raise WrongValue("missing_file", _listed(found), choices=tuple(found), kind=self.kind)

    def fingerprint(self, value: Any, folders: Folders) -> str:
        return folders.fingerprint(self.kind, value) if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class ImageFile(ModelFile):
    """A picture in the input folder; the name may end in `` [output]`` or `` [temp]``."""

    kind: str = "input"
    upload: bool = True

    def check(self, value: Any, folders: Folders) -> Any:
        if isinstance(value, str) and folders.find(self.kind, value) is not None:
            return value
        return super().check(value, folders)


@dataclass(frozen=True)
class Help:
    """An explanation for an input that is only a socket: ``Annotated[Vae, Help("…")]``."""

    help: str


_BOOL: TypeAdapter[bool] = TypeAdapter(bool)
_TEXT: TypeAdapter[str] = TypeAdapter(str, config=ConfigDict(coerce_numbers_to_str=True))
_CODES = {
    "greater_than_equal": "below_minimum",
    "less_than_equal": "above_maximum",
    "finite_number": "not_finite",
}


def _embedding_names(prompt: str) -> Iterator[str]:
    """What the prompt may name: each word as written, and without commas and weight."""
    for word in re.findall(r"embedding:(\S+)", prompt):
        yield word
        yield re.split(r"[,:()\\]", word.strip(","))[0]


def _validated(adapter: TypeAdapter[Any], value: Any, expected: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        code = _CODES.get(error.errors()[0]["type"], "wrong_value_type")
        raise WrongValue(code, expected) from error


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low} … {high}"
    if low is not None:
        return f"≥ {low}"
    return "" if high is None else f"≤ {high}"


def _listed(choices: Sequence[Any], limit: int = 20) -> str:
    shown = ", ".join(str(choice) for choice in choices[:limit])
    return f"{shown}, … ({len(choices)})" if len(choices) > limit else shown or "–"

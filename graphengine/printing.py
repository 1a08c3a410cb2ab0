"""What bodies print: to standard error, and not without end.

`route_prints` puts a stream in front of standard output once for the process; what is printed while
a `Printed` is in force, in that thread or task, goes there instead.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TextIO

MOST_SHOWN_CHARACTERS = 64 * 1024
"""So much of what one run of a node prints is shown."""


class Printed:
    """What one run of a node prints, while it is entered; ``characters`` counts all of it."""

    __slots__ = ("_before", "characters")

    def __init__(self) -> None:
        self.characters = 0

    def __enter__(self) -> Printed:
        self._before = _printed.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _printed.reset(self._before)

    @property
    def cut_off(self) -> bool:
        """Whether it was more than is shown."""
        return self.characters > MOST_SHOWN_CHARACTERS

    def write(self, text: str) -> None:
        """Show it as long as it is not too much."""
        left = MOST_SHOWN_CHARACTERS - self.characters
        self.characters += len(text)
        if left > 0:
            sys.stderr.write(text[:left])


_printed: ContextVar[Printed | None] = ContextVar("printed", default=None)


class Router(io.TextIOBase):
    """Standard output, except for what is printed while a `Printed` is in force."""

    def __init__(self, usual: TextIO) -> None:
        self._usual = usual

    def write(self, text: str) -> int:
        printed = _printed.get()
        if printed is None:
            return self._usual.write(text)
        printed.write(text)
        return len(text)

    def flush(self) -> None:
        self._usual.flush()

    def isatty(self) -> bool:
        return self._usual.isatty()

    def fileno(self) -> int:
        return self._usual.fileno()

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The bytes below, for what writes those."""
        return self._usual.buffer  # type: ignore[return-value]  # of whatever it stands for

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read only, as the stream's own is
        return self._usual.encoding


def route_prints() -> None:
    """Put the router before standard output; called once, by who owns the process."""
    if not isinstance(sys.stdout, Router):
        sys.stdout = Router(sys.stdout)


@contextlib.contextmanager
def prints_aside() -> Iterator[None]:
    """What is printed meanwhile, as by plugins that are imported, goes to standard error."""
    with Printed(), contextlib.redirect_stdout(Router(sys.stdout)):
        yield


def past_router(write: Callable[[str], None]) -> Callable[[str], None]:
    """The same for what the program itself says, also while a body is running."""

    def written(text: str) -> None:
        before = _printed.set(None)
        try:
            write(text)
        finally:
            _printed.reset(before)

    return written


def note_printed(text: str, characters: int) -> None:
    """Count and show what a body printed elsewhere: in a process of its own."""
    printed = _printed.get()
    if printed is not None and characters:
        printed.write(text)
        printed.characters += characters - len(text)

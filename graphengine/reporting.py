"""How commands speak: language, JSON or text, the exit code of each error.

Only this and the modules of commands, ``cli*.py``, print.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from graphengine.errors import (
    LANGUAGES,
    GraphEngineError,
    NodeFailed,
    Problem,
    ProblemsFound,
    render,
    said,
)
from graphengine.shown import printable

if TYPE_CHECKING:
    from graphengine.registry import Registry
    from graphengine.settings import Settings

OK = 0
PROBLEMS = 1
FAILED = 3
DEFECT = 4
STOPPED = 130

EPILOG = (
    "Exit codes: 0 all went well; 1 the workflow has problems or cannot be read; 2 wrong usage; "
    "3 the run failed; 4 a defect of graphengine; 130 stopped with Ctrl-C."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_YES = ("y", "yes", "はい")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
LANGUAGE_HELP = "Language of messages.  [default: from LC_ALL or LANG]"
Language = Annotated[
    Literal["en", "ja"] | None,
    typer.Option("--language", help=LANGUAGE_HELP, show_default=False),
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]


@dataclass(frozen=True)
class Output:
    """How to speak: in which language, as JSON or as text, with tracebacks or without."""

    language: str
    as_json: bool
    debug: bool

    def text(self, code: str, **values: Any) -> str:
        """One of the command line's own texts."""
        return render(code, values, self.language)[0]

    def asks(self, code: str, **values: Any) -> bool:
        """Whether the person at the terminal says yes; whatever else they say means no."""
        typer.echo(f"{self.text(code, **values)} [y/N]: ", nl=False, err=True)
        return sys.stdin.readline().strip().lower() in _YES


def prepare_streams() -> None:
    """Let nothing that is printed fail by itself: on a closed stream it goes nowhere, and what the
    terminal's encoding lacks is escaped, as in JSON.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before we began
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def reporting(language: str | None, as_json: bool, debug: bool) -> Iterator[Output]:
    """Gives how to speak; every error inside becomes its message and its exit code."""
    out = Output(language or _language_of(os.environ.get), as_json, debug)
    try:
        yield out
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        raise typer.Exit(STOPPED) from None
    except BrokenPipeError:
        # The reader of our output (a pager, head) has gone; nothing more can be said there.
        _print_no_more()
        raise typer.Exit(OK) from None
    except GraphEngineError as error:
        report(error, out)
        raise typer.Exit(PROBLEMS) from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
            _print_no_more()  # files have names: it is our output that could not be written
            report(GraphEngineError("cli_no_room", cause=error), replace(out, as_json=False), error)
            raise typer.Exit(FAILED) from error
        report(GraphEngineError("cli_defect", cause=said(error)), out, error)
        raise typer.Exit(DEFECT) from error


def language_of(arguments: Sequence[str]) -> str:
    """The language that the whole command line asks for, before any of it is understood."""
    said = ""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        name, equals, value = argument.partition("=")
        if name == "--language":
            said = value if equals else following
    return said if said in LANGUAGES else _language_of(os.environ.get)


def open_registry(settings: Settings, out: Output) -> Registry:
    """The nodes and plugins of an installation; says what could not be loaded."""
    from graphengine.registry import load_registry

    registry = load_registry(settings.plugin_folders())
    print_failures(registry, out)
    return registry


def print_json(document: Any) -> None:
    """Print a document for programs."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_json_line(document: Any) -> None:
    """Print one of several documents for programs."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def print_problems(problems: Iterable[Problem], out: Output, *, err: bool = True) -> None:
    """Say problems and how to mend them; nothing where JSON is asked for."""
    if out.as_json:
        return
    for problem in problems:
        text = problem.message(out.language)
        _say(out.text(f"cli_{problem.severity}", text=text), err)
        if hint := problem.hint(out.language):
            _say(f"    {hint}", err)


def print_failures(registry: Registry, out: Output) -> None:
    """Say what could not be loaded, and which plugins wait for being enabled."""
    if out.as_json:
        return
    for failure in registry.failures:
        text = failure.problem.message(out.language)
        _say(out.text("cli_warning", text=text))
    notices = [plugin.notice for plugin in registry.plugins]
    print_problems([notice for notice in notices if notice is not None], out)


def report(error: GraphEngineError, out: Output, cause: BaseException | None = None) -> None:
    """Say an error, with the node's inputs where one failed."""
    failed = error if isinstance(error, NodeFailed) else None
    if out.as_json:
        print_json_line({"event": "error", "error": error.as_dict()})
    elif isinstance(error, ProblemsFound):
        print_problems(error.problems, out)
    else:
        _say(out.text("cli_error", text=error.text(out.language)))
        for name, value in failed.inputs.items() if failed else ():
            _say(f"    {name}: {value}")
    if out.debug:
        traceback.print_exception(cause or (failed.cause if failed else error))


def _say(text: str, err: bool = True) -> None:
    typer.echo(printable(text), err=err)


def _print_no_more() -> None:
    """Send the rest of standard output, also what still waits to be written, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _language_of(variable: Any) -> str:
    """The first of the variables that decides, as POSIX has it; English unless it is Japanese."""
    locale = variable("LC_ALL") or variable("LC_MESSAGES") or variable("LANG") or ""
    return "ja" if locale.startswith("ja") else "en"

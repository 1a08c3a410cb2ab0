"""Help and wrong usage in Japanese: the texts of ``cli_help.ja.toml``, and how they are set.

Typer's formatter counts characters and breaks lines at spaces, which Japanese has not, and its own
words stand inside its methods. So the page is set here, and its words are found by what they are in
English; one that is not in the table, say after an update of typer, stays English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import typer

from graphengine.columns import columns, wrapped

if TYPE_CHECKING:
    from typer._click.formatting import HelpFormatter
    from typer.exceptions import TyperException
else:
    # Which click it is of, typer's or one beside it, is typer's own matter.
    HelpFormatter = typer.Context.formatter_class

_FILE = "cli_help.ja.toml"
_NARROWEST = 10
_END_OF_SENTENCE = re.compile(r"(?<=。)")
_PLACE = re.compile(r"\\{(\w+)\\}")


class Page(HelpFormatter):
    """A page of help, or its first line, whose wide characters take two columns."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        start = f"{prefix or _page('usage')}{prog}"
        self._write_beside(start, args, columns(start) + 1)

    def write_heading(self, heading: str) -> None:
        super().write_heading(_japanese(heading))

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        for line in wrapped(text, self.width - self.current_indent):
            self.write(f"{indent}{line}".rstrip() + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        indent = " " * self.current_indent
        widest = min(max(columns(first) for first, _ in rows), col_max)
        left = self.current_indent + widest + col_spacing
        for first, second in rows:
            self._write_beside(f"{indent}{first}", _japanese(second), left)

    def _write_beside(self, first: str, text: str, left: int) -> None:
        """What is on the left, and the lines of a text from a column on."""
        lines = wrapped(text, max(self.width - left, _NARROWEST))
        if columns(first) >= left:
            lines.insert(0, "")
        self.write(f"{first}{' ' * (left - columns(first))}{''.join(lines[:1])}".rstrip() + "\n")
        for line in lines[1:]:
            self.write(f"{' ' * left}{line}\n")


def put_texts(command: Any, path: str = "") -> None:
    """Put the Japanese texts into a command (click's Command) and those below it."""
    texts = _texts()
    own = texts["commands"].get(path or "graphengine", {})
    text = own.get("text", "").strip()
    command.help, command.short_help = text, _END_OF_SENTENCE.split(text)[0]
    command.epilog = _page("exit_codes")
    command.options_metavar = _page("options")
    options = {**texts["shared"], **own.get("options", {})}
    for parameter in command.params:
        parameter.help = options.get(parameter.name, parameter.help)
    below = getattr(command, "commands", {})
    if below:
        command.subcommand_metavar = _page("command")
    for name, each in below.items():
        put_texts(each, f"{path} {name}".strip())


def wrong_usage(error: TyperException) -> str:
    """What is wrong with the arguments, or the help where there are none."""
    message = error.format_message()
    if message.startswith(_page("usage")):  # so does no error: the group was called alone
        return message
    said = _page("error").format(text=_japanese(message))
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is None:
        return said
    hint = _page("try").format(command=context.command_path)
    return f"{context.get_usage()}\n{hint}\n\n{said}"


def _page(name: str) -> str:
    return str(_texts()["page"][name])


def _japanese(text: str) -> str:
    """What typer says, in Japanese; what it is about stays as it is."""
    for pattern, template in _phrases():
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            if "why" in found:
                found["why"] = _japanese(found["why"])
            return template.format_map(found)
    return text


@cache
def _phrases() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Typer's sentences as patterns, whose places are groups; each with ours."""
    phrases: Mapping[str, str] = _texts()["phrases"]
    return tuple(
        (re.compile(_PLACE.sub(r"(?P<\1>.*?)", re.escape(english)), re.DOTALL), japanese)
        for english, japanese in phrases.items()
    )


@cache
def _texts() -> dict[str, Any]:
    content = (resources.files("graphengine") / _FILE).read_text(encoding="utf-8")
    return tomllib.loads(content)

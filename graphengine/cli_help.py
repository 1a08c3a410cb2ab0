"""The command line in the person's language: its help, and what it says about wrong usage.

English stands in the commands themselves, and typer speaks it. Japanese comes from
``cli_japanese.py``, which is loaded once there is something to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from graphengine.reporting import LANGUAGE_HELP, language_of

if TYPE_CHECKING:
    from graphengine.cli_japanese import Page


class Commands(TyperGroup):
    """All commands. ``--language``, wherever it stands, and the environment decide how it speaks.

    Typer's own words have no translations that could be given to it; so its pages are set by a
    formatter of ours, and its errors come here instead of being shown by it.
    """

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """As typer's; what is wrong with the arguments ends with 2 in each language."""
        arguments = list(sys.argv[1:] if args is None else args)
        if language_of(arguments) != "ja":
            return super().main(arguments, *more, **options)
        for command in _commands(self):
            command.context_class = _Japanese
        try:
            sys.exit(super().main(arguments, *more, **{**options, "standalone_mode": False}))
        except TyperException as error:
            from graphengine.cli_japanese import wrong_usage

            typer.echo(wrong_usage(error), err=True)
            sys.exit(error.exit_code)


class _Japanese(typer.Context):
    def make_formatter(self) -> Page:
        from graphengine.cli_japanese import Page, put_texts

        put_texts(self.find_root().command)
        return Page(width=self.terminal_width, max_width=self.max_content_width)


def _commands(command: Any) -> Iterator[Any]:
    """A command and those below it. It is click's Command, which typer carries privately."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _commands(below)


def _give_below(ctx: typer.Context, language: str | None) -> str | None:
    if language:
        ctx.default_map = _defaults(ctx.command, language)
    return language


def _defaults(command: Any, language: str) -> dict[str, Any]:
    below = getattr(command, "commands", {}).items()
    return {"language": language, **{name: _defaults(each, language) for name, each in below}}


LanguageBelow = Annotated[
    Literal["en", "ja"] | None,
    typer.Option("--language", help=LANGUAGE_HELP, show_default=False, callback=_give_below),
]
"""``--language`` of a group: that of each command below that has none of its own."""

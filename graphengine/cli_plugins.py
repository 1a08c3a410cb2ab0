"""The commands about plugins: ``new-plugin``, ``check`` and ``plugin …``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphengine.cli_help import LanguageBelow
from graphengine.errors import NONE, GraphEngineError
from graphengine.nearest import nearest
from graphengine.reporting import (
    EPILOG,
    OK,
    PROBLEMS,
    AsJson,
    Debug,
    Language,
    Output,
    print_json,
    print_problems,
    reporting,
)

if TYPE_CHECKING:
    from graphengine.plugins.plugin import Plugin
    from graphengine.plugins.source import PluginFolders

plugin_app = typer.Typer(epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The plugin, as `plugin list` names it.")]


def add_commands(app: typer.Typer) -> None:
    """Put the commands about plugins beside the others."""
    app.command("new-plugin", epilog=EPILOG)(new_plugin)
    app.command(epilog=EPILOG)(check)
    app.add_typer(plugin_app, name="plugin")


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as my-nodes.")],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the folder NAME is made.  [default: .]")
    ] = Path(),
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Make a new plugin: a small example that works, with texts, tests and a workflow."""
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.plugin_tools.creating import create_plugin

        for file in create_plugin(name, output):
            typer.echo(file)
        typer.echo(out.text("cli_plugin_made", path=output / name), err=True)


def check(
    plugin: Annotated[Path, typer.Argument(metavar="PLUGIN", help="A file or folder.")],
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Whether nodes are called with small values.")
    ] = True,
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Check a plugin: types, texts, defaults, and whether its nodes keep the rules."""
    with reporting(language, as_json, debug) as out:
        from graphengine.plugin_tools.checking import check_plugin

        checked = check_plugin(plugin, run=run)
        if as_json:
            print_json(checked.as_dict())
        else:
            print_problems(checked.problems, out, err=False)
            for node_id, ran in checked.ran.items():
                typer.echo(out.text(_RAN[ran], node=node_id))
            code = "cli_plugin_bad" if checked.errors else "cli_plugin_good"
            warnings = len(checked.problems) - checked.errors
            typer.echo(
                out.text(code, name=checked.plugin.name, errors=checked.errors, warnings=warnings)
            )
        raise typer.Exit(PROBLEMS if checked.errors else OK)


_RAN = {"twice": "cli_ran_twice", "once": "cli_ran_once", "not": "cli_ran_not"}


@plugin_app.callback()
def plugin(language: LanguageBelow = None) -> None:
    """List, enable, add and remove plugins."""


@plugin_app.command("list", epilog=EPILOG)
def list_plugins(as_json: AsJson = False, language: Language = None, debug: Debug = False) -> None:
    """List all plugins: state, version, nodes, and what could not be loaded."""
    with reporting(language, as_json, debug) as out:
        from graphengine.plugins.loading import load_plugins

        plugins = list(load_plugins(_folders()))
        if as_json:
            print_json({"plugins": [plugin.as_dict() for plugin in plugins]})
            return
        for plugin in plugins:
            _print_plugin(plugin, out)
        if not plugins:
            typer.echo(out.text("cli_no_plugins"))


@plugin_app.command(epilog=EPILOG)
def add(
    plugin: Annotated[
        str, typer.Argument(metavar="PLUGIN", help="A file, a folder, or a Python package.")
    ],
    enabled: Annotated[
        bool, typer.Option("--enable", help="Enable it too: you know what it does.")
    ] = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Put a plugin into place; nothing happens if its dependencies do not fit what is installed."""
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.plugin_tools.installing import add_plugin
        from graphengine.plugins.decisions import change_decisions

        name = add_plugin(plugin, _folders())
        added = _plugin(name)
        if enabled:
            change_decisions(_folders(), lambda known: known.enable(name, added.digest))
        _print_plugin(_plugin(name), out)


@plugin_app.command(epilog=EPILOG)
def remove(name: Name, language: Language = None, debug: Debug = False) -> None:
    """Delete a plugin from the plugins folder, or uninstall its package."""
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.plugin_tools.installing import remove_plugin

        remove_plugin(_plugin(name), _folders())
        typer.echo(out.text("cli_plugin_removed", name=name))


@plugin_app.command(epilog=EPILOG)
def enable(name: Name, language: Language = None, debug: Debug = False) -> None:
    """Let a plugin run as it is now; after a change it has to be enabled again."""
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.plugins.decisions import change_decisions

        plugin = _plugin(name)
        change_decisions(_folders(), lambda known: known.enable(name, plugin.digest))
        typer.echo(out.text("cli_plugin_enabled", name=name))
        _print_wishes(plugin, out)


@plugin_app.command(epilog=EPILOG)
def disable(name: Name, language: Language = None, debug: Debug = False) -> None:
    """Switch a plugin off, also in a folder that is trusted."""
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.plugins.decisions import change_decisions

        _plugin(name)
        change_decisions(_folders(), lambda known: known.disable(name))
        typer.echo(out.text("cli_plugin_disabled", name=name))


def _folders() -> PluginFolders:
    from graphengine.setting_sources import load_settings

    return load_settings().plugin_folders()


def _plugin(name: str) -> Plugin:
    """The plugin of a name, none of which is run; raises GraphEngineError."""
    from graphengine.plugins.loading import described_plugins

    plugins = {plugin.name: plugin for plugin in described_plugins(_folders())}
    if name not in plugins:
        there = ", ".join(nearest(name, plugins)) or NONE
        raise GraphEngineError("plugin_unknown", name=name, nearest=there)
    return plugins[name]


def _print_plugin(plugin: Plugin, out: Output) -> None:
    version = f" {plugin.manifest.version}" if plugin.manifest.version else ""
    state = out.text(_STATES[plugin.state])
    typer.echo(f"{plugin.name}{version}: {state}, {plugin.path}")
    _print_wishes(plugin, out)
    if plugin.specs:
        typer.echo("    " + ", ".join(spec.id for spec in plugin.specs))
    problems = [failure.problem for failure in plugin.failures]
    print_problems([*problems, *([plugin.notice] if plugin.notice else [])], out, err=False)


def _print_wishes(plugin: Plugin, out: Output) -> None:
    """What its nodes do beside computing, by its own account."""
    if plugin.manifest.capabilities:
        asks = ", ".join(plugin.manifest.capabilities)
        typer.echo("    " + out.text("cli_plugin_asks", capabilities=asks))


_STATES = {
    "enabled": "cli_state_enabled",
    "new": "cli_state_new",
    "changed": "cli_state_changed",
    "disabled": "cli_state_disabled",
}

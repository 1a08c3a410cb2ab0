"""The command line: ``graphengine run``, ``serve``, ``convert``, …

What is heavy is imported inside the commands, so that checking a workflow takes half a second.
"""

from __future__ import annotations

import atexit
import dataclasses
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from graphengine import __version__
from graphengine.cli_help import Commands, LanguageBelow
from graphengine.cli_plugins import add_commands
from graphengine.collecting import collector_paused
from graphengine.errors import GraphEngineError, Problem, ProblemsFound
from graphengine.printing import past_router, route_prints
from graphengine.reporting import (
    EPILOG,
    FAILED,
    OK,
    PROBLEMS,
    STOPPED,
    AsJson,
    Debug,
    Language,
    Output,
    open_registry,
    prepare_streams,
    print_failures,
    print_json,
    print_json_line,
    print_problems,
    report,
    reporting,
)

if TYPE_CHECKING:
    from graphengine.context import CancelFlag
    from graphengine.engine import Engine, RunResult
    from graphengine.events import Event
    from graphengine.folders import Folders
    from graphengine.graph import Graph
    from graphengine.opening import Opened
    from graphengine.plot.plot import Plot, PlotProgress, PlotResult
    from graphengine.registry import Registry
    from graphengine.settings import Settings
    from graphengine.workflow import Workflow

app = typer.Typer(
    cls=Commands,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

WorkflowFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A workflow: JSON of any kind, or a picture that carries one; - reads stdin.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR", help="A folder whose plugins all run.  [default: plugins, as enabled]"
    ),
]


@app.command(epilog=EPILOG)
def run(
    file: WorkflowFile,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NODE.INPUT=VALUE",
            help="Change an input; NODE is an id or a title. VALUE is JSON, or else a text. "
            "May be given several times.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where pictures go.  [default: output]")
    ] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Run a workflow and print where its pictures are.

    With --json: one JSON object a line, each event as it happens, the last one with
    "event": "result". Ctrl-C stops within a sampling step; a second Ctrl-C ends at once.
    """
    with reporting(language, as_json, debug) as out:
        from graphengine.setting_sources import load_settings

        settings = load_settings(output_directory=output, plugin_directories=plugins or None)
        raise typer.Exit(_run(settings, file, changes or [], out))


class ServeCommand(TyperCommand):
    """``serve``, which understands the flags of ComfyUI's ``main.py`` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments in our words; what changes nothing is said by the command.

        ``ctx`` is click's Context, or that of the click inside newer versions of typer.
        """
        from graphengine.comfy.flags import translate

        translated = translate(args)
        ctx.meta[_IGNORED] = translated.ignored
        return super().parse_args(ctx, list(translated.arguments))


_IGNORED = "graphengine.ignored_flags"


@app.command(cls=ServeCommand, epilog=EPILOG)
def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            "--listen",
            help="Where to listen; an address that others can reach needs a token.  "
            "[default: 127.0.0.1]",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.  [default: 8188]")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="What clients must show; made where one is needed.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The key.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name the server is called by.")
    ] = None,
    enable_cors_header: Annotated[
        str | None, typer.Option(metavar="ORIGIN", help="A page that may call the server.")
    ] = None,
    base_directory: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Holds the folders below.  [default: the current one]"),
    ] = None,
    input_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures to load.  [default: input]")
    ] = None,
    output_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures that are made.  [default: output]")
    ] = None,
    temp_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Previews.  [default: temp]")
    ] = None,
    user_directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Files of each user.  [default: user]")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Models, by kind.  [default: models]")
    ] = None,
    plugins: Plugins = None,
    extra_model_paths_config: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Names further folders of models.")
    ] = None,
    disable_all_custom_nodes: Annotated[
        bool, typer.Option("--disable-all-custom-nodes", help="Load no custom nodes.")
    ] = False,
    whitelist_custom_nodes: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The only custom nodes to load.")
    ] = None,
    preview_method: Annotated[
        str | None, typer.Option(help="none, auto, latent2rgb or taesd.  [default: auto]")
    ] = None,
    disable_metadata: Annotated[
        bool, typer.Option("--disable-metadata", help="Let files not tell how they were made.")
    ] = False,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="auto, cpu, cuda, cuda:N or mps; given several times, all of them."
        ),
    ] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="The same as --device cpu.")] = False,
    cuda_device: Annotated[
        int | None, typer.Option(metavar="N", help="The same as --device cuda:N.")
    ] = None,
    cache_ram: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="How much results may occupy in memory, such as 4GiB."),
    ] = None,
    cache_disk: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="How much those of slow nodes may occupy on disk."),
    ] = None,
    cache_lru: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of how many nodes results are kept in memory."),
    ] = None,
    cache_classic: Annotated[
        bool, typer.Option("--cache-classic", help="Keep what the last run used, nothing else.")
    ] = False,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Where jobs are kept.  [default: SQLite]")
    ] = None,
    on_restart: Annotated[
        Literal["requeue", "interrupt"] | None,
        typer.Option(help="What becomes of a job that was running.  [default: requeue]"),
    ] = None,
    max_upload_size: Annotated[
        int | None, typer.Option(metavar="MB", help="The largest request.  [default: 100]")
    ] = None,
    enable_compress_response_body: Annotated[
        bool, typer.Option("--enable-compress-response-body", help="Compress text and JSON.")
    ] = False,
    multi_user: Annotated[
        bool, typer.Option("--multi-user", help="Keep the files of several persons apart.")
    ] = False,
    front_end_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Another editor to serve.")
    ] = None,
    verbose: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="What is logged: debug, info, warning, error."),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"] | None, typer.Option(help="How it is logged.  [default: text]")
    ] = None,
    quick_test_for_ci: Annotated[
        bool, typer.Option("--quick-test-for-ci", help="Start, and end at once.")
    ] = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Answer ComfyUI's clients over HTTP and WebSocket, until Ctrl-C or SIGTERM."""
    with reporting(language, as_json=False, debug=debug) as out:
        with collector_paused():
            from graphengine.server.run import serve as serve_app
            from graphengine.server.settings import ServerSettings
            from graphengine.setting_sources import load_settings_as

        settings = load_settings_as(
            ServerSettings,
            host=host,
            port=port,
            token=token,
            tls_certificate=tls_cert,
            tls_key=tls_key,
            allowed_hosts=allow_host or None,
            cors_origin=enable_cors_header,
            base_directory=base_directory,
            input_directory=input_directory,
            output_directory=output_directory,
            temp_directory=temp_directory,
            user_directory=user_directory,
            models_directory=models,
            plugin_directories=plugins or None,
            extra_model_paths_config=extra_model_paths_config or None,
            allowed_custom_nodes=whitelist_custom_nodes
            or (() if disable_all_custom_nodes else None),
            preview_method=preview_method,
            disable_metadata=disable_metadata or None,
            devices=_devices(device or [], cpu, cuda_device) or None,
            cache_ram_bytes=cache_ram,
            cache_disk_bytes=cache_disk,
            cache_entries=cache_lru,
            cache_classic=cache_classic or None,
            database_url=database,
            on_restart=on_restart,
            max_upload_mb=max_upload_size,
            enable_compress_response_body=enable_compress_response_body or None,
            multi_user=multi_user or None,
            web_directory=front_end_root,
            log_level=verbose,
            log_format=log_format,
        )
        for each in ctx.meta[_IGNORED]:
            text = out.text(f"flag_{each.why}", flag=each.flag)
            typer.echo(out.text("cli_note", text=text), err=True)
        route_prints()
        serve_app(
            settings,
            lambda url: typer.echo(out.text("cli_serving", url=url)),
            only_start=quick_test_for_ci,
        )


@app.command(epilog=EPILOG)
def plot(
    file: WorkflowFile,
    x: Annotated[
        str,
        typer.Option(
            metavar="AXIS",
            help="What changes to the right: NODE.INPUT=VALUES (3,7,12; 5..50:5; *.safetensors) "
            "or NODE.INPUT~search,other,… to replace words of a text.",
        ),
    ],
    y: Annotated[str | None, typer.Option(metavar="AXIS", help="What changes downwards.")] = None,
    z: Annotated[
        str | None, typer.Option(metavar="AXIS", help="What changes from block to block.")
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(metavar="NODE", help="Whose picture cells show.  [default: what is saved]"),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NODE.INPUT=VALUE", help="As for run; in all cells."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The picture, a PNG file.")
    ] = Path("plot.png"),
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Cells as rows, .csv or .json.  [default: beside the picture, if a node measures]",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Many cells are meant.")] = False,
    plugins: Plugins = None,
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Run a workflow at every combination of some inputs' values; lay the pictures out in a grid.

    A cell that fails shows its error. Stopped with Ctrl-C, the same command goes on from there.
    """
    with reporting(language, as_json, debug) as out:
        from graphengine.setting_sources import load_settings

        asked = _PlotAsked(
            [axis for axis in (x, y, z) if axis is not None], picture, output, table, yes
        )
        settings = load_settings(plugin_directories=plugins or None)
        raise typer.Exit(_plot(settings, file, changes or [], asked, out))


@app.command(epilog=EPILOG)
def validate(
    file: WorkflowFile,
    plugins: Plugins = None,
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Check a workflow without running it; say everything that is wrong."""
    with reporting(language, as_json, debug) as out:
        from graphengine.setting_sources import load_settings

        settings = load_settings(plugin_directories=plugins or None)
        registry = open_registry(settings, out)
        problems = _problems(file, registry, settings.folders())
        errors = sum(problem.severity == "error" for problem in problems)
        if as_json:
            print_json(
                {"valid": not errors, "problems": [problem.as_dict() for problem in problems]}
            )
        else:
            print_problems(problems, out, err=False)
            code = "cli_invalid" if errors else "cli_valid"
            typer.echo(out.text(code, file=file, errors=errors, warnings=len(problems) - errors))
        raise typer.Exit(PROBLEMS if errors else OK)


@app.command(epilog=EPILOG)
def convert(
    file: WorkflowFile,
    to: Annotated[
        Literal["api", "ui", "native"],
        typer.Option(
            help="api: what runs; ui: for ComfyUI's editor; native: graphengine's own format."
        ),
    ] = "api",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Where to.  [default: stdout]"),
    ] = None,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Turn a saved workflow, or what a picture carries, into another format.

    What had to be changed on the way is printed to stderr, item by item.
    """
    with reporting(language, as_json=False, debug=debug) as out:
        from graphengine.setting_sources import load_settings

        opened = _open(file, open_registry(load_settings(), out))
        print_problems(opened.changes, out)
        _write(_converted(opened, to), output)


@app.command(epilog=EPILOG)
def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="A workflow.")],
    new: Annotated[str, typer.Argument(metavar="B", help="Another one, or a later one.")],
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """Say what differs between two workflows, whatever they were saved as."""
    with reporting(language, as_json, debug) as out:
        from graphengine.differences import differences
        from graphengine.setting_sources import load_settings

        registry = open_registry(load_settings(), out)
        found = differences(*(_open(file, registry).workflow for file in (old, new)))
        if as_json:
            print_json({"differences": [difference.as_dict() for difference in found]})
            return
        for difference in found:
            typer.echo(difference.text(out.language))
        if not found:
            typer.echo(out.text("diff_none"))


@app.command(epilog=EPILOG)
def nodes(
    name: Annotated[
        str | None, typer.Argument(metavar="NODE", help="Show all about this node.")
    ] = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
    language: Language = None,
    debug: Debug = False,
) -> None:
    """List all nodes, or show one with its inputs and outputs."""
    with reporting(language, as_json, debug) as out:
        from graphengine import docs
        from graphengine.setting_sources import load_settings

        settings = load_settings(plugin_directories=plugins or None)
        registry = open_registry(settings, out)
        specs = registry.specs() if name is None else (docs.find_node(registry, name),)
        if as_json:
            failures = [failure.as_dict() for failure in registry.failures]
            described = [docs.node_json(spec, settings.folders()) for spec in specs]
            print_json({"nodes": described, "failures": failures})
        elif name is None:
            typer.echo(docs.node_list(specs, out.language))
        else:
            _print_markdown(docs.node_page(specs[0], out.language))


add_commands(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"graphengine {__version__}")
        raise typer.Exit(OK)


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version),
    ] = False,
    language: LanguageBelow = None,
) -> None:
    """Evaluates node graphs that make pictures."""


def main() -> None:
    """Run the command line; ends the process with one of the exit codes."""
    # Threads of torch that spin while they wait make a busy machine four times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Modules and nodes make hundreds of thousands of objects that stay; the collector would walk
    # through them again and again while a command starts.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)  # nor need it, several times, before a process ends
    prepare_streams()
    _leave_out_others(*sys.argv[1:2])
    try:
        app(prog_name="graphengine")
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _leave_out_others(command: str = "") -> None:
    """Typer reads the signatures of all commands, which takes 20 ms, before it looks for one."""
    found = app.registered_commands
    named = [each for each in found if getattr(each.callback, "__name__", "") == command]
    if named:
        app.registered_commands, app.registered_groups = named, []


# --- run -----------------------------------------------------------------------------------------


def _run(settings: Settings, file: str, changes: Iterable[str], out: Output) -> int:
    route_prints()
    from graphengine.context import CancelFlag
    from graphengine.engine import Engine

    engine = Engine.open(settings)
    print_failures(engine.registry, out)
    opened = _open(file, engine.registry).matched(engine.registry, engine.folders)
    print_problems(opened.changes, out)
    saved = opened.workflow
    workflow = _changed(saved, changes)
    graph = engine.build(workflow)
    _refuse_new_inputs(saved, graph.problems)
    print_problems(graph.problems, out)
    cancel = CancelFlag()
    with _ctrl_c_stops(cancel, out), _display(graph, out) as show:
        result = engine.run(workflow, on_event=show, cancel=cancel)
    _print_result(result, out)
    return {"done": OK, "failed": FAILED, "cancelled": STOPPED}[result.status]


@contextmanager
def _display(graph: Graph, out: Output) -> Iterator[Callable[[Event], None]]:
    from graphengine import run_display

    if out.as_json:
        yield run_display.json_lines(past_router(typer.echo))
    elif sys.stderr.isatty() and os.environ.get("TERM") not in _WITHOUT_BARS:
        with run_display.bars(graph, out.language) as show:
            yield show
    else:
        yield run_display.lines(graph, out.language, partial(typer.echo, err=True))


_WITHOUT_BARS = ("dumb", "unknown")
"""Terminals that cannot go back in a line: Emacs' shell, some editors and logs."""


@contextmanager
def _ctrl_c_stops(cancel: CancelFlag, out: Output) -> Iterator[None]:
    """The first Ctrl-C sets the flag; the second ends the process, whatever it is doing."""

    def interrupted(*_: object) -> None:
        # os.write, because print may not be called again inside itself.
        if cancel.is_set():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR if sys.stderr.isatty() else b"")
            os._exit(STOPPED)
        cancel.set()
        os.write(sys.stderr.fileno(), f"\n{out.text('cli_stopping')}\n".encode())

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_SHOW_CURSOR = b"\x1b[?25h"


def _print_result(result: RunResult, out: Output) -> None:
    files = [str(file.absolute()) for file in result.files]
    if out.as_json:
        error = None if result.error is None else result.error.as_dict()
        print_json_line(
            {
                "event": "result",
                "status": result.status,
                "seconds": result.seconds,
                "files": files,
                "error": error,
                "prompt": result.prompt,
            }
        )
        return
    for text in (text for artifacts in result.artifacts.values() for text in artifacts.texts):
        typer.echo(text)
    for file in files:
        typer.echo(file)
    if result.error is not None:
        report(result.error, out)
    typer.echo(out.text(f"cli_{result.status}", seconds=f"{result.seconds:.1f}"), err=True)


def _devices(devices: list[str], cpu: bool, cuda_device: int | None) -> list[str]:
    """The devices that were asked for in one of three ways, the plainest first."""
    if cpu:
        return ["cpu"]
    return devices if cuda_device is None else [f"cuda:{cuda_device}"]


# --- plot ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _PlotAsked:
    axes: list[str]
    picture: str | None
    output: Path
    table: Path | None
    confirmed: bool


def _plot(
    settings: Settings, file: str, changes: Iterable[str], asked: _PlotAsked, out: Output
) -> int:
    from graphengine.context import CancelFlag
    from graphengine.engine import Engine
    from graphengine.plot.plot import forget, run_plot, unneeded_problems

    engine = Engine.open(settings)
    print_failures(engine.registry, out)
    opened = _open(file, engine.registry).matched(engine.registry, engine.folders)
    print_problems(opened.changes, out)
    plot = _make_plot(engine, _changed(opened.workflow, changes), asked, out)
    print_problems(unneeded_problems(engine, plot), out)
    cancel = CancelFlag()
    with _ctrl_c_stops(cancel, out):
        result = run_plot(engine, plot, on_progress=partial(_print_cell, plot, out), cancel=cancel)
    if result.cancelled:
        text = out.text("plot_stopped", done=len(result.cells), total=plot.count)
        typer.echo(text, err=True)
        return STOPPED
    _write_plot(result, asked, out)
    forget(engine, plot)
    return FAILED if all(cell.error for cell in result.cells) else OK


def _make_plot(engine: Engine, workflow: Workflow, asked: _PlotAsked, out: Output) -> Plot:
    """The plot; a person at a terminal is asked whether many cells are meant."""
    from graphengine.plot.plot import make_plot

    make = partial(make_plot, engine, workflow, asked.axes, picture=asked.picture)
    try:
        return make(confirmed=asked.confirmed)
    except GraphEngineError as error:
        if error.code != "plot_many_cells" or out.as_json or not sys.stdin.isatty():
            raise
        if not out.asks("plot_many_cells_ask", **error.details):
            raise
        return make(confirmed=True)


def _print_cell(plot: Plot, out: Output, progress: PlotProgress) -> None:
    cell = progress.cell
    chosen = zip(plot.axes, cell.place, strict=True)
    label = ", ".join(f"{axis.name} = {axis.labels[i]}" for axis, i in chosen)
    error = cell.error_text(out.language)
    left = None if progress.left_s is None else round(progress.left_s)
    counts = {"done": progress.done, "total": progress.total, "left": left, "label": label}
    if out.as_json:
        print_json_line({"event": "cell", **counts, "place": list(cell.place), "error": error})
        return
    typer.echo(out.text("plot_cell_first" if left is None else "plot_cell", **counts), err=True)
    if error is not None:
        typer.echo(f"    {out.text('cli_error', text=error)}", err=True)


def _write_plot(result: PlotResult, asked: _PlotAsked, out: Output) -> None:
    from graphengine.plot.picture import write_sheet
    from graphengine.plot.table import has_measures, table, write_table

    with _writing(asked.output):
        write_sheet(result, asked.output, out.language)
    files = [asked.output]
    if asked.table is not None or has_measures(result):
        files.append(asked.table or asked.output.with_suffix(".csv"))
        with _writing(files[1]):
            write_table(table(result, out.language), files[1])
    failed = sum(cell.error is not None for cell in result.cells)
    counts = {"count": len(result.cells), "failed": failed, "seconds": round(result.seconds, 1)}
    if out.as_json:
        print_json_line(
            {"event": "result", "files": [str(file.absolute()) for file in files], **counts}
        )
        return
    for file in files:
        typer.echo(str(file.absolute()))
    if restored := sum(cell.restored for cell in result.cells):
        typer.echo(out.text("plot_restored", count=restored), err=True)
    typer.echo(out.text("plot_done", **counts), err=True)


# --- reading what is asked ------------------------------------------------------------------------


def _open(file: str, registry: Registry) -> Opened:
    from graphengine.comfy.layouts import Layouts
    from graphengine.opening import open_content, open_file

    layouts = Layouts(registry)
    if file == "-":
        return open_content(sys.stdin.buffer.read(), "stdin", layouts)
    return open_file(file, layouts)


def _converted(opened: Opened, to: str) -> str:
    if to == "native":
        return opened.native()
    document = opened.api() if to == "api" else opened.ui()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    with _writing(output):
        output.write_text(text, encoding="utf-8")


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Raise GraphEngineError if the file that is written inside cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise GraphEngineError("cannot_write", path=str(output), reason=reason) from error


def _changed(workflow: Workflow, changes: Iterable[str]) -> Workflow:
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise GraphEngineError("cli_set_form", change=change)
        workflow = workflow.set(name, _value(value))
    return workflow


def _value(text: str) -> Any:
    """A value as it stands in a file: a list of a node's id and a number is a link."""
    from graphengine.workflow import parse_link

    try:
        value = json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return text
    return parse_link(value) or value


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _refuse_new_inputs(saved: Workflow, problems: Iterable[Problem]) -> None:
    """An unknown input of a saved workflow is ignored with a warning; one that was set is wrong."""
    unknown = tuple(
        dataclasses.replace(problem, code="set_unknown_input", severity="error")
        for problem in problems
        if problem.code == "unknown_input"
        and problem.node_id is not None
        and problem.input not in saved.nodes[problem.node_id].inputs
    )
    if unknown:
        raise ProblemsFound(unknown)


def _problems(file: str, registry: Registry, folders: Folders) -> tuple[Problem, ...]:
    """All that is wrong, from a file that is not there to a value that does not fit."""
    from graphengine.graph import check_graph

    try:
        opened = _open(file, registry).matched(registry, folders)
        return (*check_graph(opened.workflow, registry, folders)[1], *opened.changes)
    except ProblemsFound as error:
        return error.problems
    except GraphEngineError as error:
        return (Problem(error.code, details=error.details),)


# --- printing -------------------------------------------------------------------------------------


def _print_markdown(text: str) -> None:
    """Set in type for a person's terminal, as it is for a file or a pipe."""
    if not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))

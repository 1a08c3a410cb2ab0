"""Checks a plugin: its texts, types and defaults, and each node's behaviour on a small run.

A node runs twice with the same small inputs. Inputs that are links get values of ours (pictures,
masks, latents, sigmas) or what the plugin's other nodes made; what needs a network is not run.
"""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from graphengine import sockets
from graphengine.calls import plan_calls, read_result, with_lazy
from graphengine.context import CancelFlag, Context, Surroundings
from graphengine.errors import GraphEngineError, Problem, Severity, said
from graphengine.folders import Folders
from graphengine.graph import GraphNode
from graphengine.parameters import Choice, Widget, WrongValue
from graphengine.plugin_tools.same import same
from graphengine.plugins.loading import load_plugin
from graphengine.plugins.plugin import Plugin
from graphengine.plugins.source import Source, source_at
from graphengine.results import NeedsInputs
from graphengine.spec import REQUIRED, InputSpec, NodeSpec

Ran = Literal["twice", "once", "not"]
_ASKS_OUTSIDE = frozenset(("network", "subprocess"))
_MOST_PRINTED_BYTES = 64 * 1024


@dataclass(frozen=True)
class Checked:
    """What came of the check: all that is wrong or missing, and how often each node was run."""

    plugin: Plugin
    problems: tuple[Problem, ...]
    ran: Mapping[str, Ran]

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "plugin": self.plugin.name,
            "valid": not self.errors,
            "nodes": dict(self.ran),
            "problems": [problem.as_dict() for problem in self.problems],
        }


def check_plugin(path: Path, *, run: bool = True) -> Checked:
    """Check the plugin that a file or folder is; raises GraphEngineError if it is none."""
    source = source_at(path.resolve())
    if source is None:
        raise GraphEngineError("check_no_plugin", path=str(path))
    plugin = load_plugin(source, source.digest)
    problems = [*_of_loading(plugin), *_of_texts(source, plugin)]
    for spec in plugin.specs:
        problems += _of_spec(spec)
    ran: Mapping[str, Ran] = {}
    if run and not _ASKS_OUTSIDE & set(plugin.manifest.capabilities):
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(_folders(Path(folder)))
            ran = trial.run_all(plugin.specs)
            problems += trial.problems
    return Checked(
        plugin, tuple(problems), {spec.id: ran.get(spec.id, "not") for spec in plugin.specs}
    )


# --- without running ------------------------------------------------------------------------------


def _of_loading(plugin: Plugin) -> Iterator[Problem]:
    yield from (failure.problem for failure in plugin.failures)
    if not plugin.specs and not plugin.failures:
        yield Problem("check_no_nodes", details={"path": str(plugin.path)})


def _of_texts(source: Source, plugin: Plugin) -> Iterator[Problem]:
    """Texts for nodes that there are not; those that are missing are told with the node."""
    ids = {spec.id for spec in plugin.specs}
    for file, content in source.code.items():
        if len(file.suffixes) > 1 and file.suffix == ".toml":
            try:
                named = tomllib.loads(content.decode("utf-8"))
            except ValueError:
                continue  # loading it has failed, which is told
            for node_id in sorted(named.keys() - ids):
                details = {"file": str(file), "name": node_id}
                yield Problem("check_text_unknown", severity="warning", details=details)


def _of_spec(spec: NodeSpec) -> Iterator[Problem]:
    if not spec.description:
        yield _problem(spec, "check_no_description", "warning")
    if not spec.category:
        yield _problem(spec, "check_no_category", "warning")
    japanese = spec.texts.get("ja")
    if japanese is None or not (japanese.title and japanese.description):
        yield _problem(spec, "check_no_texts", "warning")
    known = {entry.name for entry in spec.inputs}
    for name in sorted((japanese.inputs.keys() if japanese else set()) - known):
        yield _problem(spec, "check_text_no_input", "warning", name)
    for entry in spec.inputs:
        if not entry.help:
            yield _problem(spec, "check_no_help", "warning", entry.name)
        yield from _of_default(spec, entry)


def _of_default(spec: NodeSpec, entry: InputSpec) -> Iterator[Problem]:
    widget = entry.widget
    low, high = getattr(widget, "ge", None), getattr(widget, "le", None)
    if low is not None and high is not None and low > high:
        yield _problem(spec, "check_empty_range", "error", entry.name, low=low, high=high)
        return
    if widget is None or entry.default is REQUIRED or entry.default is None:
        return
    if isinstance(widget, Choice) and _asks_folders(widget):
        return
    try:
        widget.check(entry.default, _folders(Path()))
    except WrongValue as wrong:
        yield _problem(
            spec,
            "check_bad_default",
            "error",
            entry.name,
            got=repr(entry.default),
            expected=wrong.expected,
        )


def _asks_folders(widget: Choice) -> bool:
    return widget.find is not None or type(widget) is not Choice


def _problem(
    spec: NodeSpec, code: str, severity: Severity, name: str | None = None, **details: Any
) -> Problem:
    where = {"file": spec.origin.file, "line": spec.origin.line}
    return Problem(code, spec.id, spec.title, name, severity=severity, details={**where, **details})


# --- a small run ----------------------------------------------------------------------------------


@dataclass
class Trial:
    """Small runs of nodes in a folder of their own; collects what is wrong with them."""

    folders: Folders
    problems: list[Problem] = field(default_factory=list)
    _made: dict[str, Any] = field(default_factory=dict)

    def run_all(self, specs: tuple[NodeSpec, ...]) -> Mapping[str, Ran]:
        """Run every node whose inputs can be had, also from other nodes."""
        ran: dict[str, Ran] = {}
        waiting = list(specs)
        while waiting:
            ready = [
                (spec, inputs) for spec in waiting if (inputs := self._inputs(spec)) is not None
            ]
            if not ready:
                break
            for spec, inputs in ready:
                waiting.remove(spec)
                ran[spec.id] = self._run(spec, inputs)
        return ran

    def _run(self, spec: NodeSpec, inputs: dict[str, Any]) -> Ran:
        given = copy.deepcopy(inputs)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                first = self._call(spec, given)
                again = first if spec.cache == "never" else self._call(spec, copy.deepcopy(inputs))
        except NeedsInputs:
            return "not"
        except (Exception, SystemExit) as error:
            cause = error.text() if isinstance(error, GraphEngineError) else said(error)
            severity: Severity = "warning" if _has_made_up_values(spec) else "error"
            self.problems.append(_problem(spec, "check_fails", severity, cause=cause))
            return "once"
        self.problems += self._compare(spec, inputs, given, first, again)
        if len(printed.getvalue()) > _MOST_PRINTED_BYTES:
            size = len(printed.getvalue())
            self.problems.append(_problem(spec, "check_prints", "warning", bytes=size))
        self._made.update(
            (output.type, value) for output, value in zip(spec.outputs, first, strict=False)
        )
        return "once" if spec.cache == "never" else "twice"

    def _compare(
        self,
        spec: NodeSpec,
        inputs: Mapping[str, Any],
        given: Mapping[str, Any],
        first: tuple[Any, ...],
        again: tuple[Any, ...],
    ) -> Iterator[Problem]:
        for name, value in inputs.items():
            if not same(value, given[name]):
                yield _problem(spec, "check_mutates", "error", name)
        if spec.cache != "never" and not same(first, again):
            yield _problem(spec, "check_not_deterministic", "error")

    def _call(self, spec: NodeSpec, inputs: dict[str, Any]) -> tuple[Any, ...]:
        """The outputs of one call of the body, checked against what it declares."""
        node = GraphNode("1", spec, spec.title, inputs, {})
        (arguments, *_), _ = plan_calls(node, inputs)
        if spec.has_lazy:
            arguments = with_lazy(node, arguments)
        if spec.context_name is not None:
            arguments = {**arguments, spec.context_name: self._context(spec)}
        result = spec.function(**arguments)
        if spec.is_async:
            import asyncio

            result = asyncio.run(result)
        called = read_result(node, result)
        return called.outputs if called.expand is None else ()

    def _context(self, spec: NodeSpec) -> Context:
        def no_models() -> Any:
            raise GraphEngineError("no_models")

        return Context(
            "1", spec.title, Surroundings(self.folders, no_models, lambda _: None, CancelFlag())
        )

    def _inputs(self, spec: NodeSpec) -> dict[str, Any] | None:
        """A value for each input; None if one cannot be had."""
        found: dict[str, Any] = {}
        for entry in spec.inputs:
            try:
                value = self._value(entry)
            except LookupError:
                return None
            if value is not REQUIRED:
                found[entry.name] = [value] if entry.many else value
        return found

    def _value(self, entry: InputSpec) -> Any:
        if entry.default is not REQUIRED:
            return entry.default
        if entry.widget is not None:
            return _widget_value(entry.widget, self.folders)
        if entry.optional:
            return None
        for name in entry.type.split(","):
            if name in self._made:
                return self._made[name]
            if name in SAMPLES:
                return SAMPLES[name]()
        raise LookupError(entry.type)


def _has_made_up_values(spec: NodeSpec) -> bool:
    """Whether a text or number had to be made up, which the node may rightly refuse."""
    return any(
        entry.default is REQUIRED and (entry.widget is not None or entry.type == sockets.ANY)
        for entry in spec.inputs
    )


def _widget_value(widget: Widget, folders: Folders) -> Any:
    if isinstance(widget, Choice):
        choices = widget.choices(folders)
        return choices[0]
    low, high = getattr(widget, "ge", None), getattr(widget, "le", None)
    value = widget.default
    if low is not None and value < low:
        value = low
    return high if high is not None and value > high else value


def _image() -> sockets.Image:
    import torch

    return sockets.Image(torch.rand(2, 16, 16, 3, generator=torch.Generator().manual_seed(1)))


def _mask() -> sockets.Mask:
    import torch

    return sockets.Mask(torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(2)))


def _latent() -> sockets.Latent:
    import torch

    return sockets.Latent(torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)))


def _sigmas() -> sockets.Sigmas:
    import torch

    return sockets.Sigmas(torch.linspace(10.0, 0.0, 5))


SAMPLES: Mapping[str, Callable[[], Any]] = {
    "IMAGE": _image,
    "MASK": _mask,
    "LATENT": _latent,
    "SIGMAS": _sigmas,
    "SAMPLER": lambda: sockets.Sampler("euler"),
    "NOISE": lambda: sockets.Noise(1),
    "INT": lambda: 1,
    "FLOAT": lambda: 0.5,
    "STRING": lambda: "text",
    "BOOLEAN": lambda: True,
    sockets.ANY: lambda: 1,
}
"""Small values for inputs that are links."""


def _folders(base: Path) -> Folders:
    return Folders(base / "input", base / "output", base / "temp", base / "user")

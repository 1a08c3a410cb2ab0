"""An isolated plugin's nodes as the engine sees them: specs whose functions ask the process."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from graphengine.context import CancelFlag, Context
from graphengine.errors import ByLanguage, Cancelled, GraphEngineError
from graphengine.folders import Folders
from graphengine.isolation.environment import environment_python
from graphengine.isolation.process import LOADING_S, PluginProcess
from graphengine.plugins.plugin import LoadFailure
from graphengine.printing import note_printed
from graphengine.results import Lazy, NeedsInputs, Outputs
from graphengine.spec import NodeSpec, Origin

_CONTEXT = "isolated_context"
"""The parameter by which every isolated node gets its context, for cancelling."""


class IsolatedError(GraphEngineError):
    """What a node raised in its own process."""


class IsolatedPlugin:
    """A plugin in its own process, which is started for the first call and after each end."""

    def __init__(self, path: Path, python: Path) -> None:
        self._path = path
        self._python = python
        self._process: PluginProcess | None = None
        self._lock = threading.Lock()
        self._told: tuple[Any, Any] = ((), ())

    @classmethod
    def open(
        cls, path: Path, name: str, folder: Path, dependencies: Sequence[str]
    ) -> IsolatedPlugin:
        """Make its environment if need be and start it; raises GraphEngineError."""
        plugin = cls(path, environment_python(folder, name, dependencies))
        with plugin._lock:
            plugin._started(CancelFlag())
        return plugin

    def specs(self, origin: Origin) -> tuple[NodeSpec, ...]:
        """Its nodes; ``origin`` gives them the digest of all its code."""
        return tuple(self._spec(fields, origin) for fields in self._told[0])

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """What of it could not be loaded."""
        return tuple(
            LoadFailure(package, file, line, ByLanguage(causes))
            for package, file, line, causes in self._told[1]
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _spec(self, fields: Mapping[str, Any], origin: Origin) -> NodeSpec:
        node_id = fields["id"]
        placed = dataclasses.replace(fields["origin"], digest=origin.digest, package=origin.package)
        fingerprint = partial(self._fingerprint, node_id) if fields["fingerprint"] else None
        known = {**fields, "origin": placed, "fingerprint": fingerprint}
        known |= {"is_async": False, "concurrent": True, "context_name": _CONTEXT}
        call = partial(self._call, node_id, fields["artifacts_field"])
        return NodeSpec(function=call, **known)

    # --- calls ---

    def _call(self, node_id: str, artifacts_field: str | None, **arguments: Any) -> Any:
        context: Context = arguments.pop(_CONTEXT)
        given = {name: _lazily(value) for name, value in arguments.items()}
        whose = (context.node_id, context.title, _plain(context.folders))
        fields, result = self._asked(context.run.cancel, context, "call", node_id, given, whose)
        return result if fields is None else _named(fields, result, artifacts_field)

    def _fingerprint(self, node_id: str, values: Mapping[str, Any], folders: Folders) -> Any:
        return self._asked(
            CancelFlag(), None, "fingerprint", node_id, dict(values), _plain(folders)
        )

    def _asked(self, cancel: CancelFlag, context: Context | None, *message: Any) -> Any:
        while not self._lock.acquire(timeout=0.05):
            if cancel.is_set():
                raise Cancelled
        try:
            process = self._started(cancel)
            process.take_printed()
            process.ask(*message)
            try:
                return self._heard(process, cancel, context)
            finally:
                note_printed(*process.take_printed())
        finally:
            self._lock.release()

    def _heard(self, process: PluginProcess, cancel: CancelFlag, context: Context | None) -> Any:
        while True:
            what, *said = process.answer(cancel)
            if what == "done":
                return said[0]
            if what == "needs":
                raise NeedsInputs(tuple(said[0]))
            if what == "failed":
                raise _error(*said)
            if what == "preview" and context is not None:
                context.preview(partial(_picture, *said))
            if what == "event" and context is not None:
                context.run.emit(dataclasses.replace(said[0], node_id=context.node_id))

    def _started(self, cancel: CancelFlag) -> PluginProcess:
        """The process, with the plugin loaded."""
        if self._process is None or not self._process.alive:
            self.close()
            process = self._process = PluginProcess(self._python)
            process.ask("load", str(self._path), _plain(Folders(*(Path(),) * 4)))
            what, *said = process.answer(cancel, LOADING_S)
            if what != "done":
                raise _error(*said)
            self._told = said[0]
        return self._process


def _picture(size: tuple[int, int], content: bytes) -> Any:
    """A PIL image of RGB bytes."""
    import PIL.Image

    return PIL.Image.frombytes("RGB", size, content)


def _lazily(value: Any) -> Any:
    """A lazy input as values: whether it is there, and what it is."""
    if not isinstance(value, Lazy):
        return value
    return (True, value()) if value.evaluated else (False, None)


def _named(fields: Sequence[str], result: Sequence[Any], artifacts_field: str | None) -> Outputs:
    """A NamedTuple's values in order, what is shown apart."""
    values = dict(zip(fields, result, strict=True))
    artifacts = values.pop(artifacts_field, None) if artifacts_field else None
    return Outputs(tuple(values.values()), artifacts)


def _plain(folders: Folders) -> Folders:
    return Folders(folders.input, folders.output, folders.temp, folders.user, dict(folders.models))


def _error(
    kind: str, text: str, trace: str, code: str, details: Mapping[str, str], exit_code: Any
) -> BaseException:
    """The error of the other side, with its traceback as a note."""
    error: BaseException
    if kind == "SystemExit":
        error = SystemExit(exit_code)
    elif code:
        error = IsolatedError(code, **details)
    else:
        error = IsolatedError("isolated_failed", kind=kind, cause=text)
    error.add_note(trace)
    return error

"""The isolated process: ``python -m graphengine.isolation.plugin_side CHANNEL LIFELINE``.

It loads the plugin, tells its nodes, and calls them when it is asked to. ``LIFELINE`` is a pipe
whose other end the engine holds: when the engine has gone, whatever happens here ends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import inspect
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from graphengine.context import CancelFlag, Context, Surroundings
from graphengine.errors import GraphEngineError
from graphengine.events import Event, NodePreview, NodeProgress, NodeWarning
from graphengine.folders import Folders
from graphengine.isolation.channel import Channel
from graphengine.parameters import Choice
from graphengine.plugins.loading import load_plugin
from graphengine.plugins.plugin import Plugin
from graphengine.plugins.source import source_at
from graphengine.results import Lazy, NeedsInputs
from graphengine.spec import InputSpec, NodeSpec

_MOST_TRACEBACK = 20


class PluginSide:
    """A loaded plugin at the end of a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._plugin: Plugin | None = None
        self._nodes: dict[str, NodeSpec] = {}

    def serve(self) -> None:
        """Answer until the engine goes away."""
        while True:
            try:
                what, *given = self._channel.receive()
            except EOFError:
                return
            try:
                answer = getattr(self, f"_{what}")(*given)
                self._channel.send("done", answer)
            except NeedsInputs as needs:
                self._channel.send("needs", needs.names)
            except BaseException as error:
                self._channel.send("failed", *_told(error))

    def _load(self, path: str, folders: Folders) -> tuple[Any, Any]:
        source = source_at(Path(path))
        if source is None:
            raise GraphEngineError("check_no_plugin", path=path)
        plugin = self._plugin = load_plugin(source, source.digest, inside=True)
        self._nodes = {spec.id: spec for spec in plugin.specs}
        specs = [_fields(spec, folders) for spec in plugin.specs]
        return specs, [(f.package, f.file, f.line, dict(f.causes)) for f in plugin.failures]

    def _call(
        self, node_id: str, arguments: dict[str, Any], context: tuple[str, str, Folders] | None
    ) -> Any:
        spec = self._nodes[node_id]
        for entry in spec.inputs:
            if entry.lazy and entry.name in arguments:
                there, value = arguments[entry.name]
                lazy = Lazy[Any](entry.name, value) if there else Lazy[Any](entry.name)
                arguments[entry.name] = lazy
        if spec.context_name is not None and context is not None:
            arguments[spec.context_name] = self._context(*context)
        result = spec.function(**arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        fields = getattr(result, "_fields", None)
        return (None, result) if fields is None else (fields, tuple(result))

    def _fingerprint(self, node_id: str, values: dict[str, Any], folders: Folders) -> str:
        fingerprint = self._nodes[node_id].fingerprint
        assert fingerprint is not None
        return repr(fingerprint(values, folders))

    def _context(self, node_id: str, title: str, folders: Folders) -> Context:
        surroundings = Surroundings(folders, _no_models, self._emit, CancelFlag())
        return Context(node_id, title, surroundings)

    def _emit(self, event: Event) -> None:
        if isinstance(event, NodeProgress | NodeWarning):
            self._channel.send("event", event)
        if isinstance(event, NodePreview):
            image = event.image.convert("RGB")
            self._channel.send("preview", image.size, image.tobytes())


def _fields(spec: NodeSpec, folders: Folders) -> dict[str, Any]:
    """All of a spec that the engine's side can use; functions stay here."""
    fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    for name in ("function", "migrate", "hosted"):
        fields.pop(name, None)
    fields["fingerprint"] = spec.fingerprint is not None
    fields["inputs"] = tuple(_input(entry, folders) for entry in spec.inputs)
    fields["texts"] = dict(spec.texts)
    return fields


def _input(entry: InputSpec, folders: Folders) -> InputSpec:
    widget = entry.widget
    if isinstance(widget, Choice) and widget.find is not None:
        found = tuple(widget.find(folders))
        return dataclasses.replace(entry, widget=Choice(options=found, help=widget.help))
    return entry


def _told(error: BaseException) -> tuple[Any, ...]:
    """An error as values: ours as it is, others by type, text and traceback."""
    lines = traceback.format_exception(error)[-_MOST_TRACEBACK:]
    ours = error if isinstance(error, GraphEngineError) else None
    known = ours is not None and type(ours).__module__ == "graphengine.errors"
    code, details = (ours.code, _plain(ours.details)) if ours is not None and known else ("", {})
    exit_code = error.code if isinstance(error, SystemExit) else None
    return type(error).__name__, str(error), "".join(lines), code, details, exit_code


def _plain(details: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in details.items()}


def _no_models() -> Any:
    raise GraphEngineError("no_models")


def end_with(lifeline: int) -> None:
    """Have the system end this process and what it started when the pipe's other end closes.

    Its signal needs nothing of Python, so it also ends a library's call that never comes back.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    try:
        gone = os.read(lifeline, 1) == b""
    except BlockingIOError:
        gone = False
    if gone:
        sys.exit("the engine has gone")


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    PluginSide(Channel(socket.socket(fileno=int(sys.argv[1])), own_classes=True)).serve()

"""What a running node may ask of its surroundings: progress, cancelling, folders, networks.

A node gets one by naming a parameter of type `Context`; it is not a socket.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.errors import Cancelled, GraphEngineError
from graphengine.events import Event, NodePreview, NodeProgress, NodeWarning, PreviewMethod
from graphengine.folders import Folders, reference
from graphengine.sockets import FileRef

if TYPE_CHECKING:
    from graphengine.diffusion.residency import ModelStore
    from graphengine.graph import GraphNode


_LOOKED_AT_S = 0.05


class CancelFlag:
    """Set from any thread to stop a run; looked at before each node and at each progress.

    With a ``parent`` it counts as set when either is.
    """

    def __init__(self, parent: CancelFlag | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent
        self._then: list[Callable[[], None]] = []
        self._asked_at: float | None = None

    def set(self) -> None:
        """Ask the run to stop."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        self._event.set()
        for call in self._then:
            call()

    def when_set(self, call: Callable[[], None]) -> None:
        """Call this once somebody asks, in their thread; at once if somebody has."""
        self._then.append(call)
        if self._parent is not None:
            self._parent.when_set(call)
        if self._event.is_set():
            call()

    def is_set(self) -> bool:
        """Whether somebody asked."""
        if self._asked_at is not None:
            return True
        return self._parent is not None and self._parent.is_set()

    @property
    def asked_for_s(self) -> float:
        """How long ago somebody first asked; 0 if nobody did."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody asks, at most ``timeout_s``; whether somebody did."""
        if self._parent is None:
            return self._event.wait(timeout_s)
        until = time.monotonic() + timeout_s
        while not self.is_set() and (left := until - time.monotonic()) > 0:
            self._event.wait(min(left, _LOOKED_AT_S))
        return self.is_set()


@dataclass(frozen=True)
class Surroundings:
    """What all nodes of one run share.

    ``prompt`` and ``pnginfo`` are what pictures carry: the API workflow as executed (made when
    first asked for), and further JSON values by name, usually ``workflow``. ``embed_metadata``:
    whether they do. ``preview_method``: how to show what is being made. ``plot``: what
    `Context.plot` calls. ``nodes``: all nodes of the run by id, also those that have grown until
    now. ``job_id``, ``client_id``: of a job.
    """

    folders: Folders
    get_models: Callable[[], ModelStore]
    emit: Callable[[Event], None]
    cancel: CancelFlag
    make_prompt: Callable[[], Mapping[str, Any]] = dict
    pnginfo: Mapping[str, Any] = field(default_factory=dict)
    embed_metadata: bool = True
    preview_method: PreviewMethod = "auto"
    plot: Callable[..., list[dict[str, Any]]] | None = None
    nodes: Mapping[str, GraphNode] = field(default_factory=dict)
    job_id: str | None = None
    client_id: str | None = None

    @cached_property
    def prompt(self) -> Mapping[str, Any]:
        """The API workflow as executed: defaults filled in, seeds drawn."""
        return self.make_prompt()


@dataclass(frozen=True)
class Context:
    """One node's view of the run. ``call``: which of the node's calls it is, counted from 0."""

    node_id: str
    title: str
    run: Surroundings
    call: int = 0

    @property
    def folders(self) -> Folders:
        """Model folders, input, output and temporary folder."""
        return self.run.folders

    @property
    def models(self) -> ModelStore:
        """The networks in memory; imports torch on first use."""
        return self.run.get_models()

    @property
    def metadata(self) -> dict[str, Any]:
        """What a file that is made carries: JSON values by name; nothing where that is off."""
        return {"prompt": self.run.prompt, **self.run.pnginfo} if self.run.embed_metadata else {}

    def embedding(self, name: str) -> FileRef | None:
        """The textual-inversion file of this name as it is now; None if there is none."""
        path = self.folders.find("embeddings", name)
        return None if path is None else reference(path)

    def progress(self, value: float, total: float) -> None:
        """Say how far the node is; raises `Cancelled` if the person stopped the run."""
        self.check_cancelled()
        self.run.emit(NodeProgress(self.node_id, value, total))

    def preview(self, make: Callable[[], Any]) -> None:
        """Show a picture of what is being made; ``make`` gives a PIL image if anybody looks."""
        if self.run.preview_method != "none":
            self.run.emit(NodePreview(self.node_id, make, by_method=True))

    def send(self, make: Callable[[], Any]) -> None:
        """Send a picture to the client as it is; ``make`` gives a PIL image if it listens."""
        self.run.emit(NodePreview(self.node_id, make, whole=True))

    def tiny_decoder(self, name: str) -> FileRef | None:
        """The decoder's file of a TAESD (``taesd``, ``taesdxl``), for previews.

        None if there is none, which is a warning where it was asked for, or if previews are not to
        be made with it.
        """
        method = self.run.preview_method
        if method not in ("auto", "taesd"):
            return None
        for file in self.folders.list("vae_approx"):
            if file.startswith(f"{name}_decoder."):
                return self.folders.reference("vae_approx", file)
        if method == "taesd":
            self.warn(GraphEngineError("preview_no_taesd", name=name))
        return None

    def warn(self, warning: GraphEngineError) -> None:
        """Tell the person something that does not stop the run."""
        self.run.emit(NodeWarning(self.node_id, warning))

    def plot(self, axes: Sequence[str], path: Path, *, confirmed: bool) -> list[dict[str, Any]]:
        """Run the workflow for all values of ``axes``, with the picture that is linked here as
        each cell's; write the sheet to ``path``. The cells as rows of a table.
        """
        if self.run.plot is None:
            raise GraphEngineError("plot_no_plotting")
        return self.run.plot(self, axes, path, confirmed=confirmed)

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if the person stopped the run."""
        if self.run.cancel.is_set():
            raise Cancelled

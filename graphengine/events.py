"""What happens in a run, as values: everything that a progress bar, a log or a server needs.

Those of which a large graph makes very many are named tuples, which are made several times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from graphengine.errors import GraphEngineError

PreviewMethod = Literal["none", "auto", "latent2rgb", "taesd"]
"""How pictures of what is being sampled are made; auto: by TAESD if it is there."""


@dataclass(frozen=True)
class SavedFile:
    """A file that a node wrote: its name, its sub-folder, and the folder's kind."""

    filename: str
    subfolder: str = ""
    kind: Literal["output", "temp", "input"] = "output"


@dataclass(frozen=True)
class Artifacts:
    """What a node shows the person: pictures, texts, and further values by name.

    A node whose body returns it (alone, or as a field of its outputs) is a sink.
    """

    images: tuple[SavedFile, ...] = ()
    texts: tuple[str, ...] = ()
    more: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def joined(self, other: Artifacts) -> Artifacts:
        """Both, one after the other (list mapping calls a node several times)."""
        names = (*self.more, *(name for name in other.more if name not in self.more))
        return Artifacts(
            images=self.images + other.images,
            texts=self.texts + other.texts,
            more={name: (*self.more.get(name, ()), *other.more.get(name, ())) for name in names},
        )

    def as_ui(self) -> dict[str, list[Any]]:
        """The shape in which ComfyUI's clients expect it."""
        ui: dict[str, list[Any]] = {name: list(values) for name, values in self.more.items()}
        if self.images:
            ui["images"] = [
                {"filename": file.filename, "subfolder": file.subfolder, "type": file.kind}
                for file in self.images
            ]
        if self.texts:
            ui["text"] = list(self.texts)
        return ui


@dataclass(frozen=True)
class RunStarted:
    """A run begins; ``nodes`` are those that it may have to look at."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class NodesCached:
    """These nodes' results are still there, needed or not; they will not run."""

    nodes: tuple[str, ...]


class NodeStarted(NamedTuple):
    """A node's body is about to be called; ``parent`` is the node that expanded into it.

    ``display``: the node in whose place it is shown, if that is another one.
    """

    node_id: str
    parent: str | None = None
    display: str | None = None


@dataclass(frozen=True)
class NodeProgress:
    """How far a node is."""

    node_id: str
    value: float
    total: float


@dataclass(frozen=True)
class NodePreview:
    """A picture of what a node is making; ``make`` is called only if somebody wants to see it.

    ``whole``: it is what was asked for, so that each is sent, as it is. ``by_method``: it is one of
    those that the setting ``preview_method`` is about.
    """

    node_id: str
    make: Callable[[], Any]
    whole: bool = False
    by_method: bool = False

    @cached_property
    def image(self) -> Any:
        """The PIL image. Ask for it while the event is being handled, not later."""
        return self.make()


@dataclass(frozen=True)
class NodeWarning:
    """Something that a node's body wants known and that does not stop the run."""

    node_id: str
    warning: GraphEngineError


class NodeFinished(NamedTuple):
    """A node's results are there: ``cached`` or just computed in ``seconds``."""

    node_id: str
    artifacts: Artifacts | None = None
    cached: bool = False
    seconds: float = 0.0
    parent: str | None = None
    display: str | None = None


@dataclass(frozen=True)
class NodeBlocked:
    """A node did not run because an input was blocked; ``reason`` None means quietly."""

    node_id: str
    reason: str | None = None


@dataclass(frozen=True)
class NodeError:
    """A node's body failed; the run ends."""

    node_id: str
    error: GraphEngineError
    parent: str | None = None


@dataclass(frozen=True)
class RunFinished:
    """The run is over."""

    status: Literal["done", "failed", "cancelled"]
    seconds: float


Event = (
    RunStarted
    | NodesCached
    | NodeStarted
    | NodeProgress
    | NodePreview
    | NodeWarning
    | NodeFinished
    | NodeBlocked
    | NodeError
    | RunFinished
)

"""What hosted plugins share: the packs that were loaded, their routes, folders and objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host import body
from graphengine.comfy.host.instances import Instances
from graphengine.comfy.host.running import running_context
from graphengine.context import Context, Surroundings
from graphengine.errors import GraphEngineError
from graphengine.folders import Folders
from graphengine.plugins.plugin import LoadFailure
from graphengine.registry import Registry
from graphengine.spec import NodeSpec
from graphengine.unchanged import Counted, changed_inputs

if TYPE_CHECKING:
    from graphengine.diffusion.residency import ModelStore

logger = logging.getLogger(__name__)
Send = Callable[[str, Any, str | None], None]
"""Type, data, and which client hears it; None: all."""


@dataclass(frozen=True)
class Pack:
    """One plugin: its name, where it lies, its module, and the folder of its scripts."""

    name: str
    path: Path
    module: Any
    web: Path | None = None
    web_name: str = ""


@dataclass
class Host:
    """Made once beside the engine; the stand-ins of ComfyUI's modules ask it.

    ``send``: how an event reaches clients, once there is a server. ``server``: the stand-in's
    PromptServer, whose routes a server adds to its own. ``torn``: a node wrote into its inputs,
    so results kept from this run may be wrong. ``extensions``: of files by kind of model folder,
    where a plugin named some.
    """

    folders: Folders
    get_models: Callable[[], ModelStore]
    device: str = "auto"
    registry: Registry = field(default_factory=Registry)
    packs: list[Pack] = field(default_factory=list)
    specs: dict[str, NodeSpec] = field(default_factory=dict)
    classes: dict[str, Any] = field(default_factory=dict)
    failures: list[LoadFailure] = field(default_factory=list)
    instances: Instances = field(default_factory=Instances)
    extensions: dict[str, set[str]] = field(default_factory=dict)
    send: Send | None = None
    server: Any = None
    torn: bool = False

    @property
    def run(self) -> Surroundings | None:
        """The run that this call belongs to, or else the last that called a hosted node."""
        context = running_context()
        return self.instances.run if context is None else context.run

    def add_to(self, registry: Registry) -> None:
        """Register the nodes of all packs, none in place of one that is there."""
        self.registry = registry
        for failure in self.failures:
            registry.note(failure)
        for spec in self.specs.values():
            registry.add(spec)

    def surroundings(self) -> AbstractContextManager[Any]:
        """What a whole run is in: no gradients, as hosted nodes expect it."""
        return body.without_gradients()

    def note_mutations(self, before: Iterable[Counted], context: Context) -> None:
        """Warn if a call has written into the tensors that it was given."""
        for name in changed_inputs(before):
            self.torn = True
            warning = GraphEngineError(
                "hosted_mutation", title=context.title, node_id=context.node_id, input=name
            )
            logger.warning("%s", warning.text())
            context.warn(warning)

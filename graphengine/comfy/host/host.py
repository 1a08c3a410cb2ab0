"""What hosted plugins share: the packs that were loaded, their routes, folders and objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host import body
from graphengine.comfy.host.added import Added, PromptHandler
from graphengine.comfy.host.added_methods import offer_added_methods
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


@dataclass(frozen=True, eq=False)
class Pack:
    """One plugin: its name, where it lies, what became of it, and the folder of its scripts.

    ``digest``: of its code, as it enters the keys of results. ``state``: see `pack_paths`. One
    whose import failed has no module.
    """

    name: str
    path: Path
    digest: str
    state: frozenset[Any]
    module: Any = None
    web: Path | None = None
    web_name: str = ""
    specs: Mapping[str, NodeSpec] = field(default_factory=dict)
    classes: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[LoadFailure, ...] = ()
    added: Added = field(default_factory=Added)


@dataclass
class Host:
    """Made once beside the engine; the stand-ins of ComfyUI's modules ask it.

    ``packs`` is replaced as a whole when plugins are loaded anew; runs that have begun hold the
    nodes that they began with. ``adding``: takes what the plugin that is being imported adds, or
    else what is added later. ``send``: how an event reaches clients, once there is a server.
    ``server``: the stand-in's PromptServer. ``torn``: a node wrote into its inputs, so results
    kept from this run may be wrong. ``extensions``: of files by kind of model folder, where a
    plugin named some.
    """

    folders: Folders
    get_models: Callable[[], ModelStore]
    device: str = "auto"
    registry: Registry = field(default_factory=Registry)
    left_out: Mapping[str, str] = field(default_factory=dict)
    packs: tuple[Pack, ...] = ()
    classes: Mapping[str, Any] = field(default_factory=dict)
    late: Added = field(default_factory=Added)
    adding: Added = field(init=False)
    instances: Instances = field(default_factory=Instances)
    extensions: dict[str, set[str]] = field(default_factory=dict)
    send: Send | None = None
    server: Any = None
    torn: bool = False

    def __post_init__(self) -> None:
        self.adding = self.late

    @property
    def loaded(self) -> tuple[Pack, ...]:
        """The packs whose import did not fail."""
        return tuple(pack for pack in self.packs if pack.module is not None)

    @property
    def failures(self) -> tuple[LoadFailure, ...]:
        """What could not be loaded."""
        return tuple(failure for pack in self.packs for failure in pack.failures)

    @property
    def prompt_handlers(self) -> tuple[PromptHandler, ...]:
        """What looks at each prompt that is sent."""
        added = (*(pack.added for pack in self.packs), self.late)
        return tuple(handler for each in added for handler in each.prompt_handlers)

    def take(self, packs: Iterable[Pack]) -> None:
        """Have these plugins from now on; of those that bring one node the later one counts."""
        self.packs = tuple(packs)
        self.classes = {name: cls for pack in self.packs for name, cls in pack.classes.items()}
        self.instances.classes = frozenset(self.classes.values())

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
        specs = {name: spec for pack in self.packs for name, spec in pack.specs.items()}
        for spec in specs.values():
            registry.add(spec)
        offer_added_methods(registry, "".join(pack.digest for pack in self.packs))

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

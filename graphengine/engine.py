"""The Python API: open an engine, load or build a workflow, run it, get results and events.

from graphengine.engine import Engine
from graphengine.workflow import load_workflow

engine = Engine.open()
workflow = load_workflow("workflows/text_to_image.json").set("Sampler.seed", 7)
result = engine.run(workflow, on_event=print)
print(result.status, result.files)
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from graphengine.cache import Cache
from graphengine.comfy.pack_paths import PackFolders
from graphengine.context import CancelFlag, Surroundings
from graphengine.dynamic_prompts import expand_prompts
from graphengine.errors import GraphEngineError
from graphengine.events import Artifacts, Event, PreviewMethod
from graphengine.executor import Outcome, Run
from graphengine.folders import Folders
from graphengine.graph import Graph, build_graph, draw_seeds, executed_prompt
from graphengine.plan import make_plan
from graphengine.plugins.source import PluginFolders
from graphengine.registry import Registry, load_registry
from graphengine.setting_sources import load_settings
from graphengine.settings import Settings
from graphengine.trace import Reason, Trace, explain
from graphengine.workflow import Workflow

if TYPE_CHECKING:
    from graphengine.comfy.host.host import Host
    from graphengine.diffusion.residency import ModelStore, Resident


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    ``outputs``: the outputs of its targets, by node id. ``artifacts``: what nodes showed, by id.
    ``error``: why it failed. ``prompt``: the API workflow as executed (defaults filled in, seeds
    drawn), as pictures carry it.
    """

    status: Literal["done", "failed", "cancelled"]
    outputs: Mapping[str, tuple[Any, ...]]
    artifacts: Mapping[str, Artifacts]
    error: GraphEngineError | None
    seconds: float
    workflow: Workflow
    graph: Graph
    folders: Folders
    _outcome: Outcome
    _before: Mapping[str, Trace]

    @cached_property
    def prompt(self) -> dict[str, Any]:
        """The API workflow as executed."""
        return executed_prompt(self.graph, self.workflow)

    @cached_property
    def reasons(self) -> dict[str, Reason]:
        """Why each node ran or not."""
        return {
            node_id: _reason(node_id, self._outcome, self._before) for node_id in self.graph.nodes
        }

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the run's nodes wrote, or wrote in an earlier run and still stand for."""
        return tuple(
            self.folders.roots(saved.kind)[0] / saved.subfolder / saved.filename
            for artifacts in self.artifacts.values()
            for saved in artifacts.images
        )

    def raise_for_status(self) -> RunResult:
        """Itself, or the run's error raised."""
        if self.error is not None:
            raise self.error
        return self


@dataclass
class Engine:
    """What outlives a run: the nodes, the folders, the cache, the networks in memory.

    Results go on to disk by themselves; ``with`` or `close` waits until they lie there.
    ``make_models`` is called when a node first asks for a network. ``embed_metadata``: whether
    files that are made tell how. ``preview_method``: how what is being made is shown. ``host``:
    the plugins that were written for ComfyUI, if there are any.
    """

    registry: Registry
    folders: Folders
    cache: Cache = field(default_factory=Cache)
    make_models: Callable[[], ModelStore] | None = None
    embed_metadata: bool = True
    preview_method: PreviewMethod = "auto"
    plugin_folders: PluginFolders = field(default_factory=PluginFolders)
    pack_folders: PackFolders = field(default_factory=PackFolders)
    host: Host | None = None
    _models: ModelStore | None = None
    _asked_to_free: set[str] = field(default_factory=set)
    _elsewhere: dict[str, ModelStore] = field(default_factory=dict)
    _traces: Mapping[str, Trace] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, settings: Settings | None = None) -> Engine:
        """An engine with the built-in nodes, installed and local plugins, and these settings."""
        settings = settings or load_settings()

        def make_models() -> ModelStore:
            from graphengine.diffusion.residency import ModelStore

            return ModelStore(settings.device)

        folders, packs = settings.folders(), settings.pack_folders()
        registry = load_registry(settings.plugin_folders())
        host = _open_host(packs, folders, registry)
        if host is not None:
            host.add_to(registry)
        return cls(
            registry=registry,
            folders=folders,
            cache=settings.cache(),
            make_models=make_models,
            embed_metadata=not settings.disable_metadata,
            preview_method=settings.preview_method,
            plugin_folders=settings.plugin_folders(),
            pack_folders=packs,
            host=host,
        )

    def __post_init__(self) -> None:
        self._connect_host()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the results that are still being written, so that their folder may go."""
        if self.cache.disk is not None:
            self.cache.disk.flush()

    def _connect_host(self) -> None:
        if self.host is not None:
            self.host.folders = self.folders
            self.host.get_models = lambda: self.models

    def reload_plugins(self) -> Registry:
        """Load the plugins that have changed; runs that have begun keep the nodes they began with.

        Raises GraphEngineError if it cannot be said which plugins are enabled.
        """
        registry = load_registry(self.plugin_folders, before=self.registry)
        if self.host is None:
            self.host = _open_host(self.pack_folders, self.folders, registry)
            self._connect_host()
        else:
            from graphengine.comfy.host.packs import load_packs

            load_packs(self.host, self.pack_folders.states())
        if self.host is not None:
            self.host.add_to(registry)
        self.registry = registry
        self.cache.keep_made_by({spec.origin.digest for spec in registry.specs()})
        return registry

    @property
    def models(self) -> ModelStore:
        """The networks in memory; the first use imports torch."""
        with self._lock:
            if self._models is None:
                if self.make_models is None:
                    raise GraphEngineError("no_models")
                self._models = self.make_models()
            return self._models

    def models_on(self, device: str | None) -> ModelStore:
        """The networks on a further device, by its name; None means the engine's own."""
        if device is None:
            return self.models
        with self._lock:
            if device not in self._elsewhere:
                from graphengine.diffusion.residency import ModelStore

                self._elsewhere[device] = ModelStore(device)
            return self._elsewhere[device]

    def free_models(self) -> None:
        """Let go of the networks that nothing is using."""
        for models in self._stores():
            models.free()

    def ask_to_free(self, *, models: bool, results: bool) -> None:
        """Have networks or kept results let go after what runs now."""
        self._asked_to_free |= {"models"} if models else set()
        self._asked_to_free |= {"results"} if results else set()

    def free_what_was_asked(self) -> None:
        """Let go of what somebody wanted gone."""
        asked, self._asked_to_free = self._asked_to_free, set()
        if "results" in asked:
            self.cache.clear()
        if "models" in asked:
            self.free_models()

    def _stores(self) -> tuple[ModelStore, ...]:
        with self._lock:
            own = () if self._models is None else (self._models,)
            return (*own, *self._elsewhere.values())

    def residents(self) -> tuple[Resident, ...]:
        """The networks in memory, least recently used first; none before torch is needed."""
        return tuple(resident for models in self._stores() for resident in models.residents())

    def build(self, workflow: Workflow, *, targets: Collection[str] | None = None) -> Graph:
        """The checked graph of a workflow; raises `ProblemsFound` with everything wrong."""
        return build_graph(workflow, self.registry, self.folders, targets=targets)

    def run(
        self,
        workflow: Workflow,
        *,
        targets: Collection[str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        cancel: CancelFlag | None = None,
        pnginfo: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        client_id: str | None = None,
        graph: Graph | None = None,
        device: str | None = None,
    ) -> RunResult:
        """Run a workflow's sinks, or the nodes named in ``targets``, and what they need.

        ``pnginfo``: further JSON values for pictures to carry; a workflow that was saved by an
        editor is added as ``workflow``. ``job_id`` and ``client_id`` are told to plugins that were
        written for ComfyUI. ``graph``: the same workflow, checked already. ``device``: see
        `models_on`. Raises `ProblemsFound` before anything runs; what fails while running is in the
        result's ``status`` and ``error``.
        """
        chance = random.SystemRandom()
        registry = self.registry
        if graph is None:
            graph = build_graph(workflow, registry, self.folders, targets=targets)
        graph = expand_prompts(draw_seeds(graph, chance), chance)
        saved = {"workflow": workflow.ui} if workflow.ui else {}
        surroundings = Surroundings(
            folders=self.folders,
            get_models=lambda: self.models_on(device),
            emit=on_event or _ignore,
            cancel=cancel or CancelFlag(),
            make_prompt=lambda: executed_prompt(graph, workflow),
            pnginfo={**saved, **(pnginfo or {})},
            embed_metadata=self.embed_metadata,
            preview_method=self.preview_method,
            plot=self._plot,
            job_id=job_id,
            client_id=client_id,
        )
        before = self._traces
        plan = make_plan(graph, targets)
        run = Run(graph, plan, self.cache, surroundings, registry)
        with nullcontext() if self.host is None else self.host.surroundings():
            outcome = run.execute()
        self._traces = _remembered(graph, outcome, before)
        if self.host is not None and self.host.torn:
            self.host.torn = False
            self.cache.clear()
        return RunResult(
            outcome.status,
            outcome.outputs,
            outcome.artifacts,
            outcome.error,
            outcome.seconds,
            workflow,
            graph,
            self.folders,
            outcome,
            before,
        )

    def _plot(self, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
        from graphengine.plot.inside import plot_around

        return plot_around(self, *arguments, **named)

    def explain(self, workflow: Workflow) -> dict[str, Reason]:
        """Why each node would run now, or that it would not, without running anything."""
        graph = self.build(workflow)
        surroundings = Surroundings(
            self.folders, lambda: self.models, _ignore, CancelFlag(), make_prompt=dict
        )
        outcome = Run(graph, make_plan(graph), self.cache, surroundings, self.registry).preview()
        return {node_id: _reason(node_id, outcome, self._traces) for node_id in graph.nodes}


def _open_host(packs: PackFolders, folders: Folders, registry: Registry) -> Host | None:
    """The plugins in ``custom_nodes`` folders; None if there are none, and nothing is imported."""
    states = packs.states()
    if not states:
        return None
    from graphengine.comfy.host.packs import open_host

    return open_host(
        folders, states, device=packs.device, registry=registry, left_out=packs.left_out()
    )


def _reason(node_id: str, outcome: Outcome, before: Mapping[str, Trace]) -> Reason:
    if node_id in outcome.ran:
        return explain(outcome.traces.get(node_id), before.get(node_id))
    if node_id in outcome.open:
        return Reason("unknown_yet")
    if node_id in outcome.blocked:
        return Reason("blocked")
    return Reason("cached" if node_id in outcome.cached else "not_needed")


def _remembered(graph: Graph, outcome: Outcome, before: Mapping[str, Trace]) -> Mapping[str, Trace]:
    """What decided the keys of a workflow's nodes when they last ran or did not have to."""
    settled = outcome.traces
    if outcome.status == "done" and settled.keys() == graph.nodes.keys():
        return settled
    if outcome.status != "done":
        settled = {
            node_id: trace
            for node_id, trace in outcome.traces.items()
            if node_id in outcome.ran or node_id in outcome.cached
        }
    return {
        node_id: trace
        for node_id in graph.nodes
        if (trace := settled.get(node_id) or before.get(node_id)) is not None
    }


def _ignore(event: Event) -> None:
    """Nobody listens."""

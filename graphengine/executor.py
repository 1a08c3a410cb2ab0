"""Runs a plan: asks the cache, calls the bodies of what is missing, keeps their results.

One `Run` holds the state of one run. Bodies run in the calling thread, one after the other;
``async`` and ``concurrent`` ones overlap with them. Each node is looked at a constant number of
times, so a run costs O(nodes + links).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Literal, NoReturn

from graphengine import calls
from graphengine.background import Background
from graphengine.cache import Cache, Entry
from graphengine.collecting import collector_paused
from graphengine.context import CancelFlag, Context, Surroundings
from graphengine.describe import describe_inputs, is_plain
from graphengine.errors import Cancelled, GraphEngineError, NodeFailed
from graphengine.events import (
    Artifacts,
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodesCached,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
)
from graphengine.expansion import Expansion, expand, find_cycle
from graphengine.fingerprint import Key, is_unique
from graphengine.graph import Graph, GraphNode, build_graph, draw_seeds
from graphengine.keys import Keys, links_to
from graphengine.listener import Listener
from graphengine.plan import Plan, needed_later
from graphengine.registry import Registry
from graphengine.results import Block, Items, NeedsInputs
from graphengine.schedule import Schedule, State
from graphengine.stopping import Bodies
from graphengine.trace import Trace
from graphengine.unchanged import InputChanged
from graphengine.work import BodyExited, Calls, Work
from graphengine.workflow import Link, Workflow, links_of

Status = Literal["done", "failed", "cancelled"]
_POLL_S = 0.05


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it left: outputs of its targets, artifacts of all nodes.

    ``ran``: which nodes were called, ``cached``: whose results were there already, ``blocked``:
    which were kept from running by a `Block`. ``open``: nodes of which only a running body can
    say whether they are needed.
    """

    status: Status
    outputs: Mapping[str, tuple[Any, ...]]
    artifacts: Mapping[str, Artifacts]
    traces: Mapping[str, Trace]
    ran: Set[str]
    cached: Set[str]
    error: GraphEngineError | None
    seconds: float
    blocked: Set[str] = frozenset()
    open: Set[str] = frozenset()


class Run:
    """One run of a plan. Make it, call `execute` once."""

    def __init__(
        self, graph: Graph, plan: Plan, cache: Cache, run: Surroundings, registry: Registry
    ) -> None:
        self._listener = Listener(run.emit)
        self._emit = self._listener.emit
        self._stop = CancelFlag(run.cancel)
        self._registry = registry
        self._bridge = graph.bridge
        self._nodes: dict[str, GraphNode] = dict(graph.nodes)
        self._run = dataclasses.replace(run, emit=self._emit, cancel=self._stop, nodes=self._nodes)
        self._plan = plan
        self._cache = cache
        self._bodies = Bodies()
        self._keys = Keys(self._nodes, cache, run.folders, self._bodies)
        self._schedule = Schedule(self._nodes, {*plan.targets, *needed_later(graph, plan)})
        self._states = self._schedule.states
        self._results = self._schedule.results
        self._first_of: dict[Key, str] = {}
        self._volatile: set[str] = set()
        self._grown: dict[str, int] = {}
        self._artifacts: dict[str, Artifacts] = {}
        self._ran: set[str] = set()
        self._cached: set[str] = set()
        self._blocked: set[str] = set()
        self._told_cached: set[str] = set()
        self._told_behind = False
        self._told_blocks: dict[int, Block] = {}
        self._background: Background[Calls] = Background()

    def execute(self) -> Outcome:
        """Run everything that the targets need; never raises for what a node does.

        What ``emit`` raises ends the run and is raised.
        """
        started = time.perf_counter()
        error: GraphEngineError | None = None
        status: Status = "done"
        try:
            self._run.cancel.when_set(self._bodies.stop)
            self._emit(RunStarted(self._plan.order))
            self._keys.compute_all(self._plan.order, self._stop)
            self._look_at(self._plan.targets)
            self._loop()
        except (Cancelled, KeyboardInterrupt):
            status = "cancelled"
        except _Failed as failed:
            status, error = "failed", failed.error
        finally:
            self._stop.set()
            self._background.close()
            self._bodies.close()
        if status != "cancelled":
            self._cache.end_run(self._keys.all_known())
        seconds = time.perf_counter() - started
        self._emit(RunFinished(status, seconds))
        self._listener.close()
        return self._outcome(status, error, seconds)

    def preview(self) -> Outcome:
        """What `execute` would run and what it would take from the cache, running nothing."""
        self._keys.compute_all(self._plan.order, self._stop)
        self._look_at(self._plan.targets)
        open_: set[str] = set()
        waiting = list(self._schedule.unfinished())
        self._ran.update(waiting)
        while waiting:
            node = self._nodes[waiting.pop()]
            for link in links_to(node):
                if link.node not in self._states and link.node not in open_:
                    open_.add(link.node)
                    waiting.append(link.node)
        return dataclasses.replace(self._outcome("done", None, 0.0), open=open_)

    def _outcome(self, status: Status, error: GraphEngineError | None, seconds: float) -> Outcome:
        return Outcome(
            status=status,
            outputs={
                target: self._results[target]
                for target in self._plan.targets
                if target in self._results
            },
            artifacts=self._artifacts,
            traces=self._keys.traces,
            ran=self._ran,
            cached=self._cached,
            error=error,
            seconds=seconds,
            blocked=self._blocked,
        )

    # --- scheduling --------------------------------------------------------------------------

    @collector_paused()
    def _look_at(self, targets: Iterable[str]) -> None:
        """Make ready what the targets need and the cache does not have."""
        cached: list[str] = []
        ready: list[str] = []
        stack = [*targets]
        stack.reverse()
        while stack:
            node_id = stack.pop()
            if self._schedule.is_there(node_id):
                continue
            if self._take_from_cache(node_id, self._keys.compute(node_id)):
                cached.append(node_id)
                self._schedule.settle_at_once(node_id)
                continue
            state = self._states[node_id] = State()
            stack.extend(self._schedule.wait_for_sources(node_id, state))
            if state.waiting_for == 0:
                ready.append(node_id)
        for node_id in reversed(ready):
            self._schedule.make_ready(node_id)
        self._tell_cached(cached)

    def _tell_cached(self, found: list[str]) -> None:
        """Tell what is there already: what was looked at, and what stands behind it unasked."""
        told = [node_id for node_id in found if node_id not in self._told_cached]
        self._told_cached.update(told)
        if found:
            told += self._cached_behind()
            self._emit(NodesCached(tuple(told)))
            for node_id in found:
                self._announce_cached(node_id)

    def _cached_behind(self) -> list[str]:
        """The plan's nodes that nobody needs, since what needs them is there; told once."""
        if self._told_behind:
            return []
        self._told_behind = True
        states, known, kept = self._states, self._keys.known, self._cache
        behind = [
            node_id
            for node_id in self._plan.order
            if node_id not in states and known(node_id) in kept
        ]
        self._told_cached.update(behind)
        return behind

    def _wait_for_targets(self, node_id: str, targets: Iterable[str]) -> None:
        """Look at nodes that turned out to be needed, and let a node wait for them."""
        wanted = tuple(dict.fromkeys(targets))
        for target in wanted:
            self._keys.compute_below(target)
        self._look_at(wanted)
        self._schedule.wait_for(node_id, wanted)

    def _take_from_cache(self, node_id: str, key: Key | None) -> bool:
        if key is None or is_unique(key):
            return False
        entry = self._cache.get(key)
        if entry is None or not self._still_there(entry):
            return False
        self._take(node_id, entry.outputs, entry.artifacts)
        return True

    def _take(self, node_id: str, outputs: tuple[Any, ...], artifacts: Artifacts | None) -> None:
        """Use results that are there already."""
        self._results[node_id] = outputs
        if artifacts is not None:
            self._artifacts[node_id] = artifacts
        self._cached.add(node_id)

    def _still_there(self, entry: Entry) -> bool:
        """Whether the files that cached artifacts name still exist."""
        if entry.artifacts is None or not entry.artifacts.images:
            return True
        return all(
            self._run.folders.find(
                file.kind, "/".join(filter(None, (file.subfolder, file.filename)))
            )
            for file in entry.artifacts.images
        )

    def _announce_cached(self, node_id: str) -> None:
        artifacts = self._artifacts.get(node_id)
        node = self._nodes[node_id]
        self._emit(NodeFinished(node_id, artifacts, True, 0.0, node.parent, node.display))

    # --- the loop ----------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            if self._stop.is_set():
                raise Cancelled
            node_id = self._schedule.next_ready()
            if node_id is not None:
                self._start(node_id)
            elif not self._background.busy:
                break
            if self._background.busy:
                wait_s = 0 if self._schedule.has_ready else _POLL_S
                for node_id, future in self._background.finished(wait_s=wait_s):
                    self._finish_calls(node_id, future.result)
        self._check_nothing_waits()

    def _start(self, node_id: str) -> None:
        """Begin a node whose sources are there: from elsewhere, blocked, here, or beside."""
        state = self._states[node_id]
        node = self._nodes[node_id]
        if state.expansion is not None:
            self._finish_growth(node, state.expansion)
            return
        if self._volatile and any(link.node in self._volatile for link in links_to(node)):
            self._volatile.add(node_id)
            self._keys.make_volatile(node_id)
        elif self._comes_from_elsewhere(node_id, state):
            return
        inputs = self._inputs(node, state.pulled if state.rounds else ())
        block = calls.blocked_by(inputs)
        if block is not None:
            block = calls.blocked_by(calls.of_every_call(node, inputs))
        if block is not None:
            self._finish_blocked(node, block)
            return
        if not state.started:
            state.started = time.perf_counter()
            self._ran.add(node_id)
            self._emit(NodeStarted(node_id, node.parent, node.display))
        work = Work(node, inputs, self._context(node), self._check_cancelled, self._bodies)
        if node.spec.is_async:
            self._background.start_coroutine(node_id, work.call_async)
        elif node.spec.concurrent:
            self._background.start_thread(node_id, work.call)
        else:
            self._finish_calls(node_id, work.call)

    def _comes_from_elsewhere(self, node_id: str, state: State) -> bool:
        """Whether the cache or an equal node has the results, or will have them."""
        key = self._keys.compute(node_id)
        if key is None or is_unique(key):
            return False
        if key in self._cache and self._take_from_cache(node_id, key):
            self._leave_twin(state)
            self._announce_cached(node_id)
            self._schedule.complete(node_id)
            return True
        first = self._first_of.setdefault(key, node_id)
        if first == node_id:
            return False
        if first in self._results and self._keys.known(first) == key:
            self._take(node_id, self._results[first], self._artifacts.get(first))
            self._leave_twin(state)
            self._announce_cached(node_id)
            self._schedule.complete(node_id)
            return True
        self._leave_twin(state)
        if self._states[first].done:
            self._first_of[key] = node_id
            return False
        state.twin = first
        self._schedule.use(first)
        self._schedule.wait_for(node_id, (first,))
        return True

    def _leave_twin(self, state: State) -> None:
        if state.twin is not None:
            self._schedule.release(state.twin)
            state.twin = None

    def _finish_calls(self, node_id: str, get: Callable[[], Calls]) -> None:
        """Take what the calls gave: results, a piece of graph, or a wish for lazy inputs."""
        node = self._nodes[node_id]
        try:
            done = get()
        except NeedsInputs as needs:
            self._evaluate(node, needs.names)
        except (Cancelled, KeyboardInterrupt):
            raise
        except BodyExited as exited:
            self._fail(node, exited.error)
        except BaseException as error:
            self._listener.raise_if_broken()
            if isinstance(error, InputChanged):
                self._forget_sources(node)
            self._fail(node, error)
        else:
            if done.printed:
                warning = GraphEngineError("node_printed", characters=done.printed)
                self._emit(NodeWarning(node.id, warning))
            self._report_blocks(node, done)
            if done.grow:
                self._grow(node, done)
            else:
                self._store(node, done.outputs(node.spec), done.artifacts)

    def _forget_sources(self, node: GraphNode) -> None:
        """Drop what a body was given and has spoiled."""
        for link in links_to(node):
            key = self._keys.known(link.node)
            if key is not None:
                self._cache.forget(key)

    def _evaluate(self, node: GraphNode, names: tuple[str, ...]) -> None:
        """Run what lazy inputs need, then start the node anew."""
        state = self._states[node.id]
        self._give_up_first(node.id)
        pulled = state.pulled
        new = tuple(name for name in names if name in node.links and name not in pulled)
        if not new:
            wrong = next((name for name in names if name not in node.links), names[0])
            self._fail(
                node,
                GraphEngineError("lazy_unknown", title=node.title, node_id=node.id, input=wrong),
            )
        state.rounds += (new,)
        self._wait_for_targets(node.id, [link.node for link in links_to(node, new)])

    def _grow(self, node: GraphNode, done: Calls) -> None:
        """Put the pieces of graph in the node's place and wait for what they give."""
        state = self._states[node.id]
        try:
            root = node.parent or node.id
            serial = self._grown[root] = self._grown.get(root, -1) + 1
            expansion = expand(
                node,
                done.made,
                mapped=done.mapped,
                prefix=f"{root}.{serial}",
                existing=self._nodes,
                build_piece=self._build_piece,
            )
        except GraphEngineError as error:
            self._fail(node, error)
        state.expansion = expansion
        self._nodes.update(expansion.nodes)
        for target in expansion.targets:
            self._schedule.use(target)
        self._wait_for_targets(node.id, expansion.targets)

    def _build_piece(self, piece: Workflow) -> Graph:
        graph = build_graph(
            piece,
            self._registry,
            self._run.folders,
            targets=tuple(piece.nodes),
            allow_objects=True,
            outside=self._nodes,
            bridge=self._bridge,
        )
        return draw_seeds(graph, SystemRandom())

    def _finish_growth(self, node: GraphNode, expansion: Expansion) -> None:
        """The node's own results, now that those of what it grew into are there.

        A hosted node's are kept by its own key, whatever it grew into, as its authors expect.
        """
        outputs = expansion.resolve(node.spec, self._results)
        if node.spec.hosted is None and any(map(self._keys.is_volatile, expansion.targets)):
            self._volatile.add(node.id)
        for target in expansion.targets:
            self._schedule.release(target)
        self._store(node, outputs, expansion.artifacts)

    def _store(
        self, node: GraphNode, outputs: tuple[Any, ...], artifacts: Artifacts | None
    ) -> None:
        """Keep a node's results for the run and, where they can be asked for again, the cache."""
        state = self._states[node.id]
        seconds = time.perf_counter() - state.started
        key = self._final_key(node, state)
        self._results[node.id] = outputs
        if artifacts is not None:
            self._artifacts[node.id] = artifacts
        if not is_unique(key):
            self._cache.put(key, Entry(outputs, artifacts, seconds, node.spec.origin.digest))
        elif node.spec.cache == "never":
            self._schedule.keep(node.id)  # within one run it says one thing, whoever asks when
        self._emit(NodeFinished(node.id, artifacts, False, seconds, node.parent, node.display))
        self._schedule.complete(node.id)

    def _final_key(self, node: GraphNode, state: State) -> Key:
        """The key under which results are kept: for a lazy node, with what it asked for."""
        if node.spec.has_lazy:
            self._keys.finish_lazy(node, state.rounds)
        key = self._keys.known(node.id)
        if key is None or (node.id in self._volatile and not is_unique(key)):
            key = self._keys.make_volatile(node.id)
        return key

    # --- blocks ------------------------------------------------------------------------------

    def _finish_blocked(self, node: GraphNode, block: Block) -> None:
        """Pass a block on to everything behind the node; its reason is told once."""
        self._give_up_first(node.id)
        self._blocked.add(node.id)
        self._emit(NodeBlocked(node.id, self._reason_once(block)))
        self._results[node.id] = (block,) * len(node.spec.outputs)
        if self._keys.known(node.id) is None:
            self._keys.make_volatile(node.id)
        self._schedule.complete(node.id)

    def _report_blocks(self, node: GraphNode, done: Calls) -> None:
        """Tell of items that were blocked while the node ran for others."""
        for call in done.made:
            if call.blocked is not None:
                reason = self._reason_once(call.blocked)
                if reason is not None:
                    self._emit(NodeBlocked(node.id, reason))

    def _reason_once(self, block: Block) -> str | None:
        told = id(block) in self._told_blocks
        self._told_blocks[id(block)] = block
        return None if told else block.reason

    def _give_up_first(self, node_id: str) -> None:
        """Let an equal node run by itself: this one will not have the results of its key."""
        key = self._keys.known(node_id)
        if key is not None and self._first_of.get(key) == node_id:
            del self._first_of[key]

    # --- one node ----------------------------------------------------------------------------

    def _inputs(self, node: GraphNode, pulled: Iterable[str]) -> dict[str, Any]:
        """The values of a node's literals and of its links; of lazy links only ``pulled`` ones."""
        spec = node.spec
        inputs = {**spec.absent, **node.values}
        skipped = spec.lazy_names.difference(pulled)
        for name, link in node.links.items():
            if name in skipped:
                continue
            if name in spec.raw_names:
                inputs[name] = link
            elif type(link) is Link:
                inputs[name] = self._results[link.node][link.output]
            else:
                inputs[name] = _flat(
                    self._results[source][output] for source, output in links_of(link)
                )
        return inputs

    def _context(self, node: GraphNode) -> Context | None:
        if node.spec.context_name is None:
            return None
        return Context(node.id, node.title, self._run)

    def _check_cancelled(self) -> None:
        if self._stop.is_set():
            raise Cancelled

    def _fail(self, node: GraphNode, cause: BaseException) -> NoReturn:
        inputs = self._inputs_if_there(node)
        error = NodeFailed(
            node_id=node.id,
            title=node.title,
            node_type=node.spec.id,
            inputs=describe_inputs(inputs),
            plain={name: value for name, value in inputs.items() if is_plain(value)},
            cause=cause,
            type_title=node.spec.titles if node.title == node.spec.titles["en"] else None,
        )
        error.__cause__ = cause
        self._emit(NodeError(node.id, error, node.parent))
        raise _Failed(error)

    def _inputs_if_there(self, node: GraphNode) -> dict[str, Any]:
        try:
            return self._inputs(node, self._states[node.id].pulled)
        except KeyError:  # a node in a circle has never got its inputs
            return dict(node.values)

    def _check_nothing_waits(self) -> None:
        """An expansion may link back to what waits for it: name the circle instead of hanging."""
        waiting = self._schedule.unfinished()
        if not waiting:
            return
        path = find_cycle(self._schedule.dependents, waiting)
        grown = next(
            (node_id for node_id in path if self._states[node_id].expansion is not None), path[0]
        )
        node = self._nodes[grown]
        names = " → ".join(f"{self._nodes[step].title} (#{step})" for step in path)
        self._fail(
            node,
            GraphEngineError("expansion_cycle", title=node.title, node_id=node.id, path=names),
        )


class _Failed(Exception):
    """Ends the loop: a node failed and was reported."""

    def __init__(self, error: GraphEngineError) -> None:
        self.error = error
        super().__init__(str(error))


def _flat(values: Iterable[Any]) -> list[Any]:
    """The values of several links as one list; items of a list-mapped link one by one."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, Items):
            found.extend(value)
        else:
            found.append(value)
    return found

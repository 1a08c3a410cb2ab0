"""Runs a plan: asks the cache, calls the bodies of what is missing, keeps their results.

One `Run` holds the state of one run. Bodies run in the calling thread, one after the other;
``async`` and ``concurrent`` ones overlap with them. Each node is looked at a constant number of
times, so a run costs O(nodes + links).
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from graphengine import calls
from graphengine.cache import Cache, Entry
from graphengine.context import Context, Surroundings
from graphengine.describe import describe_inputs
from graphengine.errors import Cancelled, GraphEngineError, NodeFailed
from graphengine.events import (
    NodeBlocked,
    NodeError,
    NodeFinished,
    NodesCached,
    NodeStarted,
    RunFinished,
    RunStarted,
)
from graphengine.expansion import Expansion, expand, find_cycle
from graphengine.fingerprint import (
    Key,
    LinkKeys,
    base_key,
    is_unique,
    outside_state,
    pulled_key,
    unique_key,
)
from graphengine.graph import Graph, GraphNode, build_graph
from graphengine.plan import Plan
from graphengine.registry import Registry
from graphengine.results import Block, Items, NeedsInputs
from graphengine.trace import Trace
from graphengine.workflow import Link, Workflow, links_of

_POLL_S = 0.05


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it left: outputs of its targets, artifacts of all nodes.

    ``ran`` and ``cached``: which nodes were called, and whose results were taken from the cache.
    """

    status: Literal["done", "failed", "cancelled"]
    outputs: Mapping[str, tuple[Any, ...]]
    artifacts: Mapping[str, Any]
    traces: Mapping[str, Trace]
    ran: frozenset[str]
    cached: frozenset[str]
    error: GraphEngineError | None
    seconds: float


@dataclass
class _State:
    """Where one node stands in the run."""

    waiting_for: int = 0
    done: bool = False
    pulled: list[str] = field(default_factory=list)
    expansion: Expansion | None = None
    started: float = 0.0


class Run:
    """One run of a plan. Make it, call `execute` once."""

    def __init__(
        self, graph: Graph, plan: Plan, cache: Cache, run: Surroundings, registry: Registry
    ) -> None:
        self._registry = registry
        self._nodes: dict[str, GraphNode] = dict(graph.nodes)
        self._plan = plan
        self._cache = cache
        self._run = run
        self._keys: dict[str, Key] = {}
        self._traces: dict[str, Trace] = {}
        self._states: dict[str, _State] = {}
        self._results: dict[str, tuple[Any, ...]] = {}
        self._uses: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._running: dict[Key, str] = {}
        self._grown: dict[str, int] = {}
        self._ready: list[str] = []
        self._ready_waiting: list[str] = []
        self._artifacts: dict[str, Any] = {}
        self._ran: set[str] = set()
        self._cached: set[str] = set()
        self._kept = frozenset(plan.targets)
        self._reported_blocks: set[int] = set()
        self._background = _Background()

    def execute(self) -> Outcome:
        """Run everything that the targets need; never raises for what a node does."""
        started = time.perf_counter()
        self._run.emit(RunStarted(self._plan.order))
        error: GraphEngineError | None = None
        status: Literal["done", "failed", "cancelled"] = "done"
        try:
            self._compute_keys(self._plan.order)
            self._schedule(self._plan.targets)
            self._loop()
        except Cancelled:
            status = "cancelled"
        except _Failed as failed:
            status, error = "failed", failed.error
        finally:
            self._background.close()
        seconds = time.perf_counter() - started
        self._run.emit(RunFinished(status, seconds))
        return self._outcome(status, error, seconds)

    def preview(self) -> Outcome:
        """What `execute` would run and what it would take from the cache, running nothing."""
        self._compute_keys(self._plan.order)
        self._schedule(self._plan.targets)
        self._ran.update(node_id for node_id, state in self._states.items() if not state.done)
        return self._outcome("done", None, 0.0)

    def _outcome(
        self,
        status: Literal["done", "failed", "cancelled"],
        error: GraphEngineError | None,
        seconds: float,
    ) -> Outcome:
        return Outcome(
            status=status,
            outputs={key: self._results[key] for key in self._kept if key in self._results},
            artifacts=self._artifacts,
            traces=self._traces,
            ran=frozenset(self._ran),
            cached=frozenset(self._cached),
            error=error,
            seconds=seconds,
        )

    # --- keys -------------------------------------------------------------------------------

    def _compute_keys(self, order: Iterable[str]) -> None:
        """Keys of nodes whose sources' keys are known, sources first; others get theirs later."""
        for index, node_id in enumerate(order):
            if index % 1024 == 0:
                self._check_cancelled()
            if node_id not in self._keys:
                self._compute_key(node_id)

    def _compute_keys_below(self, node_id: str) -> None:
        """The keys of a node outside of the plan and of all that it needs, sources first."""
        stack = [node_id]
        seen: set[str] = set()
        while stack:
            node_id = stack[-1]
            if node_id in self._keys or node_id in seen:
                stack.pop()
                if node_id not in self._keys:
                    self._compute_key(node_id)
                continue
            seen.add(node_id)
            node = self._nodes[node_id]
            stack.extend(
                link.node
                for link in _sources(node, node.links.keys() - node.spec.lazy_names)
                if link.node not in self._keys and link.node not in seen
            )

    def _compute_key(self, node_id: str) -> Key | None:
        """A node's key; None while a source's key, or what a lazy node will pull, is unknown."""
        node = self._nodes[node_id]
        trace = self._trace(node)
        if trace is None:
            return None
        key = trace.base
        if node.spec.has_lazy:
            names = self._cache.pulled(trace.base)
            for link in () if names is None else _sources(node, names):
                self._compute_keys_below(link.node)
            pulled = None if names is None else self._link_keys(node, names)
            if pulled is None:
                return None
            key = pulled_key(trace.base, pulled)
        self._keys[node_id] = key
        return key

    def _trace(self, node: GraphNode) -> Trace | None:
        """What decides the node's key, remembered so that `explain` can compare runs."""
        trace = self._traces.get(node.id)
        if trace is not None:
            return trace
        links = self._link_keys(node, node.links.keys() - node.spec.lazy_names)
        if links is None:
            return None
        outside = outside_state(node.spec, node.values, self._run.folders)
        base = base_key(node.spec, node.id, node.values, links, outside)
        trace = self._traces[node.id] = Trace(node, links, outside, base)
        return trace

    def _link_keys(self, node: GraphNode, names: Collection[str]) -> LinkKeys | None:
        """The sources' keys of some links, in the order of the inputs; None if one is unknown."""
        keys = self._keys
        found: list[tuple[str, Key, int]] = []
        for name, value in node.links.items():
            if name not in names:
                continue
            for link in (value,) if type(value) is Link else links_of(value):
                key = keys.get(link.node)
                if key is None:
                    return None
                found.append((name, key, link.output))
        return tuple(found)

    # --- scheduling --------------------------------------------------------------------------

    def _schedule(self, targets: Iterable[str]) -> None:
        """Make ready what the targets need and the cache does not have."""
        cached: list[str] = []
        ready: list[str] = []
        stack = [*targets]
        stack.reverse()
        while stack:
            node_id = stack.pop()
            if self._is_there(node_id):
                continue
            state = self._states[node_id] = _State()
            if self._take_from_cache(node_id, state):
                cached.append(node_id)
                self._wake_dependents(node_id)
                continue
            stack.extend(self._wait_for_sources(node_id, state))
            if state.waiting_for == 0:
                ready.append(node_id)
        for node_id in reversed(ready):
            self._make_ready(node_id)
        if cached:
            self._run.emit(NodesCached(tuple(cached)))
            for node_id in cached:
                self._announce_cached(node_id)

    def _is_there(self, node_id: str) -> bool:
        """Whether a node is under way, or done with its results still in hand."""
        state = self._states.get(node_id)
        return state is not None and (not state.done or node_id in self._results)

    def _wait_for_sources(self, node_id: str, state: _State) -> list[str]:
        """Count what a node waits for; returns the sources not yet looked at, last one first."""
        node = self._nodes[node_id]
        lazy = node.spec.lazy_names
        unseen: list[str] = []
        for name, value in node.links.items():
            for link in (value,) if type(value) is Link else links_of(value):
                source = link.node
                self._uses[source] = self._uses.get(source, 0) + 1
                if name in lazy:
                    continue
                if not self._is_there(source):
                    unseen.append(source)
                if source not in self._results:
                    self._wait(node_id, state, source)
        unseen.reverse()
        return unseen

    def _make_ready(self, node_id: str) -> None:
        """The node made ready last is started first, so that one picture is finished before the
        next is begun; what only waits is started before all others."""
        spec = self._nodes[node_id].spec
        waits = spec.is_async or spec.concurrent
        (self._ready_waiting if waits else self._ready).append(node_id)

    def _wait(self, node_id: str, state: _State, source: str) -> None:
        state.waiting_for += 1
        self._dependents.setdefault(source, []).append(node_id)

    def _take_from_cache(self, node_id: str, state: _State) -> bool:
        key = self._keys.get(node_id) or self._compute_key(node_id)
        if key is None:
            return False
        entry = self._cache.get(key)
        if entry is None or not self._still_there(entry):
            return False
        self._results[node_id] = entry.outputs
        if entry.artifacts is not None:
            self._artifacts[node_id] = entry.artifacts
        state.done = True
        self._cached.add(node_id)
        return True

    def _still_there(self, entry: Entry) -> bool:
        """Whether the files that cached artifacts name still exist."""
        if entry.artifacts is None:
            return True
        return all(
            self._run.folders.find(
                file.kind, "/".join(filter(None, (file.subfolder, file.filename)))
            )
            for file in entry.artifacts.images
        )

    def _announce_cached(self, node_id: str) -> None:
        self._run.emit(
            NodeFinished(
                node_id,
                self._artifacts.get(node_id),
                cached=True,
                parent=self._nodes[node_id].parent,
            )
        )

    # --- the loop ----------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            self._check_cancelled()
            if self._ready_waiting:
                self._start(self._ready_waiting.pop())
            elif self._ready:
                self._start(self._ready.pop())
            elif not self._background.busy:
                break
            idle = not (self._ready or self._ready_waiting)
            for node_id, future in self._background.finished(wait_s=_POLL_S if idle else 0):
                self._finish_calls(node_id, future.result)
        self._check_nothing_waits()

    def _start(self, node_id: str) -> None:
        """Begin a node whose sources are there: from the cache, blocked, here, or beside."""
        state = self._states[node_id]
        node = self._nodes[node_id]
        if state.expansion is not None:
            self._finish_growth(node, state.expansion)
            return
        key = self._keys.get(node_id) or self._compute_key(node_id)
        if key is not None:
            if key in self._cache and self._take_from_cache(node_id, state):
                self._announce_cached(node_id)
                self._complete(node_id)
                return
            twin = self._running.get(key)
            if twin is not None and twin != node_id:
                self._wait(node_id, state, twin)
                return
            self._running[key] = node_id
        inputs = self._inputs(node, state.pulled)
        block = _block_of(node, inputs)
        if block is not None:
            self._finish_blocked(node, block)
            return
        if not state.started:
            state.started = time.perf_counter()
            self._run.emit(NodeStarted(node_id, node.parent))
        work = _Work(node, inputs, self._context(node))
        if node.spec.is_async:
            self._background.start_coroutine(node_id, work.call_async)
        elif node.spec.concurrent:
            self._background.start_thread(node_id, work.call)
        else:
            self._finish_calls(node_id, work.call)

    def _finish_calls(self, node_id: str, get: Callable[[], _Calls]) -> None:
        """Take what the calls gave: results, a piece of graph, or a wish for lazy inputs."""
        node = self._nodes[node_id]
        try:
            done = get()
        except NeedsInputs as needs:
            self._evaluate(node, needs.names)
        except Cancelled:
            raise
        except KeyboardInterrupt as interrupt:
            raise Cancelled from interrupt
        except BaseException as error:
            self._fail(node, error)
        else:
            self._report_blocks(node, done)
            if any(call.expand is not None for call in done.calls):
                self._grow(node, done)
            else:
                outputs = calls.join_outputs(
                    node.spec, tuple(call.outputs for call in done.calls), done.mapped
                )
                self._store(node, outputs, calls.join_artifacts(done.calls))

    def _evaluate(self, node: GraphNode, names: tuple[str, ...]) -> None:
        """Run what lazy inputs need, then start the node anew."""
        state = self._states[node.id]
        self._forget_running(node.id)
        unknown = next((name for name in names if name not in node.links), None)
        if unknown is not None:
            self._fail(
                node,
                GraphEngineError("lazy_unknown", title=node.title, node_id=node.id, input=unknown),
            )
        state.pulled.extend(name for name in names if name not in state.pulled)
        self._wait_for_targets(node.id, state, [link.node for link in _sources(node, names)])
        if state.waiting_for == 0:
            self._make_ready(node.id)

    def _wait_for_targets(self, node_id: str, state: _State, targets: Iterable[str]) -> None:
        """Schedule nodes that turned out to be needed, and let a node wait for them."""
        wanted = tuple(dict.fromkeys(targets))
        for target in wanted:
            self._compute_keys_below(target)
        self._schedule(wanted)
        for target in wanted:
            if target not in self._results:
                self._wait(node_id, state, target)

    def _grow(self, node: GraphNode, done: _Calls) -> None:
        """Put the pieces of graph in the node's place and wait for what they give."""
        state = self._states[node.id]
        try:
            root = node.parent or node.id
            serial = self._grown[root] = self._grown.get(root, -1) + 1
            expansion = expand(
                node,
                done.calls,
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
            self._uses[target] = self._uses.get(target, 0) + 1
        self._wait_for_targets(node.id, state, expansion.targets)
        if state.waiting_for == 0:
            self._make_ready(node.id)

    def _build_piece(self, piece: Workflow) -> Graph:
        return build_graph(
            piece,
            self._registry,
            self._run.folders,
            targets=tuple(piece.nodes),
            allow_objects=True,
            outside=self._nodes,
        )

    def _finish_growth(self, node: GraphNode, expansion: Expansion) -> None:
        """The node's own results, now that those of what it grew into are there."""
        outputs = expansion.resolve(node.spec, self._results)
        volatile = any(is_unique(self._keys.get(target, b"")) for target in expansion.targets)
        for target in expansion.targets:
            self._release(target)
        self._store(node, outputs, expansion.artifacts, volatile=volatile)

    def _store(
        self,
        node: GraphNode,
        outputs: tuple[Any, ...],
        artifacts: Any,
        *,
        volatile: bool = False,
    ) -> None:
        """Keep a node's results for the run and, where they can be asked for again, the cache."""
        state = self._states[node.id]
        seconds = time.perf_counter() - state.started
        key = self._final_key(node, state)
        if volatile:
            key = self._keys[node.id] = unique_key()
        self._results[node.id] = outputs
        if artifacts is not None:
            self._artifacts[node.id] = artifacts
        if not is_unique(key):
            self._cache.put(key, Entry(outputs, artifacts, seconds))
        self._ran.add(node.id)
        self._run.emit(NodeFinished(node.id, artifacts, seconds=seconds, parent=node.parent))
        self._complete(node.id)

    def _final_key(self, node: GraphNode, state: _State) -> Key:
        """The key under which results are kept: for a lazy node, with what it pulled."""
        if node.spec.has_lazy:
            base = self._traces[node.id].base
            pulled = self._link_keys(node, state.pulled) or ()
            self._cache.remember_pulled(base, tuple(state.pulled))
            self._forget_running(node.id)
            self._keys[node.id] = pulled_key(base, pulled)
        return self._keys[node.id]

    def _finish_blocked(self, node: GraphNode, block: Block) -> None:
        """Pass a block on to everything behind the node; its reason is told once."""
        self._run.emit(NodeBlocked(node.id, self._reason_once(block)))
        self._results[node.id] = (block,) * len(node.spec.outputs)
        self._keys.setdefault(node.id, unique_key())
        self._complete(node.id)

    def _report_blocks(self, node: GraphNode, done: _Calls) -> None:
        """Tell of items that were blocked while the node ran for others."""
        for call in done.calls:
            if call.outputs and isinstance(call.outputs[0], Block):
                reason = self._reason_once(call.outputs[0])
                if reason is not None and done.mapped:
                    self._run.emit(NodeBlocked(node.id, reason))

    def _reason_once(self, block: Block) -> str | None:
        told = id(block) in self._reported_blocks
        self._reported_blocks.add(id(block))
        return None if told else block.reason

    def _complete(self, node_id: str) -> None:
        """Mark a node done, wake what waited for it, let go of results nobody needs any more."""
        state = self._states[node_id]
        state.done = True
        self._forget_running(node_id)
        self._wake_dependents(node_id)
        node = self._nodes[node_id]
        for link in _sources(node, node.links):
            self._release(link.node)

    def _wake_dependents(self, node_id: str) -> None:
        for dependent in reversed(self._dependents.pop(node_id, ())):
            waiting = self._states[dependent]
            waiting.waiting_for -= 1
            if waiting.waiting_for == 0:
                self._make_ready(dependent)

    def _release(self, node_id: str) -> None:
        left = self._uses[node_id] = self._uses[node_id] - 1 if node_id in self._uses else 0
        if left <= 0 and node_id not in self._kept:
            self._results.pop(node_id, None)

    def _forget_running(self, node_id: str) -> None:
        key = self._keys.get(node_id)
        if key is not None and self._running.get(key) == node_id:
            del self._running[key]

    # --- one node ----------------------------------------------------------------------------

    def _inputs(self, node: GraphNode, pulled: Iterable[str] = ()) -> dict[str, Any]:
        """The values of a node's literals and of its links; of lazy links only ``pulled`` ones."""
        inputs = dict(node.values)
        skipped = node.spec.lazy_names.difference(pulled)
        for name, link in node.links.items():
            entry = node.spec.input.get(name)
            if name in skipped:
                continue
            if entry is not None and entry.raw_link:
                inputs[name] = link
            elif isinstance(link, Link):
                inputs[name] = self._results[link.node][link.output]
            else:
                inputs[name] = _flat(self._results[each.node][each.output] for each in link)
        return inputs

    def _context(self, node: GraphNode) -> Context | None:
        if node.spec.context_name is None:
            return None
        return Context(node.id, node.title, self._run)

    def _fail(self, node: GraphNode, cause: BaseException) -> None:
        error = NodeFailed(
            node_id=node.id,
            title=node.title,
            node_type=node.spec.id,
            inputs=describe_inputs(self._inputs_if_there(node)),
            cause=cause,
        )
        error.__cause__ = cause
        self._run.emit(NodeError(node.id, error, node.parent))
        raise _Failed(error)

    def _inputs_if_there(self, node: GraphNode) -> dict[str, Any]:
        try:
            return self._inputs(node)
        except KeyError:
            return dict(node.values)

    def _check_cancelled(self) -> None:
        if self._run.cancel.is_set():
            raise Cancelled

    def _check_nothing_waits(self) -> None:
        """An expansion may link back to what waits for it: name the circle instead of hanging."""
        waiting = {node_id for node_id, state in self._states.items() if not state.done}
        if not waiting:
            return
        path = find_cycle(self._dependents, waiting)
        grown = next(
            (node_id for node_id in path if self._states[node_id].expansion is not None), path[0]
        )
        node = self._nodes[grown]
        names = " → ".join(f"{self._nodes[step].title} (#{step})" for step in path)
        self._fail(
            node,
            GraphEngineError("expansion_cycle", title=node.title, node_id=node.id, path=names),
        )


@dataclass(frozen=True)
class _Calls:
    """What all calls of a node gave."""

    calls: tuple[calls.Called, ...]
    mapped: bool


@dataclass(frozen=True)
class _Work:
    """A node's calls, ready to be made in any thread."""

    node: GraphNode
    inputs: dict[str, Any]
    context: Context | None

    def call(self) -> _Calls:
        """Make all calls, one after the other."""
        arguments, mapped = self._arguments()
        done: list[calls.Called] = []
        for each in arguments:
            if self.context is not None:
                self.context.check_cancelled()
            block = calls.blocked_by(each)
            result = self.node.spec.function(**each) if block is None else block
            done.append(calls.read_result(self.node, result))
        return _Calls(tuple(done), mapped)

    async def call_async(self) -> _Calls:
        """Make all calls at the same time."""
        arguments, mapped = self._arguments()
        results = await asyncio.gather(*(self._await(each) for each in arguments))
        return _Calls(tuple(calls.read_result(self.node, result) for result in results), mapped)

    async def _await(self, arguments: dict[str, Any]) -> Any:
        block = calls.blocked_by(arguments)
        return await self.node.spec.function(**arguments) if block is None else block

    def _arguments(self) -> tuple[tuple[dict[str, Any], ...], bool]:
        spec = self.node.spec
        arguments, mapped = calls.plan_calls(self.node, self.inputs)
        if spec.has_lazy:
            arguments = tuple(calls.with_lazy(self.node, each) for each in arguments)
        if spec.context_name is not None:
            for each in arguments:
                each[spec.context_name] = self.context
        return arguments, mapped


class _Failed(Exception):
    """Ends the loop: a node failed and was reported."""

    def __init__(self, error: GraphEngineError) -> None:
        self.error = error
        super().__init__(str(error))


class _Background:
    """Work beside the loop: coroutines on one event-loop thread, waiting bodies in a few threads.

    Both are started when first needed.
    """

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[tuple[str, Future[_Calls]]] = queue.SimpleQueue()
        self._pending: dict[str, Future[_Calls]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> bool:
        """Whether something is still under way."""
        return bool(self._pending)

    def start_coroutine(
        self, node_id: str, make: Callable[[], Coroutine[Any, Any, _Calls]]
    ) -> None:
        """Run a coroutine on the event loop."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="graphengine-async", daemon=True
            )
            self._thread.start()
        self._watch(node_id, asyncio.run_coroutine_threadsafe(make(), self._loop))

    def start_thread(self, node_id: str, call: Callable[[], _Calls]) -> None:
        """Run a function in a thread of its own."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(8, thread_name_prefix="graphengine-wait")
        self._watch(node_id, self._pool.submit(call))

    def finished(self, *, wait_s: float) -> list[tuple[str, Future[_Calls]]]:
        """What has finished since the last look, after waiting at most ``wait_s`` for one."""
        if not self._pending:
            return []
        found: list[tuple[str, Future[_Calls]]] = []
        try:
            found.append(self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait())
            while True:
                found.append(self._done.get_nowait())
        except queue.Empty:
            pass
        for node_id, _ in found:
            del self._pending[node_id]
        return found

    def close(self) -> None:
        """Cancel what is under way and end the threads."""
        for future in self._pending.values():
            future.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(timeout=5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()

    def _watch(self, node_id: str, future: Future[_Calls]) -> None:
        self._pending[node_id] = future
        future.add_done_callback(lambda done: self._done.put((node_id, done)))


async def _cancel_all() -> None:
    """Let every coroutine that is still under way end."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _sources(node: GraphNode, names: Collection[str]) -> list[Link]:
    """All links of some inputs."""
    return [
        link
        for name, value in node.links.items()
        if name in names
        for link in ((value,) if type(value) is Link else links_of(value))
    ]


def _block_of(node: GraphNode, inputs: Mapping[str, Any]) -> Block | None:
    """A block that stops the whole node: on an input, or among the items of one call."""
    declared = node.spec.input
    return calls.blocked_by(
        {
            name: value
            for name, value in inputs.items()
            if not isinstance(value, Items) or (name in declared and declared[name].items)
        }
    )


def _flat(values: Iterable[Any]) -> list[Any]:
    """The values of several links as one list; items of a list-mapped link one by one."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, Items):
            found.extend(value)
        else:
            found.append(value)
    return found

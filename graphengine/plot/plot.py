"""A plot: its axes, its cells, and running them one after the other on one engine.

Cells share the engine's cache, so what an axis does not change runs once. What is finished is
kept below the user folder, under a name that the workflow and the axes decide: the same plot,
asked for again after an interruption, goes on where it was.
"""

from __future__ import annotations

import itertools
import math
import random
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.context import CancelFlag
from graphengine.errors import GraphEngineError, Problem, ProblemsFound
from graphengine.graph import check_graph
from graphengine.parameters import DRAW_SEED, SEED_MAX, Seed
from graphengine.plot.axes import Axis, parse_axis
from graphengine.plot.kept import Kept, cell_key, plot_id
from graphengine.plot.targets import PictureSource, measuring_nodes, picture_source
from graphengine.registry import Registry
from graphengine.workflow import Workflow, WorkflowNode, links_of

if TYPE_CHECKING:
    from graphengine.engine import Engine, RunResult

ASK_ABOVE = 200
"""More cells than this run only when somebody said that they are meant."""

Place = tuple[int, ...]
"""Which value of each axis, in the order x, y, z."""


@dataclass(frozen=True)
class Plot:
    """What is to be plotted: a workflow with its seeds drawn, one to three axes (x, y, z)."""

    workflow: Workflow
    axes: tuple[Axis, ...]
    source: PictureSource
    measuring: tuple[str, ...] = ()
    id: str = ""

    @property
    def count(self) -> int:
        """How many cells there are."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def places(self) -> tuple[Place, ...]:
        """All cells in reading order: x fastest, then y, then z."""
        spans = [range(len(axis.values)) for axis in reversed(self.axes)]
        return tuple(place[::-1] for place in itertools.product(*spans))

    @property
    def targets(self) -> list[str]:
        """The nodes that each cell needs: what gives its picture, and what measures."""
        return list(dict.fromkeys((self.source.node_id, *self.measuring)))

    def at(self, place: Place) -> Workflow:
        """The workflow of a cell."""
        workflow = self.workflow
        for axis, index in zip(self.axes, place, strict=True):
            workflow = axis.put(workflow, index)
        return workflow


@dataclass(frozen=True)
class Cell:
    """What came of a cell: a PNG picture and measures by name, or an error's text."""

    place: Place
    picture: bytes | None = None
    measures: Mapping[str, Any] | None = None
    error: GraphEngineError | None = None
    seconds: float = 0.0
    restored: bool = False

    def error_text(self, language: str = "en") -> str | None:
        """What went wrong, in a few sentences; None if nothing did."""
        if isinstance(self.error, ProblemsFound):
            return "\n".join(problem.message(language) for problem in self.error.problems)
        return None if self.error is None else self.error.text(language)


@dataclass(frozen=True)
class PlotProgress:
    """How far a plot is; ``left_s`` estimates the seconds that remain, None before one cell."""

    done: int
    total: int
    cell: Cell
    left_s: float | None


@dataclass(frozen=True)
class PlotResult:
    """All cells in reading order; fewer when it was ``cancelled``."""

    plot: Plot
    cells: tuple[Cell, ...]
    seconds: float
    cancelled: bool = False


def make_plot(
    engine: Engine,
    workflow: Workflow,
    axes: Sequence[str],
    *,
    picture: str | PictureSource | None = None,
    confirmed: bool = False,
) -> Plot:
    """The plot that is asked for; raises GraphEngineError for axes and sources that do not fit.

    ``axes``: see `parse_axis`. ``picture``: the node whose picture a cell shows; by default the
    one that the workflow saves. ``confirmed``: more than `ASK_ABOVE` cells are meant.
    """
    registry, folders = engine.registry, engine.folders
    parsed = _parsed(engine, workflow, axes)
    source = (
        picture
        if isinstance(picture, PictureSource)
        else picture_source(workflow, registry, picture)
    )
    name = plot_id(workflow, axes, source)
    kept = Kept(folders.user / "plots" / name)
    _refuse_many(math.prod(len(axis.values) for axis in parsed), confirmed)
    seeds = _Seeds(kept.seeds())
    drawn = _with_seeds(workflow, registry, seeds)
    axes_drawn = tuple(_axis_with_seeds(axis, workflow, registry, seeds) for axis in parsed)
    kept.keep_seeds(seeds.given)
    return Plot(drawn, axes_drawn, source, measuring_nodes(workflow, registry), name)


def cell_count(
    engine: Engine, workflow: Workflow, axes: Sequence[str], *, confirmed: bool = False
) -> int:
    """How many cells a plot would have; raises as `make_plot`."""
    count = math.prod(len(axis.values) for axis in _parsed(engine, workflow, axes))
    _refuse_many(count, confirmed)
    return count


def run_plot(
    engine: Engine,
    plot: Plot,
    *,
    on_progress: Callable[[PlotProgress], None] | None = None,
    cancel: CancelFlag | None = None,
) -> PlotResult:
    """Run all cells; those that fail hold their error. What is done stays for the next call.

    Raises ProblemsFound if no cell at all can run. `forget` what is kept once it is written.
    """
    began = time.monotonic()
    cancel = cancel or CancelFlag()
    _refuse_hopeless(engine, plot)
    kept = Kept(engine.folders.user / "plots" / plot.id)
    before = kept.cells()
    cells: dict[Place, Cell] = {}
    busy = 0.0
    for place in _run_order(plot):
        if cancel.is_set():
            break
        cell = _run_cell(engine, plot, place, kept=kept, before=before, cancel=cancel)
        if cell is None:
            break
        cells[place] = cell
        busy += cell.seconds
        if on_progress is not None:
            on_progress(PlotProgress(len(cells), plot.count, cell, _left(cells, plot, busy)))
    ordered = tuple(cells[place] for place in plot.places if place in cells)
    return PlotResult(plot, ordered, time.monotonic() - began, len(cells) < plot.count)


def unneeded_problems(engine: Engine, plot: Plot) -> list[Problem]:
    """What is wrong with nodes that no cell needs, such as a measuring node that is missing."""
    _, problems = check_graph(plot.workflow, engine.registry, engine.folders, targets=plot.targets)
    return [problem for problem in problems if problem.severity == "warning"]


def forget(engine: Engine, plot: Plot) -> None:
    """Drop what is kept of a plot, because it is written."""
    shutil.rmtree(_folder(engine, plot), ignore_errors=True)


def _folder(engine: Engine, plot: Plot) -> Path:
    return engine.folders.user / "plots" / plot.id


def _parsed(engine: Engine, workflow: Workflow, axes: Sequence[str]) -> tuple[Axis, ...]:
    parsed = [
        parse_axis(axis, workflow, engine.registry, engine.folders) for axis in axes if axis.strip()
    ]
    if not parsed:
        raise GraphEngineError("plot_no_axes")
    _refuse_twice(parsed)
    return tuple(parsed)


def _refuse_many(count: int, confirmed: bool) -> None:
    if count > ASK_ABOVE and not confirmed:
        raise GraphEngineError("plot_many_cells", count=count, most=ASK_ABOVE)


def _refuse_twice(axes: Sequence[Axis]) -> None:
    seen: set[tuple[str, str]] = set()
    for axis in axes:
        place = (axis.node_id, axis.input)
        if place in seen and axis.search is None:
            raise GraphEngineError("plot_same_input", input=axis.name)
        seen.add(place)


class _Seeds:
    """Seeds for those that are -1: the ones that were drawn before, then new ones."""

    def __init__(self, before: Sequence[int]) -> None:
        self._before = list(before)
        self.given: list[int] = []

    def draw(self) -> int:
        place = len(self.given)
        if place < len(self._before):
            seed = self._before[place]
        else:
            seed = random.SystemRandom().randint(0, SEED_MAX)
        self.given.append(seed)
        return seed


def _with_seeds(workflow: Workflow, registry: Registry, seeds: _Seeds) -> Workflow:
    """The workflow with every seed of -1 drawn once: all cells start from the same noise."""
    for node in workflow.nodes.values():
        for name, value in node.inputs.items():
            if value == DRAW_SEED and _is_seed(node, name, registry):
                workflow = workflow.set(f"{node.id}.{name}", seeds.draw())
    return workflow


def _axis_with_seeds(axis: Axis, workflow: Workflow, registry: Registry, seeds: _Seeds) -> Axis:
    """The axis with a drawn seed for every -1 on it, so that what it shows can be made again."""
    if not _is_seed(workflow.nodes[axis.node_id], axis.input, registry):
        return axis
    drawn = (seeds.draw() if value == DRAW_SEED else value for value in axis.values)
    return replace(axis, values=tuple(drawn))


def _is_seed(node: WorkflowNode, name: str, registry: Registry) -> bool:
    spec = registry.get(node.type)
    each = spec.input.get(name) if spec else None
    return each is not None and isinstance(each.widget, Seed)


def _refuse_hopeless(engine: Engine, plot: Plot) -> None:
    """Raise the first cell's problems if every cell has some."""
    first: ProblemsFound | None = None
    for place in plot.places:
        graph, problems = check_graph(
            plot.at(place), engine.registry, engine.folders, targets=plot.targets
        )
        if graph is not None:
            return
        first = first or ProblemsFound(problems)
    if first is not None:
        raise first


def _run_order(plot: Plot) -> Iterator[Place]:
    """All places; the axis that most depends on changes least often."""
    after = _dependents(plot.workflow)
    weights = [len(after(axis.node_id)) for axis in plot.axes]
    outer_first = sorted(range(len(plot.axes)), key=lambda i: (-weights[i], -i))
    spans = [range(len(plot.axes[i].values)) for i in outer_first]
    for chosen in itertools.product(*spans):
        by_axis = dict(zip(outer_first, chosen, strict=True))
        yield tuple(by_axis[i] for i in range(len(plot.axes)))


def _dependents(workflow: Workflow) -> Callable[[str], set[str]]:
    users: dict[str, set[str]] = {}
    for node in workflow.nodes.values():
        for value in node.inputs.values():
            for link in links_of(value):
                users.setdefault(link.node, set()).add(node.id)

    def after(node_id: str) -> set[str]:
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            fresh = users.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found

    return after


def _left(cells: Mapping[Place, Cell], plot: Plot, busy_s: float) -> float | None:
    fresh = sum(not cell.restored for cell in cells.values())
    return None if not fresh else busy_s / fresh * (plot.count - len(cells))


def _run_cell(
    engine: Engine,
    plot: Plot,
    place: Place,
    *,
    kept: Kept,
    before: Collection[str],
    cancel: CancelFlag,
) -> Cell | None:
    """A cell, as it was kept or run now; None if the run was cancelled.

    ``before``: the keys of those that an earlier run kept.
    """
    workflow = plot.at(place)
    targets = plot.targets
    began = time.monotonic()
    try:
        key = cell_key(engine.build(workflow, targets=targets), targets, engine.folders)
        finished = kept.cell(key)
        if finished is not None:
            picture, measures = finished
            return Cell(place, picture, measures, restored=key in before)
        result = engine.run(workflow, targets=targets, cancel=cancel)
        if result.status == "cancelled":
            return None
        picture, measures = _shown(result.raise_for_status(), plot)
    except GraphEngineError as error:
        return Cell(place, error=error, seconds=time.monotonic() - began)
    kept.keep_cell(key, picture, measures)
    return Cell(place, picture, measures, seconds=time.monotonic() - began)


def _shown(result: RunResult, plot: Plot) -> tuple[bytes, dict[str, Any]]:
    from graphengine.plot.picture import as_png

    picture = as_png(result.outputs[plot.source.node_id][plot.source.output])
    measures: dict[str, Any] = {}
    for node_id in plot.measuring:
        spec = result.graph.nodes[node_id].spec
        for output, value in zip(spec.outputs, result.outputs[node_id], strict=False):
            if isinstance(value, bool | int | float):
                name = output.name if output.name not in measures else f"{node_id}.{output.name}"
                measures[name] = value
    return picture, measures

"""A plot as part of a run: what the plot node and ``/api/v1/plots`` share."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.errors import Cancelled, GraphEngineError
from graphengine.plot.picture import write_sheet
from graphengine.plot.plot import PlotProgress, forget, make_plot, run_plot
from graphengine.plot.table import has_measures, table, write_table
from graphengine.plot.targets import PictureSource
from graphengine.workflow import Link, parse_api

if TYPE_CHECKING:
    from graphengine.context import Context
    from graphengine.engine import Engine

NODE = "PlotXYZ"
PICTURE_INPUT = "image"


def plot_around(
    engine: Engine, context: Context, axes: Sequence[str], path: Path, *, confirmed: bool
) -> list[dict[str, Any]]:
    """Plot the workflow around a running node: the picture that is linked into it is each cell's.

    Writes the sheet to ``path``, and beside it a CSV if a node measures. Returns the table.
    """
    workflow = parse_api(dict(context.run.prompt))
    node = workflow.nodes.get(context.node_id)
    link = node.inputs.get(PICTURE_INPUT) if node else None
    if not isinstance(link, Link):
        raise GraphEngineError("plot_picture_link")
    source = PictureSource(link.node, link.output)
    plot = make_plot(engine, workflow, axes, picture=source, confirmed=confirmed)

    def told(progress: PlotProgress) -> None:
        context.progress(progress.done, progress.total)

    result = run_plot(engine, plot, on_progress=told, cancel=context.run.cancel)
    if result.cancelled:
        raise Cancelled
    write_sheet(result, path, more=context.run.pnginfo, bare=not context.run.embed_metadata)
    rows = table(result)
    if has_measures(result):
        write_table(rows, path.with_suffix(".csv"))
    forget(engine, plot)
    return rows


def with_plot_node(
    prompt: Mapping[str, Any],
    axes: Sequence[str],
    source: PictureSource,
    *,
    confirmed: bool,
) -> tuple[dict[str, Any], str]:
    """An API workflow with a plot node added to it, and that node's id."""
    grown = copy.deepcopy(dict(prompt))
    node_id = "plot"
    while node_id in grown:
        node_id += "_"
    inputs = dict(zip("xyz", axes, strict=False))
    grown[node_id] = {
        "class_type": NODE,
        "inputs": {
            PICTURE_INPUT: [source.node_id, source.output],
            **inputs,
            "confirmed": confirmed,
            "filename_prefix": "plot",
        },
        "_meta": {"title": "Plot"},
    }
    return grown, node_id

"""The cells of a plot as rows: the axes' values, the measures, errors and seconds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphengine.files import write_whole
from graphengine.plot.plot import PlotResult


def table(result: PlotResult, language: str = "en") -> list[dict[str, Any]]:
    """A row for each cell; an axis' column has the axis' name, a measure's the measure's."""
    return [
        {
            **{
                axis.name: axis.values[i]
                for axis, i in zip(result.plot.axes, cell.place, strict=True)
            },
            **(cell.measures or {}),
            "error": cell.error_text(language),
            "seconds": round(cell.seconds, 3),
        }
        for cell in result.cells
    ]


def has_measures(result: PlotResult) -> bool:
    """Whether any cell was measured."""
    return any(cell.measures for cell in result.cells)


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows as JSON if the file's name says so, as CSV otherwise."""
    if path.suffix.lower() == ".json":
        text = json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
    else:
        text = _csv(rows)
    write_whole(path, text.encode())


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(_names(rows)))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _names(rows: list[dict[str, Any]]) -> Iterator[str]:
    last = ("error", "seconds")
    yield from (name for row in rows for name in row if name not in last)
    yield from last

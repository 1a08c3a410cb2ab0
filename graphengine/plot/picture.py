"""A plot as one labelled picture: x to the right, y downwards, a block for each z."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphengine.files import write_whole
from graphengine.plot.axes import Axis
from graphengine.plot.plot import Cell, PlotResult
from graphengine.plot.table import table
from graphengine.workflow import to_api

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SMALLEST_CELL = 112
LONGEST_SIDE = 16_000
GAP = 4
TEXT = 13
LINE = 24
"""A line of text: ascent and descent of Noto at this size are 20 pixels, and a gap."""
HEADING = 640
"""So wide a sheet may become for its heading's sake alone."""
PAPER, INK, FAINT, WRONG = "white", "#1b1b1f", "#5c5c66", "#fde8e8"
_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSansJP-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf")


@dataclass(frozen=True)
class _Grid:
    """The measures of the sheet, in pixels."""

    columns: int
    rows: int
    blocks: int
    cell: tuple[int, int]
    left: int
    head: int
    least_width: int

    @property
    def block_height(self) -> int:
        return self.head + self.rows * (self.cell[1] + GAP)

    @property
    def size(self) -> tuple[int, int]:
        width = self.left + self.columns * (self.cell[0] + GAP)
        return max(width, self.least_width), self.blocks * self.block_height

    def corner(self, column: int, row: int, block: int) -> tuple[int, int]:
        x = self.left + column * (self.cell[0] + GAP)
        return x, block * self.block_height + self.head + row * (self.cell[1] + GAP)


def as_png(image: Any) -> bytes:
    """An IMAGE value as one PNG; a batch of pictures is laid out as a square."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(image.pixels.detach().cpu().float()).clip(0, 1)
    frames = (255.0 * pixels[..., :3]).astype(np.uint8)
    count, height, width = frames.shape[:3]
    columns = math.ceil(math.sqrt(count))
    sheet = Image.new("RGB", (columns * width, math.ceil(count / columns) * height), PAPER)
    for i, frame in enumerate(frames):
        sheet.paste(Image.fromarray(frame), (i % columns * width, i // columns * height))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def draw_sheet(result: PlotResult, language: str = "en") -> Picture:
    """The labelled grid; a cell that failed shows its error, one that is missing stays empty."""
    from PIL import Image, ImageDraw

    pictures = {cell.place: _open(cell) for cell in result.cells}
    grid = _grid(result, [picture for picture in pictures.values() if picture is not None])
    sheet = Image.new("RGB", grid.size, PAPER)
    pen = ImageDraw.Draw(sheet)
    _draw_labels(pen, grid, result)
    for cell in result.cells:
        column, row, block = _full(cell.place)
        corner = grid.corner(column, row, block)
        picture = pictures[cell.place]
        if picture is not None:
            sheet.paste(_fitted(picture, grid.cell), corner)
        else:
            _draw_error(pen, corner, grid.cell, cell.error_text(language) or "")
    return sheet


def write_sheet(
    result: PlotResult,
    path: Path,
    language: str = "en",
    *,
    more: Mapping[str, Any] | None = None,
    bare: bool = False,
) -> None:
    """Write the sheet as a PNG that carries the workflow, the axes and what came of each cell.

    ``more``: further JSON values by name for it to carry. ``bare``: it carries nothing.
    """
    from PIL.PngImagePlugin import PngInfo

    held = PngInfo()
    carried = {} if bare else {**settings_of(result, language), **(more or {})}
    for name, value in carried.items():
        held.add_text(name, json.dumps(value))
    out = io.BytesIO()
    draw_sheet(result, language).save(out, "PNG", pnginfo=held)
    write_whole(path, out.getvalue())


def settings_of(result: PlotResult, language: str = "en") -> Mapping[str, Any]:
    """What the picture carries: ``prompt``, the workflow before the axes change it; ``plot``."""
    plot = result.plot
    axes = [
        {"input": axis.name, "values": list(axis.values), "search": axis.search}
        for axis in plot.axes
    ]
    told = {"axes": axes, "cells": table(result, language), "seconds": round(result.seconds, 1)}
    workflow = {} if plot.workflow.ui is None else {"workflow": plot.workflow.ui}
    return {"prompt": to_api(plot.workflow), **workflow, "plot": told}


def _open(cell: Cell) -> Picture | None:
    from PIL import Image

    return None if cell.picture is None else Image.open(io.BytesIO(cell.picture)).convert("RGB")


def _grid(result: PlotResult, pictures: Sequence[Picture]) -> _Grid:
    counts = [len(axis.values) for axis in result.plot.axes]
    columns, rows, blocks = (*counts, 1, 1, 1)[:3]
    width = max((picture.width for picture in pictures), default=SMALLEST_CELL)
    height = max((picture.height for picture in pictures), default=SMALLEST_CELL)
    larger = max(1, math.ceil(SMALLEST_CELL / width))
    y_labels = result.plot.axes[1].labels if len(counts) > 1 else ()
    left = min(240, max((_width(label) for label in y_labels), default=0) + 3 * GAP)
    head = (3 if len(counts) > 2 else 2) * LINE
    room_x = (LONGEST_SIDE - left) // columns - GAP
    room_y = (LONGEST_SIDE // blocks - head) // rows - GAP
    shrink = min(1.0, room_x / (width * larger), room_y / (height * larger))
    cell = tuple(max(1, int(side * larger * shrink)) for side in (width, height))
    least = min(HEADING, _width(_heading(result.plot.axes)) + 2 * GAP)
    return _Grid(columns, rows, blocks, (cell[0], cell[1]), left, head, least)


def _heading(axes: Sequence[Axis]) -> str:
    return " · ".join(f"{letter}: {axis.name}" for letter, axis in zip("xyz", axes, strict=False))


def _draw_labels(pen: ImageDraw, grid: _Grid, result: PlotResult) -> None:
    axes = result.plot.axes
    for block in range(grid.blocks):
        top = block * grid.block_height
        if len(axes) > 2:
            title = f"{axes[2].name} = {axes[2].labels[block]}"
            _write(pen, (GAP, top + GAP), title, grid.size[0] - 2 * GAP)
        place = (GAP, top + grid.head - 2 * LINE + GAP)
        _write(pen, place, _heading(axes), grid.size[0] - 2 * GAP, FAINT)
        for column, label in enumerate(axes[0].labels):
            x, y = grid.corner(column, 0, block)
            _write(pen, (x, y - LINE + GAP), label, grid.cell[0])
        for row, label in enumerate(axes[1].labels if len(axes) > 1 else ()):
            _, y = grid.corner(0, row, block)
            middle = y + (grid.cell[1] - LINE + GAP) // 2
            _write(pen, (GAP, middle), label, grid.left - 2 * GAP)


def _draw_error(pen: ImageDraw, corner: tuple[int, int], size: tuple[int, int], text: str) -> None:
    x, y = corner
    pen.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill=WRONG, outline="#c03030")
    small = TEXT - 2
    lines = list(_wrapped(text, size[0] - 2 * GAP, small))
    for number, line in enumerate(lines[: (size[1] - GAP) // (small + 3)]):
        place = (x + GAP, y + GAP + number * (small + 3))
        pen.text(place, line, fill=INK, font=_font(small))


def _wrapped(text: str, width: int, size: int) -> Iterator[str]:
    """The text in lines that fit; a word that is too long is cut."""
    line = ""
    for letter in text:
        if letter == "\n" or _width(line + letter, size) > width:
            head, space, rest = line.rpartition(" ")
            yield head if space else line
            line = rest if space else ""
        line += letter if letter != "\n" else ""
    yield line


def _write(
    pen: ImageDraw, place: tuple[int, int], text: str, width: int, colour: str = INK
) -> None:
    """One line, cut with … where it would be wider than there is room."""
    text = " ".join(text.split())
    if _width(text) > width:
        while text and _width(f"{text}…") > width:
            text = text[:-1]
        text += "…"
    pen.text(place, text, fill=colour, font=_font(TEXT))


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at the cell's size, its shape kept; small ones enlarged without smoothing."""
    from PIL import Image, ImageOps

    if picture.width < size[0]:
        larger = size[0] // picture.width
        picture = picture.resize(
            (picture.width * larger, picture.height * larger), Image.Resampling.NEAREST
        )
    return picture if picture.size == size else ImageOps.pad(picture, size, color=PAPER)


def _full(place: tuple[int, ...]) -> tuple[int, int, int]:
    column, row, block = (*place, 0, 0)[:3]
    return column, row, block


def _width(text: str, size: int = TEXT) -> int:
    return math.ceil(_font(size).getlength(text))


@cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    """A font with Japanese letters if the machine has one, else Pillow's own."""
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)

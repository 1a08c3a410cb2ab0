"""How often the starter model draws what a caption says: `python evaluate.py [--captions N]`.

`--all` measures what each of the eight settings does instead, and keeps the table for the
documentation (`settings_figures.py`); `--settings embedding,vae` only those, the others as kept.
With fewer than 200 captions, and with `--beside DIR`, which judges the LoRA, VAE and embeddings of
another training, it keeps nothing.

Runs the ordinary text-to-image workflow through the engine, once for each unseen caption and with
a seed of its own, and lets the checker say what each picture shows. Prints a table with 95 %
intervals (Wilson) and writes a grid picture of the first samples.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import checker
import numpy as np
import scenes
import settings_figures
from export import STARTER_FOLDER
from numpy.typing import NDArray
from painting import Painter
from PIL import Image
from scenes import Scene
from shares import wilson

from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import Workflow, load_workflow

FIGURES = Path(__file__).parents[2] / "docs/figures/settings.json"
WORKFLOW = Path(__file__).parents[2] / "workflows/text_to_image.json"
KEPT_FROM = 200
"""Figures of fewer captions are printed only: the documentation's come from so many."""
ATTRIBUTES = ("shape", "colour", "size", "background", "position", "count", "all")
GRID_COLUMNS = 12


@dataclass(frozen=True)
class Row:
    """One line of the table: how many of `count` were right, per attribute."""

    title: str
    count: int
    right: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the captions and the first noise")
    parser.add_argument("--cfg", type=float, help="instead of the workflow's")
    parser.add_argument("--steps", type=int, help="instead of the workflow's")
    parser.add_argument("--negative", help="negative prompt instead of the workflow's")
    parser.add_argument("--only", choices=("one", "two", "checker"))
    parser.add_argument("--grid", type=Path, default=Path("starter_model_samples.png"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--all", action="store_true", help="all settings, one table")
    parser.add_argument("--settings", default="", help="with --all: only these, by commas")
    parser.add_argument("--beside", type=Path, help="with --all: LoRA, VAE and embeddings to judge")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    if options.all:
        only = [s.strip() for s in options.settings.split(",") if s.strip()]
        known = list(settings_figures.measures_by_name())
        if unknown := [name for name in only if name not in known]:
            parser.error(f"--settings: no {', '.join(unknown)}; there are: {', '.join(known)}")
        painter = Painter(options.device, options.beside or STARTER_FOLDER)
        if options.beside and not options.beside.is_dir():
            parser.error(f"--beside: {options.beside} is no folder")
        enough = options.captions >= KEPT_FROM
        measure_settings(painter, options.captions, only, keep=enough and not options.beside)
        return
    rows: list[Row] = []
    if options.only in (None, "checker"):
        rows += [judge_checker(quality, 300) for quality in scenes.QUALITIES]
    workflow = _changed(load_workflow(WORKFLOW), options)
    grid: list[NDArray[np.uint8]] = []
    for word, things in (("one", 1), ("two", 2)):
        if options.only in (None, word):
            row, pictures = judge_model(workflow, things, options)
            rows.append(row)
            grid += pictures[: 4 * GRID_COLUMNS]
    for row in rows:
        print(_line(row))
    if grid:
        _grid(grid).save(options.grid)
        print(f"samples: {options.grid}")
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in rows], indent=2) + "\n")


def measure_settings(painter: Painter, count: int, only: Sequence[str], *, keep: bool) -> None:
    """Print the table row by row; ``keep`` it beside what was measured of other settings."""
    rows: list[settings_figures.Row] = []
    print("| setting | value | n | right | 95 % interval | more |\n|---|---|---|---|---|---|")
    for row in settings_figures.main_table(painter, count, only):
        print(settings_figures.line(row), flush=True)
        rows.append(row)
    if not keep:
        print(f"not kept in {FIGURES.name}: that takes {KEPT_FROM} captions and the shipped files")
        return
    kept = json.loads(FIGURES.read_text()) if only and FIGURES.exists() else []
    old = [settings_figures.Row(**row) for row in kept if row["about"] not in only]
    settings_figures.write([*old, *rows], FIGURES)


def judge_checker(quality: str, count: int) -> Row:
    """The checker on drawn pictures of one quality, half with one thing and half with two."""
    rng = Random(f"checker {quality}")
    chosen = [scenes.random_scene(rng, things=1 + i % 2, unseen=i % 4 < 2) for i in range(count)]
    chosen = [replace(scene, quality=quality) for scene in chosen]
    pictures = list(scenes.pictures(chosen, rng))
    return _row(f"checker, drawn, {quality}", chosen, pictures)


def judge_model(
    workflow: Workflow, things: int, options: argparse.Namespace
) -> tuple[Row, list[NDArray[np.uint8]]]:
    """The model on captions of held-out combinations, and its pictures."""
    count, seed = options.captions, options.seed
    rng = Random(f"evaluate {things} {seed}")
    chosen = [scenes.random_scene(rng, things=things, unseen=True) for _ in range(count)]
    pictures = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(base_directory=Path(folder), cache_disk="0", device=options.device)
        engine = Engine.open(settings)
        for i, scene in enumerate(chosen):
            one = workflow.set("Prompt.text", scenes.full_caption(scene, rng))
            one = one.set("Sampler.seed", seed * 1_000_000 + i)
            result = engine.run(one, targets=["6"]).raise_for_status()
            pictures.append(_picture(result.outputs["6"][0]))
    seconds = (time.monotonic() - began) / count
    title = f"model, {things} thing{'s' * (things > 1)}, unseen ({seconds:.2f} s a picture)"
    return _row(title, chosen, pictures), pictures


def _changed(workflow: Workflow, options: argparse.Namespace) -> Workflow:
    for key, value in (
        ("Sampler.cfg", options.cfg),
        ("Sampler.steps", options.steps),
        ("Negative prompt.text", options.negative),
    ):
        if value is not None:
            workflow = workflow.set(key, value)
    return workflow


def _picture(image: object) -> NDArray[np.uint8]:
    """An IMAGE value's first picture as [H, W, 3] uint8."""
    pixels = getattr(image, "pixels", image)
    return np.asarray((pixels[0] * 255).round().clamp(0, 255)).astype(np.uint8)


def _row(title: str, chosen: Sequence[Scene], pictures: Sequence[NDArray[np.uint8]]) -> Row:
    right: Counter[str] = Counter()
    for scene, picture in zip(chosen, pictures, strict=True):
        right.update(k for k, ok in checker.agreement(checker.look(picture), scene).items() if ok)
    return Row(title, len(chosen), {name: right[name] for name in ATTRIBUTES})


def _line(row: Row) -> str:
    shares = ", ".join(f"{name} {n / row.count:.1%}" for name, n in row.right.items())
    low, high = wilson(row.right["all"], row.count)
    return f"{row.title}: n = {row.count}: {shares} [{low:.1%}, {high:.1%}]"


def _grid(pictures: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """The pictures in rows of twelve."""
    rows = [
        np.concatenate(pictures[i : i + GRID_COLUMNS], axis=1)
        for i in range(0, len(pictures) - GRID_COLUMNS + 1, GRID_COLUMNS)
    ]
    return Image.fromarray(np.concatenate(rows))


if __name__ == "__main__":
    main()

"""What each of the eight settings does to the starter model, in numbers: `evaluate.py --all`.

Captions, seeds and their order are fixed; `count` says how many captions a row has. A row's share
is how many pictures are right in everything, with a 95 % Wilson interval; a paired difference has
the 95 % interval of its mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import checker
import measures
import numpy as np
import scenes
from numpy.typing import NDArray
from painting import Asked, Painter, Setting, unseen
from shares import wilson

from graphengine.diffusion.samplers import SAMPLERS

LCM = "graphengine-starter-lcm.safetensors"
LOW_QUALITY = "embedding:starter-low-quality"
PENTAGON = "embedding:starter-pentagon"
STEPS = (4, 8, 20, 50)
OTHER_SCHEDULES = ("karras", "exponential")
FAILING_ON_NORMAL = ("dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde")
COMPARED = 8  # pictures whose distance to the exact solution is taken: 200 steps are dear
CFGS = (1, 2, 3, 5, 7, 10, 15, 20, 30)
CLIP_SKIPS = (1, 2, 3, 4)
BASE = Setting(steps=12)


@dataclass(frozen=True)
class Row:
    """One measured setting. ``more``: further figures by name."""

    about: str
    setting: str
    count: int
    right: float
    low: float
    high: float
    more: dict[str, float] = field(default_factory=dict)


def main_table(painter: Painter, count: int, only: Sequence[str] = ()) -> Iterator[Row]:
    """All rows, as they are measured; ``only`` names settings."""
    for name, measure in measures_by_name().items():
        if not only or name in only:
            yield from measure(painter, count)


def embeddings(painter: Painter, count: int) -> Iterator[Row]:
    """A learned "low quality" in the negative prompt, and a shape that the base was never told."""
    asked = unseen(max(count, 100))
    plain = painter.pictures(asked, replace(BASE, steps=10, negative=""))
    yield _row("embedding", "no negative prompt", asked, plain, _quality(plain))
    for name, negative in (
        ("low-quality embedding", LOW_QUALITY),
        ("the words “low quality”", "low quality"),
    ):
        pictures = painter.pictures(asked, replace(BASE, steps=10, negative=negative))
        more = _quality(pictures) | _gain(plain, pictures, measures.sharpness, "sharper")
        yield _row("embedding", f"negative: {name}", asked, pictures, more)
    new = _new_shapes(count)
    for name, word in (("the word “pentagon”", "pentagon"), ("pentagon embedding", PENTAGON)):
        captions = tuple(text.replace("pentagon", word) for text in new.captions)
        pictures = painter.pictures(Asked(new.scenes, captions), BASE)
        yield _row("embedding", f"positive: {name}", new, pictures, {})


def vaes(painter: Painter, count: int) -> Iterator[Row]:
    """The same latents decoded twice."""
    asked = unseen(max(count, 100))
    latents = painter.latents(asked, replace(BASE, steps=10))
    own, vivid = painter.decode(latents), painter.decode(latents, "vivid")
    yield _row("vae", "the checkpoint's", asked, own, _saturation(own))
    more = _saturation(vivid) | _gain(own, vivid, measures.saturation, "more saturated")
    yield _row("vae", "vivid", asked, vivid, more)


def lcm(painter: Painter, count: int) -> Iterator[Row]:
    """Four steps and fewer, with and without the LoRA."""
    asked = unseen(max(count, 100))
    fast = Setting(sampler="lcm", scheduler="sgm_uniform", cfg=1.0, steps=4)
    tried = {
        "base, 4 steps of dpmpp_2m karras, CFG 3": Setting(steps=4),
        "base, 4 steps of euler normal, CFG 3": Setting(
            sampler="euler", scheduler="normal", steps=4
        ),
        "base, 4 steps of lcm, CFG 1": fast,
        "LCM LoRA, 4 steps of lcm, CFG 1": replace(fast, lora=LCM),
        "LCM LoRA, 4 steps of lcm, CFG 1.5": replace(fast, lora=LCM, cfg=1.5),
        "base, 2 steps of lcm, CFG 1": replace(fast, steps=2),
        "LCM LoRA, 2 steps of lcm, CFG 1": replace(fast, lora=LCM, steps=2),
        "base, 1 step of lcm, CFG 1": replace(fast, steps=1),
        "LCM LoRA, 1 step of lcm, CFG 1": replace(fast, lora=LCM, steps=1),
    }
    for name, setting in tried.items():
        pictures = painter.pictures(asked, setting)
        yield _row("lcm", name, asked, pictures, _quality(pictures))


def samplers(painter: Painter, count: int) -> Iterator[Row]:
    """Every method at few and many steps: what is right, how far from the exact solution.

    All take the schedule "normal", DPM++ 2M also "karras" as in the shipped workflow; those that
    fail on "normal" take two others too, in 20 steps. The exact solution is 200 steps of the
    shipped workflow's; the distance is in standard deviations of its latents,
    over the first few captions. A method that adds noise goes elsewhere and stays far from it.
    All captions are one batch: this is much work, and a GPU likes it so.
    """
    asked = unseen(count)
    compared = Asked(asked.scenes[:COMPARED], asked.captions[:COMPARED])
    exact = painter.latents(compared, Setting(steps=200))
    for setting in _methods():
        latents = painter.latents(asked, setting, batch=count)
        error = latents[:COMPARED] - exact
        distance = float(error.square().mean().sqrt() / exact.std())
        more = {"steps": float(setting.steps), "distance to 200 steps": distance}
        name = f"{setting.sampler} {setting.scheduler}, {setting.steps} steps"
        yield _row("samplers", name, asked, painter.decode(latents), more)


def _methods() -> Iterator[Setting]:
    for sampler, scheduler in (("dpmpp_2m", "karras"), *((name, "normal") for name in SAMPLERS)):
        for steps in STEPS:
            yield Setting(sampler=sampler, scheduler=scheduler, steps=steps)
        if sampler in FAILING_ON_NORMAL:
            for other in OTHER_SCHEDULES:
                yield Setting(sampler=sampler, scheduler=other, steps=20)


def cfg_ladder(painter: Painter, count: int) -> Iterator[Row]:
    """CFG from 1 to 30."""
    asked = unseen(count)
    for cfg in CFGS:
        pictures = painter.pictures(asked, replace(BASE, cfg=float(cfg)))
        more = {"cfg": float(cfg)} | _saturation(pictures)
        yield _row("cfg", f"CFG {cfg}", asked, pictures, more)


def seeds(painter: Painter, count: int) -> Iterator[Row]:
    """The same seed twice, and another one."""
    asked = unseen(min(count, 16))
    first, again, other = (painter.pictures(asked, replace(BASE, seed=seed)) for seed in (1, 1, 2))
    same = {"identical pictures": float((first == again).all(axis=(1, 2, 3)).mean())}
    yield _row("seed", "the same seed again", asked, again, same)
    unlike = {"identical pictures": float((first == other).all(axis=(1, 2, 3)).mean())}
    yield _row("seed", "another seed", asked, other, unlike)


def clip_skips(painter: Painter, count: int) -> Iterator[Row]:
    """The text encoder stopped early."""
    asked = unseen(count)
    for skip in CLIP_SKIPS:
        pictures = painter.pictures(asked, replace(BASE, clip_skip=skip))
        yield _row("clip_skip", f"clip skip {skip}", asked, pictures, {"clip skip": float(skip)})


def line(row: Row) -> str:
    """A row as one line of a Markdown table."""
    more = ", ".join(f"{name} {value:.3g}" for name, value in row.more.items())
    share = f"{row.right:.1%} | {row.low:.1%}-{row.high:.1%}"
    return f"| {row.about} | {row.setting} | {row.count} | {share} | {more} |"


def write(rows: Sequence[Row], path: Path) -> None:
    """Keep the rows as JSON, in the order of the settings, for the documentation."""
    place = list(measures_by_name()).index
    rows = sorted(rows, key=lambda row: place(row.about))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def measures_by_name() -> dict[str, Callable[[Painter, int], Iterator[Row]]]:
    """What measures each setting."""
    return {
        "embedding": embeddings,
        "vae": vaes,
        "lcm": lcm,
        "samplers": samplers,
        "cfg": cfg_ladder,
        "seed": seeds,
        "clip_skip": clip_skips,
    }


def _new_shapes(count: int) -> Asked:
    asked = unseen(count, seed=5)
    new = tuple(
        replace(scene, things=(replace(scene.things[0], shape="pentagon"),))
        for scene in asked.scenes
    )
    captions = tuple(
        text.replace(scene.things[0].shape, "pentagon")
        for text, scene in zip(asked.captions, asked.scenes, strict=True)
    )
    return Asked(new, captions)


def _row(
    about: str, setting: str, asked: Asked, pictures: NDArray[np.uint8], more: dict[str, float]
) -> Row:
    shapes = scenes.SHAPES + scenes.NEW_SHAPES
    needed = shapes if any(s.things[0].shape not in scenes.SHAPES for s in asked.scenes) else None
    right = 0
    for picture, scene in zip(pictures, asked.scenes, strict=True):
        sight = checker.look(picture, needed) if needed else checker.look(picture)
        right += checker.agreement(sight, scene)["all"]
    count = len(asked.scenes)
    low, high = wilson(right, count)
    return Row(about, setting, count, right / count, low, high, more)


def _quality(pictures: NDArray[np.uint8]) -> dict[str, float]:
    return {
        "sharpness": float(np.mean([measures.sharpness(p) for p in pictures])),
        "grain": float(np.mean([measures.grain(p) for p in pictures])),
    }


def _saturation(pictures: NDArray[np.uint8]) -> dict[str, float]:
    return {"saturation": float(np.mean([measures.saturation(p) for p in pictures]))}


def _gain(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    measure: Callable[[NDArray[np.uint8]], float],
    name: str,
) -> dict[str, float]:
    """How much larger a measure is, paired, in percent of its mean before; with the interval."""
    first, second = (np.array([measure(p) for p in pictures]) for pictures in (before, after))
    gains = 100 * (second - first) / first.mean()
    reach = 1.96 * gains.std(ddof=1) / math.sqrt(len(gains))
    return {
        f"% {name}": float(gains.mean()),
        "from %": float(gains.mean() - reach),
        "to %": float(gains.mean() + reach),
        f"share {name}": float((gains > 0).mean()),
    }

"""Make the figures of the guides: `python tools/docs/figures.py` (needs the extra `docs`).

Curves come from `docs/figures/settings.json`, pictures from running workflows with the starter
model (about two minutes on one core). `digests.json` says from what they were made, so that a test
notices when they are not of the figures that lie beside them. The curves' Japanese words need the
font Noto Sans CJK JP.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import measurements
import numpy as np
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import Workflow, load_workflow

ROOT = Path(__file__).parents[2]
OUT = measurements.SETTINGS.parent
FONTS = ("DejaVu Sans", "Noto Sans CJK JP")
GAP = 4
HEAD = 14
FRONT = (
    "a red heart in the center, white background, sharp",
    "a small green ring on the left, white background",
    "a yellow moon at the top, navy background",
    "a large orange square on the left and a small purple diamond on the right, black background",
    "a pink arrow at the bottom, teal background",
)
LADDER = (1, 3, 7, 15, 30)
CURVES = ("euler normal", "dpmpp_2m karras", "uni_pc normal", "euler_ancestral normal")
SCENES = (
    "a red heart in the center, white background, sharp",
    "a green ring on the left, white background",
    "a yellow cross at the top, navy background",
)
WORDS = {
    "en": {
        "right": "pictures that are right, %",
        "distance": "distance to 200 steps",
        "steps": "steps",
        "cfg": "CFG",
        "saturation": "saturation",
        "base": "base",
        "lora": "with the LCM LoRA",
    },
    "ja": {
        "right": "正しい画像の割合（%）",
        "distance": "200 ステップの解との距離",
        "steps": "ステップ数",
        "cfg": "CFG",
        "saturation": "彩度",
        "base": "元のモデル",
        "lora": "LCM LoRA あり",
    },
}
Pixels = NDArray[np.uint8]


def main() -> None:
    draw_curves()
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine.open(Settings(base_directory=Path(folder))) as engine,
    ):
        cfg_ladder(engine).save(OUT / "cfg.webp", quality=88, method=6)
        filmstrip(engine).save(OUT / "filmstrip.webp", quality=88, method=6)
        vae_pair(engine).save(OUT / "vae.webp", quality=88, method=6)
        front(engine).save(ROOT / "docs/samples.png", optimize=True)
    measurements.PAGE.write_text(measurements.page(), encoding="utf-8")
    (OUT / "digests.json").write_text(json.dumps(digests(), indent=1) + "\n")


def digests() -> dict[str, str]:
    """SHA-256 of the measured figures and of every picture made from them."""
    files = [measurements.SETTINGS, *sorted(OUT.glob("*.svg")), *sorted(OUT.glob("*.webp"))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def draw_curves() -> None:
    """All curves in both languages, the same bytes for the same figures."""
    for font in FONTS:
        font_manager.findfont(font, fallback_to_default=False)
    mpl.rcParams |= {"font.family": list(FONTS), "svg.hashsalt": "graphengine", "font.size": 9}
    for language, words in WORDS.items():
        for name, draw in (("steps", draw_steps), ("cfg", draw_cfg), ("lcm", draw_lcm)):
            figure, axes = plt.subplots(1, 1 if name == "lcm" else 2, figsize=(7.2, 2.9))
            draw(np.atleast_1d(axes), words)
            figure.tight_layout()
            figure.savefig(OUT / f"{name}.{language}.svg", metadata={"Date": None})
            plt.close(figure)


def draw_steps(axes: Sequence[Axes], words: dict[str, str]) -> None:
    """What is right, and how far from the exact solution, over the number of steps."""
    rows = _rows("samplers")
    for name in CURVES:
        own = [row for row in rows if row["setting"].startswith(f"{name},")]
        steps = [row["more"]["steps"] for row in own]
        axes[0].plot(steps, [100 * row["right"] for row in own], "o-", label=name)
        axes[1].plot(steps, [row["more"]["distance to 200 steps"] for row in own], "o-")
    axes[1].set_yscale("log")
    axes[0].legend(fontsize=7)
    for axis, label in zip(axes, ("right", "distance"), strict=True):
        axis.set(xlabel=words["steps"], ylabel=words[label], xticks=steps)
        axis.grid(alpha=0.3)


def draw_cfg(axes: Sequence[Axes], words: dict[str, str]) -> None:
    """What is right, with its interval, and how saturated the pictures are, over the CFG."""
    rows = _rows("cfg")
    cfg = [row["more"]["cfg"] for row in rows]
    low, high = ([100 * row[end] for row in rows] for end in ("low", "high"))
    axes[0].fill_between(cfg, low, high, alpha=0.2)
    axes[0].plot(cfg, [100 * row["right"] for row in rows], "o-")
    axes[1].plot(cfg, [row["more"]["saturation"] for row in rows], "o-", color="C1")
    for axis, label in zip(axes, ("right", "saturation"), strict=True):
        axis.set(xlabel=words["cfg"], ylabel=words[label])
        axis.grid(alpha=0.3)


def draw_lcm(axes: Sequence[Axes], words: dict[str, str]) -> None:
    """Few steps of the sampler lcm at CFG 1, with the LoRA and without."""
    rows = {row["setting"]: row for row in _rows("lcm")}
    counts = ("4 steps", "2 steps", "1 step")
    for i, (prefix, label) in enumerate((("base", "base"), ("LCM LoRA", "lora"))):
        own = [rows[f"{prefix}, {count} of lcm, CFG 1"] for count in counts]
        right = np.array([row["right"] for row in own])
        reach = [right - [row["low"] for row in own], [row["high"] for row in own] - right]
        places = np.arange(len(counts)) + 0.36 * i - 0.18
        bars = 100 * np.array(reach)
        axes[0].bar(places, 100 * right, 0.34, yerr=bars, capsize=3, label=words[label])
    axes[0].set(xlabel=words["steps"], ylabel=words["right"], xticks=range(3))
    axes[0].set_xticklabels([count.partition(" ")[0] for count in counts])
    axes[0].set_ylim(60, 101)
    axes[0].legend(loc="lower left")


def front(engine: Engine) -> Image.Image:
    """The pictures at the top of the README."""
    workflow = load_workflow(ROOT / "workflows/text_to_image.json")
    row = [_picture(engine, workflow.set("Prompt.text", scene), "6") for scene in FRONT]
    return sheet([row], [], 1)


def cfg_ladder(engine: Engine) -> Image.Image:
    """Three prompts, each at every CFG of the ladder."""
    workflow = load_workflow(ROOT / "workflows/text_to_image.json")
    rows = []
    for scene in SCENES:
        asked = workflow.set("Prompt.text", scene)
        rows.append([_picture(engine, asked.set("Sampler.cfg", cfg), "6") for cfg in LADDER])
    return sheet(rows, [f"CFG {cfg}" for cfg in LADDER], 1)


def filmstrip(engine: Engine) -> Image.Image:
    """Twenty steps of Euler: above with the noise, below what the model takes the picture to be."""
    strip = load_workflow(ROOT / "workflows/compare_samplers.json")
    strip = strip.set("5.steps", 20).set("5.layout", "frames")
    rows = [_pictures(engine, strip.set("5.show", show), "5", 1) for show in ("noisy", "guess")]
    return sheet(rows, [str(i + 1) for i in range(len(rows[0]))], 0.5)


def vae_pair(engine: Engine) -> Image.Image:
    """The same latents decoded by the checkpoint's VAE (above) and by the vivid one."""
    workflow = load_workflow(ROOT / "workflows/swap_vae.json")
    asked = [workflow.set("Prompt.text", scene) for scene in SCENES]
    rows = [[_picture(engine, one, node) for one in asked] for node in ("7", "8")]
    return sheet(rows, [], 1)


def sheet(rows: Sequence[Sequence[Pixels]], heads: Sequence[str], scale: float) -> Image.Image:
    """Pictures of one size in rows, with a heading over each column."""
    height, width = (round(scale * side) for side in rows[0][0].shape[:2])
    top = HEAD if heads else 0
    size = (len(rows[0]) * (width + GAP) - GAP, top + len(rows) * (height + GAP) - GAP)
    whole = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(whole)
    for column, head in enumerate(heads):
        pen.text((column * (width + GAP) + width / 2, 0), head, "black", anchor="ma")
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
            whole.paste(picture, (x * (width + GAP), top + y * (height + GAP)))
    return whole


def _rows(about: str) -> list[dict[str, Any]]:
    return [row for row in measurements.measured() if row["about"] == about]


def _picture(engine: Engine, workflow: Workflow, node: str) -> Pixels:
    return _pictures(engine, workflow, node)[0]


def _pictures(engine: Engine, workflow: Workflow, node: str, output: int = 0) -> list[Pixels]:
    """What a node gives, picture by picture: [H, W, 3]."""
    result = engine.run(workflow, targets=[node]).raise_for_status()
    values = (result.outputs[node][output].pixels * 255).round().clamp(0, 255)
    return list(np.asarray(values).astype(np.uint8))


if __name__ == "__main__":
    main()

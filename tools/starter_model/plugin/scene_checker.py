"""Plugin: a node that measures the starter model's pictures, for plots and tests.

Start with `--plugins tools/starter_model/plugin`. Its numbers become the columns of a plot's table.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

from graphengine.api import Artifacts, Help, Image, Text, node


class Measured(NamedTuple):
    right: Annotated[bool, Help("Whether it shows all that the prompt asks for.")]
    things: Annotated[int, Help("How many things it shows.")]
    sharpness: Annotated[float, Help("How steep outlines are; higher is sharper.")]
    grain: Annotated[float, Help("How uneven flat surfaces are; lower is cleaner.")]
    saturation: Annotated[float, Help("How far colours are from gray, 0 to 1.")]
    shown: Artifacts


@node("StarterSceneCheck", title="Check Scene", category="measure")
def check_scene(
    image: Annotated[Image, Help("A picture of 128×128; the first of a batch.")],
    prompt: Annotated[
        str, Text(), Help("What it should show, with place and background; empty: anything.")
    ] = "",
) -> Measured:
    """Say what a picture of the starter model shows, whether that was asked for, and measure it."""
    folder = str(Path(__file__).parents[1])
    if folder not in sys.path:
        sys.path.append(folder)
    import checker
    import measures
    import scenes

    asked = scenes.read(prompt)
    if prompt.strip() and asked is None:
        raise ValueError(
            f"the prompt names no scene in full: {prompt!r}; write for example "
            "'a red circle in the center, white background', or leave it empty"
        )
    shapes = scenes.SHAPES
    if asked and any(thing.shape in scenes.NEW_SHAPES for thing in asked.things):
        shapes += scenes.NEW_SHAPES
    if image.pixels.shape[1:] != (scenes.SIZE, scenes.SIZE, 3):
        _, height, width, _ = image.pixels.shape
        side = scenes.SIZE
        raise ValueError(f"only pictures of {side}×{side} can be read; got {width}×{height}")
    picture = (image.pixels[0] * 255).round().clamp(0, 255).byte().cpu().numpy()
    sight = checker.look(picture, shapes)
    names = (
        ", ".join(f"{t.size} {t.colour} {t.shape} {t.position}" for t in sight.things) or "nothing"
    )
    text = f"{names}, {sight.background} background"
    return Measured(
        asked is None or checker.agreement(sight, asked)["all"],
        len(sight.things),
        measures.sharpness(picture),
        measures.grain(picture),
        measures.saturation(picture),
        Artifacts(texts=(text,)),
    )

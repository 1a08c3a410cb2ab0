"""Plugin: a node that measures the starter model's pictures, for plots and tests.

Put this folder on `GRAPHENGINE_PLUGIN_DIRECTORIES` and enable it. Its numbers become the columns
of a plot's table.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

from graphengine.api import Artifacts, Help, Image, node


class Measured(NamedTuple):
    things: Annotated[int, Help("How many things it shows.")]
    sharpness: Annotated[float, Help("How steep outlines are; higher is sharper.")]
    grain: Annotated[float, Help("How uneven flat surfaces are; lower is cleaner.")]
    saturation: Annotated[float, Help("How far colours are from gray, 0 to 1.")]
    shown: Artifacts


@node("StarterSceneCheck", title="Check Scene", category="measure")
def check_scene(
    image: Annotated[Image, Help("A picture of 64×64; the first of a batch.")],
) -> Measured:
    """Say what a picture of the starter model shows, and measure it."""
    folder = str(Path(__file__).parents[1])
    if folder not in sys.path:
        sys.path.append(folder)
    import checker
    import measures

    picture = (image.pixels[0] * 255).round().clamp(0, 255).byte().cpu().numpy()
    sight = checker.look(picture)
    names = ", ".join(f"{t.colour} {t.shape} {t.position}" for t in sight.things) or "nothing"
    text = f"{names}, {sight.background} background"
    return Measured(
        len(sight.things),
        measures.sharpness(picture),
        measures.grain(picture),
        measures.saturation(picture),
        Artifacts(texts=(text,)),
    )

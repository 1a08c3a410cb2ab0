"""A node that takes its time and shows what it does; needs no model."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

from graphengine.api import Artifacts, Context, SavedFile, Text, node


@node("PaintSlowly", title="Paint slowly")
def paint_slowly(
    context: Context,
    text: Annotated[str, Text(multiline=True)] = "",
    steps: int = 4,
    seconds: float = 0.1,
) -> Artifacts:
    """Shows a picture at each step, and saves the last one."""
    from PIL import Image

    for index in range(steps):
        context.preview(partial(Image.new, "RGB", (64, 64), (255 * index // steps, 80, 160)))
        context.progress(index + 1, steps)
        time.sleep(seconds)
    context.folders.output.mkdir(exist_ok=True)
    name = f"{'-'.join(text.split()) or 'slow'}.png"
    Image.new("RGB", (64, 64), (200, 80, 160)).save(context.folders.output / name)
    return Artifacts(images=(SavedFile(name),))

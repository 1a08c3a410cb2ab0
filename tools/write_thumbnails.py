"""Make the pictures of the template browser: `python tools/write_thumbnails.py [NAME…]`.

Runs each workflow of `workflows/` (or those named) and writes its first picture as
`workflows/<name>.webp`, at most 256 pixels wide. A batch is laid out as a square.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from PIL import Image

from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import load_workflow

FOLDER = Path(__file__).parents[1] / "workflows"
SIDE = 256


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.json"))
    for name in names:
        with (
            tempfile.TemporaryDirectory() as folder,
            Engine.open(Settings(base_directory=Path(folder))) as engine,
        ):
            result = engine.run(load_workflow(FOLDER / f"{name}.json")).raise_for_status()
            thumbnail([Image.open(file).convert("RGB") for file in result.files]).save(
                FOLDER / f"{name}.webp", quality=80, method=6
            )
        print(f"{name}: {(FOLDER / f'{name}.webp').stat().st_size} bytes, {result.seconds:.1f} s")


def thumbnail(pictures: list[Image.Image]) -> Image.Image:
    """The pictures in a square, enlarged or reduced to about `SIDE` pixels."""
    width, height = pictures[0].size
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    scale = SIDE / max(sheet.size)
    size = (round(sheet.width * scale), round(sheet.height * scale))
    return sheet.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()

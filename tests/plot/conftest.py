"""A workflow whose pictures are flat gray, for plots: no networks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest

from graphengine.api import Artifacts, Choice, Float, Image, InputError, Int, Seed, Text, node
from graphengine.registry import builtin_folder
from graphengine.spec import BUILTIN_PACKAGE
from graphengine.workflow import Workflow, parse_api
from tests.toy_engine import Toy, n

CALLS: Counter[str] = Counter()


@node("Paint")
def paint(
    gray: Annotated[int, Int(ge=0, le=255)],
    text: Annotated[str, Text()] = "a red cat",
    seed: Annotated[int, Seed()] = 0,
) -> Image:
    """A flat picture; 13 is bad luck."""
    import torch

    CALLS[f"paint {gray}"] += 1
    if gray == 13:
        raise InputError("image_not_found", path="13")
    return Image(torch.full((1, 8, 8, 3), gray / 255))


@node("Tint")
def tint(
    image: Image,
    how: Annotated[str, Choice(options=("warm.a", "cold.a", "none.b"))] = "none.b",
    factor: Annotated[float, Float(ge=0, le=1)] = 1.0,
) -> Image:
    """The picture, dimmed."""
    CALLS["tint"] += 1
    return Image(image.pixels * factor)


class Measured(NamedTuple):
    brightness: float
    shown: Artifacts


@node("Brightness")
def brightness(image: Image) -> Measured:
    """How bright a picture is."""
    mean = float(image.pixels.mean())
    return Measured(mean, Artifacts(texts=(str(mean),)))


class Plots(Toy):
    """A toy engine with nodes for pictures."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, paint, tint, brightness)
        self.engine.registry.load_folder(builtin_folder("nodes"), BUILTIN_PACKAGE)
        CALLS.clear()


@pytest.fixture
def toy(tmp_path: Path) -> Plots:
    return Plots(tmp_path)


def picture_workflow(**more: Any) -> Workflow:
    """Paint → Tint → Save Image."""
    return parse_api(
        {
            "1": {**n("Paint", gray=100, text="a red cat"), "_meta": {"title": "Canvas"}},
            "2": n("Tint", image=["1", 0]),
            "3": n("SaveImage", images=["2", 0]),
            **more,
        }
    )

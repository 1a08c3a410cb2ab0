"""Small nodes for the server's tests; only SlowLatent needs torch."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from graphengine.api import (
    Artifacts,
    Block,
    Choice,
    Context,
    Expand,
    Float,
    ImageFile,
    InputError,
    Int,
    Latent,
    ModelFile,
    SavedFile,
    Seed,
    Text,
    node,
)


@node("Number")
def number(value: Annotated[int, Int(ge=0, le=100000, help="Which number.")] = 1) -> int:
    """A number."""
    return value


@node("Add")
def add(a: int, b: int = 1) -> int:
    """A sum."""
    return a + b


@node("Show")
def show(value: Any) -> Artifacts:
    """Shows a value."""
    return Artifacts(texts=(str(value),))


@node("Widgets")
def widgets(
    text: Annotated[str, Text(multiline=True)],
    strength: Annotated[float, Float(ge=0, le=1, step=0.1)] = 0.5,
    method: Literal["euler", "heun"] = "euler",
    seed: Annotated[int, Seed()] = 0,
    checkpoint: Annotated[str, ModelFile(kind="checkpoints")] = "none",
    switch: bool = False,
    extra: int | None = None,
) -> Artifacts:
    """One of each."""
    return Artifacts(texts=(f"{text} {strength} {method} {seed} {switch}",))


@node("Steps")
def steps(count: int, context: Context, seconds: float = 0.0, picture: bool = False) -> int:
    """Tells its progress, and shows a picture at each step."""
    for index in range(count):
        if picture:
            import PIL.Image

            context.preview(partial(PIL.Image.new, "RGB", (1024, 16), (index, 0, 0)))
        context.progress(index + 1, count)
        time.sleep(seconds)
    return count


@node("Fail")
def fail(value: int) -> int:
    """Fails."""
    raise InputError("bad_shape", socket="INT", expected="something else", got=str(value))


@node("Maybe")
def maybe(value: int, open: bool, reason: str = "") -> int | Block:
    """Lets a value pass, or blocks what is behind."""
    return value if open else Block(reason or None)


@node("Grow")
def grow(value: int) -> Expand | int:
    """Grows into a node that shows something."""
    piece = {"show": {"class_type": "Show", "inputs": {"value": f"grown {value}"}}}
    return Expand(piece, (value,))


@node("Picture")
def picture(
    context: Context, image: Annotated[str, ImageFile()] = "", name: str = "made"
) -> Artifacts:
    """Writes a file to the output folder."""
    (context.folders.output / f"{name}.txt").write_text(name + image, encoding="utf-8")
    return Artifacts(images=(SavedFile(f"{name}.txt"),))


@node("Work", cache="never")
def work(name: str, context: Context, seconds: float = 0.0) -> Artifacts:
    """Takes its time, then appends its name to a log."""
    time.sleep(seconds)
    context.folders.output.mkdir(exist_ok=True)
    with (context.folders.output / "log").open("a", encoding="utf-8") as log:
        log.write(f"{name}\n")
    return Artifacts(texts=(name,))


@node("SlowLatent")
def slow_latent(value: float, context: Context) -> Latent:
    """Takes its time to make a latent, and says that it was called."""
    import torch

    time.sleep(0.06)
    folder = context.folders.output
    folder.mkdir(exist_ok=True)
    with (folder / "calls").open("a") as file:
        file.write(f"{value} ")
    return Latent(torch.full((1, 4, 8, 8), value))


def find_nothing(folders: Any) -> list[str]:
    """Fails while a folder says so."""
    if (Path(folders.models["vae"][0]).parent / "toy_trouble").is_dir():
        raise RuntimeError("no list today")
    return ["a"]


@node("Trouble")
def trouble(name: Annotated[str, Choice(find=find_nothing)]) -> Artifacts:
    """Has a list that may fail."""
    return Artifacts(texts=(name,))

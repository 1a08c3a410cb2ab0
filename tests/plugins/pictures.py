"""Nodes for tests of the command line: they write small files, take their time, or fail."""

from __future__ import annotations

import os
import time
from typing import Annotated

from graphengine.api import Artifacts, Context, InputError, Int, SavedFile, Text, node


@node("TestColour", title="Colour", category="tests")
def colour(
    name: Annotated[str, Text(help="Its name.")], red: Annotated[int, Int(ge=0, le=255)] = 0
) -> str:
    """A colour."""
    return f"{name} {red}"


@node("TestSave", title="Save", category="tests")
def save(colour: str, context: Context, prefix: str = "picture") -> Artifacts:
    """Writes the colour into a file, in two steps with a pause after the first."""
    folder = context.folders.output
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{prefix}.part"
    try:
        part.write_text(colour)
        context.progress(1, 2)
        context.progress(2, 2)
        part.replace(folder / f"{prefix}.txt")
    finally:
        part.unlink(missing_ok=True)
    return Artifacts(images=(SavedFile(f"{prefix}.txt"),), texts=(f"painted {colour}",))


@node("TestSlow", category="tests")
def slow(context: Context, deaf: bool = False) -> str:
    """Takes half a minute; if it is deaf, it does not listen when it is told to stop."""
    for step in range(3000):
        if not deaf or step == 0:
            context.progress(step, 3000)
        time.sleep(0.01)
    return "late"


@node("TestFail", category="tests")
def fail(colour: str, kind: str = "ours") -> Artifacts:
    """Fails in one of several ways."""
    if kind == "ours":
        raise InputError("bad_shape", socket="IMAGE", expected="4 dimensions", got="3")
    if kind == "exit":
        os._exit(77)
    raise RuntimeError("not foreseen")

"""Plot a workflow over the values of up to three of its inputs."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import (
    Artifacts,
    Bool,
    Context,
    Help,
    Image,
    Lazy,
    SavedFile,
    Text,
    node,
)


class Plotted(NamedTuple):
    sheet: Annotated[Image, Help("The labelled grid.")]
    shown: Artifacts


@node(
    "PlotXYZ",
    title="X/Y/Z Plot",
    category="utils",
    cache="never",
    search=("xy", "grid", "compare", "sweep"),
)
def plot_xyz(
    *,
    image: Annotated[Lazy[Image], Help("The picture that every cell shows, made anew for each.")],
    x: Annotated[
        str,
        Text(
            help="What changes to the right, as NODE.INPUT=VALUES: 3,7,12 or 5..50:5 or "
            "*.safetensors; or NODE.INPUT~search,other to replace words of a text."
        ),
    ] = "",
    y: Annotated[str, Text(help="What changes downwards; empty = nothing.")] = "",
    z: Annotated[str, Text(help="What changes from block to block; empty = nothing.")] = "",
    confirmed: Annotated[bool, Bool(help="More than 200 cells are meant.")] = False,
    filename_prefix: Annotated[str, Text(help="Begin of the file's name.")] = "plot",
    context: Context,
) -> Plotted:
    """Run what is before the picture at every combination of values; lay the pictures out."""
    del image  # each cell makes it anew; only the link matters
    from graphengine.diffusion.images import load_image
    from graphengine.diffusion.saving import choose_target

    target = choose_target(context.folders.output, filename_prefix, width=0, height=0)
    path = target.folder / f"{target.stem}_{target.first:05}_.png"
    rows = context.plot([x, y, z], path, confirmed=confirmed)
    saved = SavedFile(path.name, target.subfolder)
    return Plotted(load_image(path)[0], Artifacts(images=(saved,), more={"table": tuple(rows)}))

"""Load a network that steers by a picture."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Context, ControlNet, Help, Model, ModelFile, node

ControlNetName = Annotated[
    str, ModelFile(kind="controlnet", help="The ControlNet or T2I adapter file.")
]


@node(
    "ControlNetLoader",
    title="Load ControlNet Model",
    category="loaders",
    search=("t2i adapter", "pose", "depth", "canny"),
)
def load_controlnet(
    *,
    control_net_name: ControlNetName,
    context: Context,
) -> ControlNet:
    """Load a ControlNet or T2I adapter, which lets a picture decide the composition."""
    from graphengine.diffusion.control import load_control_file

    return load_control_file(context.folders.path("controlnet", control_net_name))


@node("DiffControlNetLoader", title="Load ControlNet Model (diff)", category="loaders")
def load_difference_controlnet(
    *,
    model: Annotated[Model, Help("The model whose weights are added to the differences.")],
    control_net_name: ControlNetName,
    context: Context,
) -> ControlNet:
    """Load a ControlNet whose file holds only the differences to a model's weights."""
    from graphengine.diffusion.control import load_control_file

    return load_control_file(context.folders.path("controlnet", control_net_name), model)

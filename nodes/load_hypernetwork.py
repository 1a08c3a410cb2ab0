"""Change a model with a hypernetwork."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Context, Float, Help, Model, ModelFile, node


@node("HypernetworkLoader", title="Load Hypernetwork", category="loaders")
def load_hypernetwork(
    *,
    model: Annotated[Model, Help("The model to change.")],
    hypernetwork_name: Annotated[
        str, ModelFile(kind="hypernetworks", help="The hypernetwork file.")
    ],
    strength: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.01, help="How strongly it works: 1 as trained.")
    ] = 1.0,
    context: Context,
) -> Model:
    """Change a model's style or subject with a hypernetwork, the forerunner of the LoRA."""
    from graphengine.diffusion.hypernetwork import add_hypernetwork

    file = context.folders.reference("hypernetworks", hypernetwork_name)
    return add_hypernetwork(model, file, strength)

"""Better pictures from the same network, by weighing what its decoder hears."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Model, node

Factor1 = Annotated[
    float, Float(ge=0.0, le=10.0, step=0.01, help="Strength of the backbone in the deepest stage.")
]
Factor2 = Annotated[
    float, Float(ge=0.0, le=10.0, step=0.01, help="Strength of the backbone in the next stage.")
]
Skip1 = Annotated[
    float,
    Float(ge=0.0, le=10.0, step=0.01, help="Low frequencies of the deepest stage's skips."),
]
Skip2 = Annotated[
    float,
    Float(ge=0.0, le=10.0, step=0.01, help="Low frequencies of the next stage's skips."),
]
_MODEL = Help("The model to sample otherwise.")


@node("FreeU", title="FreeU", category="model_patches/unet", search=("quality",))
def freeu(
    *,
    model: Annotated[Model, _MODEL],
    b1: Factor1 = 1.1,
    b2: Factor2 = 1.2,
    s1: Skip1 = 0.9,
    s2: Skip2 = 0.2,
) -> Model:
    """Let shapes count more than texture in the decoder, without training; 1 changes nothing."""
    from graphengine.diffusion.freeu import add_freeu

    return add_freeu(model, b1=b1, b2=b2, s1=s1, s2=s2)


@node("FreeU_V2", title="FreeU_V2", category="model_patches/unet", search=("quality",))
def freeu_by_mean(
    *,
    model: Annotated[Model, _MODEL],
    b1: Factor1 = 1.3,
    b2: Factor2 = 1.4,
    s1: Skip1 = 0.9,
    s2: Skip2 = 0.2,
) -> Model:
    """FreeU that strengthens mostly what already stands out; 1 changes nothing."""
    from graphengine.diffusion.freeu import add_freeu

    return add_freeu(model, b1=b1, b2=b2, s1=s1, s2=s2, by_mean=True)

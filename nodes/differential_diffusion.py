"""Masks whose grey values count."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Model, node


@node(
    "DifferentialDiffusion",
    title="Differential Diffusion",
    category="_for_testing",
    experimental=True,
    search=("inpaint", "soft mask"),
)
def differential_diffusion(
    *,
    model: Annotated[Model, Help("The model that paints under a mask.")],
    strength: Annotated[
        float,
        Float(
            ge=0.0, le=1.0, step=0.01, optional=True, help="1 = this rule, 0 = the mask as usual."
        ),
    ] = 1.0,
) -> Model:
    """Paint each place for as long as the mask is bright there: soft masks, soft changes."""
    from graphengine.diffusion.differential import add_differential_mask

    return add_differential_mask(model, strength)

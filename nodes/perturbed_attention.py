"""Guidance by what the network paints without looking around."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Model, node


@node(
    "PerturbedAttentionGuidance",
    category="model_patches/unet",
    search=("pag", "guidance", "quality"),
)
def perturbed_attention(
    *,
    model: Annotated[Model, Help("The model to guide otherwise.")],
    scale: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.01, round=0.01, help="How strongly; 0 = not at all."),
    ] = 3.0,
) -> Model:
    """Push away from incoherent structures; costs one more call of the network per step."""
    from graphengine.diffusion.perturbed_attention import add_perturbed_attention

    return add_perturbed_attention(model, scale)

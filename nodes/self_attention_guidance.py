"""Guidance by where the network itself looks."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Model, node


@node(
    "SelfAttentionGuidance",
    title="Self-Attention Guidance",
    category="_for_testing",
    experimental=True,
    search=("sag", "guidance", "quality"),
)
def self_attention_guidance(
    *,
    model: Annotated[Model, Help("The model to guide otherwise.")],
    scale: Annotated[
        float, Float(ge=-2.0, le=5.0, step=0.01, help="How strongly; 0 = not at all.")
    ] = 0.5,
    blur_sigma: Annotated[
        float,
        Float(ge=0.0, le=10.0, step=0.1, help="How soft the guess is made that is avoided."),
    ] = 2.0,
) -> Model:
    """Bring out details where the network looks most; costs one more call per step."""
    from graphengine.diffusion.self_attention_guidance import add_self_attention_guidance

    return add_self_attention_guidance(model, scale, blur_sigma)

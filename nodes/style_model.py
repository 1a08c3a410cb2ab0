"""A picture's style as a part of the prompt."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import (
    Choice,
    ClipVisionOutput,
    Conditioning,
    Context,
    Float,
    GraphEngineError,
    Help,
    ModelFile,
    StyleModel,
    node,
)


@node("StyleModelLoader", title="Load Style Model", category="loaders")
def load_style_model(
    *,
    style_model_name: Annotated[
        str, ModelFile(kind="style_models", help="The style adapter file.")
    ],
    context: Context,
) -> StyleModel:
    """Load a network that turns a picture's style into a part of a prompt."""
    from graphengine.diffusion.style_model import load_style_file

    return load_style_file(context.folders.path("style_models", style_model_name))


@node("StyleModelApply", title="Apply Style Model", category="conditioning/style_model")
def apply_style_model(
    *,
    conditioning: Annotated[Conditioning, Help("The words.")],
    style_model: Annotated[StyleModel, Help("The style adapter, made for the model's family.")],
    clip_vision_output: Annotated[
        ClipVisionOutput, Help("What a CLIP (ViT-L) sees in the picture.")
    ],
    strength: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.001, help="How much the style counts.")
    ] = 1.0,
    strength_type: Annotated[
        Literal["multiply", "attn_bias"],
        Choice(help="How the strength acts. attn_bias is for Flux models only."),
    ] = "multiply",
    context: Context,
) -> Conditioning:
    """Let a picture decide the style: what is seen in it stands behind the words."""
    from graphengine.diffusion.style_model import apply_style

    if strength_type == "attn_bias" and strength != 1.0:
        context.warn(GraphEngineError("style_attn_bias"))
        strength = 1.0
    return apply_style(
        context.models, conditioning, style_model, clip_vision_output, strength=strength
    )

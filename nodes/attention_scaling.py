"""Attention that counts more or less: experiments with a model's own layers."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Clip, Float, Help, Model, node

CATEGORY = "_for_testing/attention_experiments"
_MODEL = Help("The model to change.")


def _scale(help: str) -> Float:
    return Float(ge=0.0, le=10.0, step=0.01, help=help)


Query = Annotated[float, _scale("A factor on what each place asks for.")]
Key = Annotated[float, _scale("A factor on what each place offers to be found by.")]
Value = Annotated[float, _scale("A factor on what each place tells.")]
Out = Annotated[float, _scale("A factor on what comes of it.")]


@node("CLIPAttentionMultiply", category=CATEGORY, experimental=True, search=("attention",))
def scale_clip(
    *,
    clip: Annotated[Clip, Help("The text encoder to change.")],
    q: Query = 1.0,
    k: Key = 1.0,
    v: Value = 1.0,
    out: Out = 1.0,
) -> Clip:
    """Let the attention of a text encoder count more or less."""
    from graphengine.diffusion.attention_scaling import AttentionScales, scale_clip_attention

    return scale_clip_attention(clip, AttentionScales(q, k, v, out))


@node("UNetSelfAttentionMultiply", category=CATEGORY, experimental=True, search=("attention",))
def scale_self_attention(
    *,
    model: Annotated[Model, _MODEL],
    q: Query = 1.0,
    k: Key = 1.0,
    v: Value = 1.0,
    out: Out = 1.0,
) -> Model:
    """Let what the places of a picture see of each other count more or less."""
    from graphengine.diffusion.attention_scaling import AttentionScales, scale_attention

    return scale_attention(model, "attn1", AttentionScales(q, k, v, out))


@node("UNetCrossAttentionMultiply", category=CATEGORY, experimental=True, search=("attention",))
def scale_cross_attention(
    *,
    model: Annotated[Model, _MODEL],
    q: Query = 1.0,
    k: Key = 1.0,
    v: Value = 1.0,
    out: Out = 1.0,
) -> Model:
    """Let what the places of a picture see of the prompt count more or less."""
    from graphengine.diffusion.attention_scaling import AttentionScales, scale_attention

    return scale_attention(model, "attn2", AttentionScales(q, k, v, out))

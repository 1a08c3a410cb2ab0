"""How the model's answers to several prompts become one."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Conditioning, Float, Guider, Help, Model, node


@node("BasicGuider", title="BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    conditioning: Annotated[Conditioning, Help("What the picture should show.")],
) -> Guider:
    """Follow one prompt as the model understands it, without CFG."""
    return Guider("basic", model, (conditioning,))


@node("CFGGuider", title="CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    cfg: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly to follow the prompt."),
    ] = 8.0,
) -> Guider:
    """Towards the positive prompt, away from the negative one."""
    return Guider("cfg", model, (positive, negative), (cfg,))


@node("DualCFGGuider", title="DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    cond1: Annotated[Conditioning, Help("The prompt to follow first of all.")],
    cond2: Annotated[Conditioning, Help("The prompt in between, such as the picture to edit.")],
    negative: Annotated[Conditioning, Help("What the picture should not show.")],
    cfg_conds: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly cond1 over cond2."),
    ] = 8.0,
    cfg_cond2_negative: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly cond2 over negative."),
    ] = 8.0,
    style: Annotated[
        Literal["regular", "nested"],
        Choice(help="regular: both scales side by side; nested: the second acts on the first."),
    ] = "regular",
) -> Guider:
    """Two prompts with a scale each, such as a text and a picture to edit."""
    kind = "dual_cfg" if style == "regular" else "dual_cfg_nested"
    return Guider(kind, model, (cond1, cond2, negative), (cfg_conds, cfg_cond2_negative))


@node("PerpNegGuider", title="PerpNegGuider", category="_for_testing", experimental=True)
def perp_neg_guider(
    *,
    model: Annotated[Model, Help("The model that removes the noise.")],
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    empty_conditioning: Annotated[Conditioning, Help("The empty prompt.")],
    cfg: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.1, round=0.01, help="How strictly to follow the prompt."),
    ] = 8.0,
    neg_scale: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How strongly to avoid the negative one.")
    ] = 1.0,
) -> Guider:
    """Avoid the negative prompt only where it does not contradict the positive one."""
    return Guider("perp_neg", model, (positive, negative, empty_conditioning), (cfg, neg_scale))

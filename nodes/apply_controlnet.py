"""Steer a prompt by a picture."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Conditioning, ControlNet, Float, Help, Image, Vae, node

_NET = Help("The ControlNet or T2I adapter, made for the model's family.")
_IMAGE = Help("What it looks at: a pose, depth map, edges, … as it was trained to read.")
Strength = Annotated[
    float,
    Float(ge=0.0, le=10.0, step=0.01, help="How strongly it steers: 0 not at all, 1 as trained."),
]


class Sides(NamedTuple):
    positive: Conditioning
    negative: Conditioning


@node(
    "ControlNetApplyAdvanced",
    title="Apply ControlNet",
    category="conditioning/controlnet",
    search=("t2i adapter",),
)
def apply_to_both(
    *,
    positive: Annotated[Conditioning, Help("What the picture should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    control_net: Annotated[ControlNet, _NET],
    image: Annotated[Image, _IMAGE],
    strength: Strength = 1.0,
    start_percent: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.001, help="Steers from here on: 0 = pure noise, 1 = done."),
    ] = 0.0,
    end_percent: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.001, help="Steers up to here: 0 = pure noise, 1 = done."),
    ] = 1.0,
    vae: Annotated[  # noqa: ARG001
        Vae | None, Help("Only ControlNets that look at latents need one; these do not.")
    ] = None,
) -> Sides:
    """Let a picture decide the composition, for a part of the denoising; several add up."""
    from graphengine.diffusion.control import apply_control

    first, second = apply_control(
        (positive, negative),
        control_net,
        image,
        strength=strength,
        start=start_percent,
        end=end_percent,
    )
    return Sides(first, second)


@node(
    "ControlNetApply",
    title="Apply ControlNet (OLD)",
    category="conditioning/controlnet",
    deprecated=True,
)
def apply_to_one(
    *,
    conditioning: Annotated[Conditioning, Help("The prompt to steer.")],
    control_net: Annotated[ControlNet, _NET],
    image: Annotated[Image, _IMAGE],
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a picture decide the composition; the negative side follows by itself."""
    from graphengine.diffusion.control import apply_control

    (steered,) = apply_control(
        (conditioning,), control_net, image, strength=strength, on_negative=True
    )
    return steered

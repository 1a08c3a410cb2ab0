"""Large pictures from a network that was trained for smaller ones."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Bool, Choice, Float, Help, Int, Model, node

Method = Literal["bicubic", "nearest-exact", "bilinear", "area", "bislerp"]


@node(
    "PatchModelAddDownscale",
    title="PatchModelAddDownscale (Kohya Deep Shrink)",
    category="model_patches/unet",
    search=("deep shrink", "large", "high resolution"),
)
def deep_shrink(
    *,
    model: Annotated[Model, Help("The model to sample otherwise.")],
    block_number: Annotated[
        int, Int(ge=1, le=32, help="The encoder's block at which it shrinks; 3 suits SD 1.x.")
    ] = 3,
    downscale_factor: Annotated[
        float, Float(ge=0.1, le=9.0, step=0.001, help="How many times smaller the sides become.")
    ] = 2.0,
    start_percent: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.001, help="Where in the denoising it begins.")
    ] = 0.0,
    end_percent: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.001, help="Where it ends; then details are painted.")
    ] = 0.35,
    downscale_after_skip: Annotated[
        bool, Bool(help="The block's skip connection keeps its full size.")
    ] = True,
    downscale_method: Annotated[Method, Choice(help="How it is made smaller.")] = "bicubic",
    upscale_method: Annotated[Method, Choice(help="How it is made larger again.")] = "bicubic",
) -> Model:
    """Lay large pictures out at a smaller size at first, so that motifs do not repeat."""
    from graphengine.diffusion.deep_shrink import DeepShrink, add_deep_shrink

    option = DeepShrink(
        block_number,
        downscale_factor,
        start_percent,
        end_percent,
        downscale_after_skip,
        downscale_method,
        upscale_method,
    )
    return add_deep_shrink(model, option)

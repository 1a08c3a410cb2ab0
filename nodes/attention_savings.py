"""Quicker sampling of large pictures, by attention that looks at less."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Bool, Float, Help, Int, Model, node

_MODEL = Help("The model to sample more quickly.")


@node("HyperTile", category="model_patches/unet", search=("speed", "fast", "large"))
def hypertile(
    *,
    model: Annotated[Model, _MODEL],
    tile_size: Annotated[
        int, Int(ge=1, le=2048, help="Least side of a tile in pixels of the picture.")
    ] = 256,
    swap_size: Annotated[
        int, Int(ge=1, le=128, help="Among how many tile sizes chance decides, against seams.")
    ] = 2,
    max_depth: Annotated[
        int, Int(ge=0, le=10, help="How deep in the network: 0 = only at the full size.")
    ] = 0,
    scale_depth: Annotated[bool, Bool(help="Larger tiles deeper in the network.")] = False,
) -> Model:
    """Sample large pictures more quickly: self-attention looks no further than its tile."""
    from graphengine.diffusion.hypertile import add_hypertile

    return add_hypertile(
        model,
        tile_size=tile_size,
        swap_size=swap_size,
        max_depth=max_depth,
        scale_depth=scale_depth,
    )


@node("TomePatchModel", category="model_patches/unet", search=("token merging", "speed", "fast"))
def merge_tokens(
    *,
    model: Annotated[Model, _MODEL],
    ratio: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="The part of the tokens to merge.")
    ] = 0.3,
) -> Model:
    """Sample more quickly: places that look alike pass through self-attention as one."""
    from graphengine.diffusion.token_merging import add_token_merging

    return add_token_merging(model, ratio)

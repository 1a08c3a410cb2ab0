"""Clip skip."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Clip, Help, Int, node


@node(
    "CLIPSetLastLayer",
    title="CLIP Set Last Layer",
    category="conditioning",
    search=("clip skip",),
)
def set_clip_layer(
    *,
    clip: Annotated[Clip, Help("The text encoder to stop early.")],
    stop_at_clip_layer: Annotated[
        int,
        Int(
            ge=-24,
            le=-1,
            help="-1 is the last layer (clip skip 1): the meaning of the whole sentence. "
            "-2 is one earlier (clip skip 2): closer to the single words. "
            "Models say in their notes which one they were trained with.",
        ),
    ] = -1,
) -> Clip:
    """Stop the text encoder some layers early (clip skip)."""
    from graphengine.diffusion.clip import set_last_layer

    return set_last_layer(clip, stop_at_clip_layer)

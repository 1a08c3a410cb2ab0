"""The empty latent that a new picture starts from."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Int, Latent, node


@node("EmptyLatentImage", title="Empty Latent Image", category="latent", search=("size", "blank"))
def empty_latent(
    width: Annotated[
        int, Int(ge=16, le=16384, step=8, help="Width of the picture in pixels.")
    ] = 512,
    height: Annotated[
        int, Int(ge=16, le=16384, step=8, help="Height of the picture in pixels.")
    ] = 512,
    batch_size: Annotated[
        int, Int(ge=1, le=4096, help="How many pictures to make at once, each from other noise.")
    ] = 1,
) -> Latent:
    """Start a new picture of a given size."""
    import torch

    return Latent(torch.zeros(batch_size, 4, height // 8, width // 8))

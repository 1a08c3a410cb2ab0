"""Latents turned, mirrored and cropped."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Help, Int, Latent, node

_SAMPLES = Help("The latent to change; its noise mask changes alike.")
_ROTATIONS = ("none", "90 degrees", "180 degrees", "270 degrees")


@node("LatentRotate", title="Rotate Latent", category="latent/transform", search=("turn",))
def rotate(
    samples: Annotated[Latent, _SAMPLES],
    rotation: Annotated[
        Literal["none", "90 degrees", "180 degrees", "270 degrees"],
        Choice(help="How far it is turned, clockwise."),
    ],
) -> Latent:
    """Turn a latent clockwise."""
    from graphengine.diffusion.latents import rotate

    return rotate(samples, _ROTATIONS.index(rotation))


@node("LatentFlip", title="Flip Latent", category="latent/transform", search=("mirror",))
def flip(
    samples: Annotated[Latent, _SAMPLES],
    flip_method: Annotated[
        Literal["x-axis: vertically", "y-axis: horizontally"],
        Choice(help="x-axis: upside down. y-axis: left to right."),
    ],
) -> Latent:
    """Mirror a latent."""
    from graphengine.diffusion.latents import flip

    return flip(samples, upside_down=flip_method == "x-axis: vertically")


@node("LatentCrop", title="Crop Latent", category="latent/transform", search=("cut",))
def crop(
    *,
    samples: Annotated[Latent, _SAMPLES],
    width: Annotated[
        int, Int(ge=64, le=16384, step=8, help="Width of the part in pixels of the picture.")
    ] = 512,
    height: Annotated[
        int, Int(ge=64, le=16384, step=8, help="Height of the part in pixels of the picture.")
    ] = 512,
    x: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels left of the part.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels above the part.")] = 0,
) -> Latent:
    """Cut a rectangle out of a latent; it ends where the latent does."""
    from graphengine.diffusion.latents import crop

    return crop(samples, x=x, y=y, width=width, height=height)

"""Latents at another size."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Float, Help, Int, Latent, node

_SAMPLES = Help("The latent to resize.")
_METHOD = Choice(
    help="How values between the old ones are made. bislerp turns from one latent vector to the "
    "next instead of fading, which keeps contrast."
)
_Method = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]


@node("LatentUpscale", title="Upscale Latent", category="latent", search=("resize", "hires"))
def upscale(
    *,
    samples: Annotated[Latent, _SAMPLES],
    upscale_method: Annotated[_Method, _METHOD],
    width: Annotated[
        int,
        Int(ge=0, le=16384, step=8, help="Width of the picture in pixels; 0 keeps the shape."),
    ] = 512,
    height: Annotated[
        int,
        Int(ge=0, le=16384, step=8, help="Height of the picture in pixels; 0 keeps the shape."),
    ] = 512,
    crop: Annotated[
        Literal["disabled", "center"],
        Choice(help="center: cut what does not fit the new shape. disabled: stretch."),
    ],
) -> Latent:
    """Resize a latent, usually before sampling again for a larger picture."""
    from graphengine.diffusion.latents import upscale

    return upscale(samples, width, height, method=upscale_method, crop=crop)


@node("LatentUpscaleBy", title="Upscale Latent By", category="latent", search=("resize", "hires"))
def upscale_by(
    samples: Annotated[Latent, _SAMPLES],
    upscale_method: Annotated[_Method, _METHOD],
    scale_by: Annotated[
        float, Float(ge=0.01, le=8.0, step=0.01, help="What both sides are multiplied by.")
    ] = 1.5,
) -> Latent:
    """Resize a latent by a factor."""
    from graphengine.diffusion.latents import upscale_by

    return upscale_by(samples, scale_by, method=upscale_method)

"""One latent over another."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Bool, Float, Help, Int, Latent, Mask, node

_X = Int(ge=0, le=16384, step=8, help="Distance from the left edge in pixels of the picture.")
_Y = Int(ge=0, le=16384, step=8, help="Distance from the upper edge in pixels of the picture.")
_TO = Help("The latent below.")
_FROM = Help("The latent that is laid over it.")


@node("LatentComposite", title="Latent Composite", category="latent", search=("paste",))
def composite(
    *,
    samples_to: Annotated[Latent, _TO],
    samples_from: Annotated[Latent, _FROM],
    x: Annotated[int, _X] = 0,
    y: Annotated[int, _Y] = 0,
    feather: Annotated[
        int,
        Int(
            ge=0,
            le=16384,
            step=8,
            help="Pixels over which the pasted latent fades in at edges inside the other.",
        ),
    ] = 0,
) -> Latent:
    """Paste a latent onto another, with soft edges if wanted."""
    from graphengine.diffusion.compositing import feather_latents

    return feather_latents(samples_to, samples_from, x=x, y=y, feather=feather)


@node(
    "LatentCompositeMasked",
    title="LatentCompositeMasked",
    category="latent",
    search=("paste", "mask"),
)
def composite_masked(
    *,
    destination: Annotated[Latent, _TO],
    source: Annotated[Latent, _FROM],
    x: Annotated[int, _X] = 0,
    y: Annotated[int, _Y] = 0,
    resize_source: Annotated[
        bool, Bool(help="Bring the source to the destination's size first.")
    ] = False,
    mask: Annotated[
        Mask | None, Help("White where the source shows; without one it covers all.")
    ] = None,
) -> Latent:
    """Paste a latent onto another through a mask."""
    from graphengine.diffusion.compositing import composite_latents

    return composite_latents(destination, source, x=x, y=y, resize_source=resize_source, mask=mask)


@node("LatentBlend", title="Latent Blend", category="_for_testing", search=("mix",))
def blend(
    samples1: Annotated[Latent, Help("One latent.")],
    samples2: Annotated[Latent, Help("The other one; it is brought to the first one's size.")],
    blend_factor: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.01, help="Share of samples1: 1 = it alone, 0 = the other."),
    ] = 0.5,
) -> Latent:
    """Mix two latents value by value."""
    from graphengine.diffusion.latents import blend

    return blend(samples1, samples2, blend_factor)

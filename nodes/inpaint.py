"""Painting only a part of a picture."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Bool, Conditioning, Context, Help, Image, Int, Latent, Mask, Vae, node

_MASK = Help("White where the picture is painted anew; brought to the picture's size.")
_PIXELS = Help("The picture; sides are cropped to multiples of 8.")
_VAE = Help("The VAE of the model that will paint.")


class InpaintConditioning(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "VAEEncodeForInpaint",
    title="VAE Encode (for Inpainting)",
    category="latent/inpaint",
    search=("mask", "outpaint"),
)
def encode_for_inpaint(
    *,
    pixels: Annotated[Image, _PIXELS],
    vae: Annotated[Vae, _VAE],
    mask: Annotated[Mask, _MASK],
    grow_mask_by: Annotated[
        int,
        Int(
            ge=0, le=64, help="Pixels around each masked one that are painted too, for soft seams."
        ),
    ] = 6,
    context: Context,
) -> Latent:
    """Encode a picture with grey under the mask, to be painted there from nothing (denoise 1)."""
    from graphengine.diffusion.inpaint_inputs import encode_for_inpaint

    return encode_for_inpaint(context.models, vae, pixels, mask, grow_by=grow_mask_by)


@node("SetLatentNoiseMask", title="Set Latent Noise Mask", category="latent/inpaint")
def set_noise_mask(
    samples: Annotated[Latent, Help("The latent of the picture.")],
    mask: Annotated[Mask, Help("White where the sampler may change it; any size.")],
) -> Latent:
    """Let the sampler change a latent only under a mask, starting from what is there."""
    from graphengine.diffusion.latents import set_noise_mask

    return set_noise_mask(samples, mask)


@node(
    "InpaintModelConditioning",
    title="InpaintModelConditioning",
    category="conditioning/inpaint",
    search=("mask",),
)
def inpaint_model_conditioning(
    *,
    positive: Annotated[Conditioning, Help("What the painted part should show.")],
    negative: Annotated[Conditioning, Help("What it should not show.")],
    vae: Annotated[Vae, _VAE],
    pixels: Annotated[Image, _PIXELS],
    mask: Annotated[Mask, _MASK],
    noise_mask: Annotated[
        bool,
        Bool(help="Keep the picture outside the mask exactly; off lets the model blend freely."),
    ] = True,
    context: Context,
) -> InpaintConditioning:
    """Show an inpainting model the picture and the mask."""
    from graphengine.diffusion.inpaint_inputs import condition_inpainting

    return InpaintConditioning(
        *condition_inpainting(
            context.models,
            vae,
            pixels,
            mask,
            positive=positive,
            negative=negative,
            noise_mask=noise_mask,
        )
    )

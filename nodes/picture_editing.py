"""Changing a picture by an instruction."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Conditioning, Context, Help, Image, Latent, Vae, node


class Editing(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "InstructPixToPixConditioning",
    category="conditioning/instructpix2pix",
    search=("edit", "instruction", "ip2p"),
)
def condition_editing(
    *,
    positive: Annotated[Conditioning, Help("What to do: “make it snow”.")],
    negative: Annotated[Conditioning, Help("What it should not become.")],
    vae: Annotated[Vae, Help("The VAE of the model that will paint.")],
    pixels: Annotated[Image, Help("The picture to change; sides are cropped to multiples of 8.")],
    context: Context,
) -> Editing:
    """Show an InstructPix2Pix model the picture that it changes as it is told."""
    from graphengine.diffusion.inpaint_inputs import condition_editing

    return Editing(
        *condition_editing(context.models, vae, pixels, positive=positive, negative=negative)
    )

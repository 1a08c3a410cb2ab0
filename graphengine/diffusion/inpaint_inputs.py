"""What is made of a picture and a mask before inpainting: latents, masks, conditionings."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from graphengine.diffusion.batches import fit_batch
from graphengine.diffusion.channels import with_channels
from graphengine.diffusion.conditioning import LATENT_SCALE
from graphengine.diffusion.framing import GREY
from graphengine.diffusion.masks import resize_to
from graphengine.diffusion.morphology import dilate
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.vae import crop_to_multiple, encode
from graphengine.sockets import Conditioning, Image, Latent, Mask, Vae


def encode_for_inpaint(
    store: ModelStore, vae: Vae | None, image: Image, mask: Mask, *, grow_by: int
) -> Latent:
    """The latent of the picture greyed under the mask, with the grown mask as its noise mask.

    Both are cropped about the centre to multiples of 8; the mask, brought to the picture's size
    and rounded, grows to the ``grow_by`` × ``grow_by`` pixels around each of its own. Raises as
    `vae.encode` does.
    """
    pixels, values = _cropped(image, mask)
    grown = dilate(values.round(), grow_by) if grow_by > 0 else values
    return replace(encode(store, vae, _greyed(pixels, values)), noise_mask=grown.round())


def condition_inpainting(
    store: ModelStore,
    vae: Vae | None,
    image: Image,
    mask: Mask,
    *,
    positive: Conditioning,
    negative: Conditioning,
    noise_mask: bool,
) -> tuple[Conditioning, Conditioning, Latent]:
    """Both conditionings with what inpainting networks see beside the noise, and the latent.

    They see the picture greyed under the mask, and the mask; the latent is that of the whole
    picture, with ``noise_mask`` to be changed only under the mask. Cropped and sized as in
    `encode_for_inpaint`; raises as `vae.encode` does.
    """
    pixels, values = _cropped(image, mask)
    seen = encode(store, vae, _greyed(pixels, values)).samples
    latent = encode(store, vae, Image(pixels.movedim(1, -1)))
    if noise_mask:
        latent = replace(latent, noise_mask=values)
    return _seeing(positive, seen, values), _seeing(negative, seen, values), latent


def condition_editing(
    store: ModelStore,
    vae: Vae | None,
    image: Image,
    *,
    positive: Conditioning,
    negative: Conditioning,
) -> tuple[Conditioning, Conditioning, Latent]:
    """Both conditionings with the picture that an editing network changes, and an empty latent.

    Brooks et al. 2023 (InstructPix2Pix, arXiv:2211.09800), section 3.2. Sides are cropped to
    multiples of 8 about the centre; raises as `vae.encode` does.
    """
    pixels = crop_to_multiple(with_channels(image.pixels, 3).movedim(-1, 1), LATENT_SCALE)
    seen = encode(store, vae, Image(pixels.movedim(1, -1))).samples
    latent = Latent(torch.zeros_like(seen))
    return _editing(positive, seen), _editing(negative, seen), latent


def _editing(conditioning: Conditioning, picture: Tensor) -> Conditioning:
    return Conditioning(
        tuple(replace(condition, concat_latent=picture) for condition in conditioning.conditions)
    )


def _cropped(image: Image, mask: Mask) -> tuple[Tensor, Tensor]:
    """Pixels [B, 3, H, W] and masks [B, 1, H, W], H and W multiples of 8; masks begin anew."""
    pixels = with_channels(image.pixels, 3).movedim(-1, 1)
    values = fit_batch(resize_to(mask.values, pixels.shape[-2:]), len(pixels))[:, None]
    return crop_to_multiple(pixels, LATENT_SCALE), crop_to_multiple(values, LATENT_SCALE)


def _greyed(pixels: Tensor, values: Tensor) -> Image:
    kept = 1.0 - values.round().to(pixels)
    return Image(((pixels - GREY) * kept + GREY).movedim(1, -1))


def _seeing(conditioning: Conditioning, picture: Tensor, mask: Tensor) -> Conditioning:
    return Conditioning(
        tuple(
            replace(condition, concat_latent=picture, concat_mask=mask)
            for condition in conditioning.conditions
        )
    )

"""Painting only a part: the mask around a sampling, and the channels of inpainting networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphengine.diffusion.conditions import resize_mask
from graphengine.diffusion.guidance import Options
from graphengine.diffusion.latent_space import into_model
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.samplers.steps import Denoise
from graphengine.errors import InputError
from graphengine.sockets import Condition, Model

# The latent of a plain grey picture in SD 1.x, what inpainting networks get without a picture.
GREY_LATENT = (0.8223, -0.6876, 0.6364, 0.1380)


@dataclass(frozen=True, eq=False)
class Inpainting:
    """A denoiser that paints where ``mask`` is 1 and keeps ``latent`` where it is 0.

    Outside the mask x is the latent under the same ``noise`` at every level. ``mask``: [B, 1, H,
    W] 0..1; ``latent``, ``noise``: [B, C, H, W], the latent in the model's scale.
    """

    inner: Denoise
    mask: Tensor
    latent: Tensor
    noise: Tensor
    levels: ModelSampling
    sigmas: Tensor
    options: Options = ()

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised latent, equal to ``latent`` outside the mask."""
        mask = self._mask(sigma)
        return self._kept(self.inner(self._held(x, sigma, mask), sigma), mask)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the unconditional one of the whole picture."""
        mask = self._mask(sigma)
        denoised, uncond = self.inner.with_uncond(self._held(x, sigma, mask), sigma)
        return self._kept(denoised, mask), uncond

    def _mask(self, sigma: Tensor) -> Tensor:
        mask = self.mask
        for option in self.options:
            mask = option.denoise_mask(mask, sigma, self.sigmas, self.levels)
        return mask

    def _held(self, x: Tensor, sigma: Tensor, mask: Tensor) -> Tensor:
        if x.shape != self.latent.shape:
            raise InputError("mask_of_growing_latent")
        return x * mask + self.levels.add_noise(self.latent, self.noise, sigma) * (1.0 - mask)

    def _kept(self, denoised: Tensor, mask: Tensor) -> Tensor:
        return denoised * mask + self.latent * (1.0 - mask)


def further_channels(
    model: Model, condition: Condition, latent: Tensor, mask: Tensor | None
) -> Tensor | None:
    """The channels that an inpainting or picture-editing network wants beside the noisy latent.

    9 channels: the mask, rounded, and the picture with the masked part greyed; 8: the picture.
    The condition brings them; else they are ``mask`` [B, 1, h, w] and ``latent`` [B, C, h, w] (in
    the model's scale), and a grey picture to be painted whole where there is no mask.
    """
    missing = model.in_channels - model.family.latent_channels
    if missing == 0:
        return None
    if missing == latent.shape[1]:
        return _fitted(condition.concat_latent, torch.zeros_like(latent))
    if missing != latent.shape[1] + 1:
        raise InputError(
            "inpaint_needs_latent", expected=model.in_channels, got=2 * latent.shape[1] + 1
        )
    if condition.concat_mask is not None:
        mask = resize_mask(condition.concat_mask.to(latent.device), *latent.shape[-2:])
    if mask is None:
        return torch.cat([torch.ones_like(latent[:1, :1]), _grey(latent[:1])], dim=1)
    given = condition.concat_latent
    picture = _fitted(None if given is None else into_model(given, model.family), latent)
    return torch.cat([mask.round().expand(len(picture), -1, -1, -1), picture], dim=1)


def _fitted(given: Tensor | None, latent: Tensor) -> Tensor:
    if given is None:
        return latent
    given = given.to(latent)
    if given.shape[-2:] == latent.shape[-2:]:
        return given
    return interpolate(given, size=latent.shape[-2:], mode="bilinear")


def _grey(latent: Tensor) -> Tensor:
    values = torch.tensor(GREY_LATENT, device=latent.device)
    return values[:, None, None].expand_as(latent) if latent.shape[1] == 4 else latent * 0

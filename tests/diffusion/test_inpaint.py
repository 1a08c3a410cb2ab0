"""Masks around a sampling and the channels of inpainting networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.inpaint import GREY_LATENT, Inpainting, further_channels
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.errors import InputError
from graphengine.sockets import Condition, Family, FileRef, Model, Sampling, Weights

LEVELS = model_sampling(Sampling())
LATENT = torch.full((1, 4, 2, 2), 3.0)
NOISE = torch.full((1, 4, 2, 2), 0.5)
MASK = torch.tensor([[[[1.0, 0.0], [0.5, 0.0]]]])
SIGMA = torch.tensor(2.0)
WORDS = Condition(torch.zeros(1, 2, 3))


class Echo:
    """A denoiser that answers 10 and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.seen.append(x)
        return torch.full_like(x, 10.0)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return self(x, sigma), torch.full_like(x, 20.0)


def inpainting(inner: Echo, *options: SamplingOption) -> Inpainting:
    return Inpainting(
        inner, MASK, LATENT, NOISE, LEVELS, torch.tensor([2.0, 1.0, 0.0]), tuple(options)
    )


def test_outside_the_mask_the_model_sees_the_latent_under_its_noise():
    inner = Echo()
    inpainting(inner)(torch.full((1, 4, 2, 2), 100.0), SIGMA)
    assert inner.seen[0][0, 0].flatten().tolist() == [100.0, 4.0, 52.0, 4.0]


def test_outside_the_mask_the_latent_is_kept():
    denoised = inpainting(Echo())(torch.zeros(1, 4, 2, 2), SIGMA)
    assert denoised[0, 0].flatten().tolist() == [10.0, 3.0, 6.5, 3.0]


def test_cfg_pp_gets_the_kept_latent_and_the_whole_unconditional_one():
    denoised, uncond = inpainting(Echo()).with_uncond(torch.zeros(1, 4, 2, 2), SIGMA)
    assert denoised[0, 0].flatten().tolist() == [10.0, 3.0, 6.5, 3.0]
    assert (uncond == 20.0).all()


def test_a_sampler_that_enlarges_the_latent_cannot_keep_parts_of_it():
    with pytest.raises(InputError) as caught:
        inpainting(Echo())(torch.zeros(1, 4, 3, 3), SIGMA)
    assert caught.value.code == "mask_of_growing_latent"


class Everything(SamplingOption):
    def denoise_mask(self, mask, sigma, sigmas, levels):
        assert sigmas.tolist() == [2.0, 1.0, 0.0]
        return torch.ones_like(mask)


def test_an_option_may_change_the_mask_along_the_way():
    assert (inpainting(Echo(), Everything())(torch.zeros(1, 4, 2, 2), SIGMA) == 10.0).all()


def model(channels: int) -> Model:
    return Model(Weights(FileRef("m", 1, 1), "unet"), Family("sd1"), in_channels=channels)


def test_ordinary_networks_want_nothing_more():
    assert further_channels(model(4), WORDS, LATENT, None) is None


def test_an_inpainting_network_gets_mask_and_scaled_picture_of_the_condition():
    picture = torch.full((1, 4, 2, 2), 2.0)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 0.7
    condition = Condition(WORDS.embedding, concat_latent=picture, concat_mask=mask)
    channels = further_channels(model(9), condition, LATENT, None)
    assert channels.shape == (1, 5, 2, 2)
    assert channels[0, 0].tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert channels[0, 1, 0, 0] == pytest.approx(2.0 * 0.18215)


def test_without_a_picture_of_its_own_it_gets_the_latent_and_its_mask():
    channels = further_channels(model(9), WORDS, LATENT, MASK)
    assert channels[0, 0].flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(channels[:, 1:], LATENT)


def test_without_any_mask_it_paints_a_grey_picture_anew():
    channels = further_channels(model(9), WORDS, LATENT, None)
    assert (channels[:, 0] == 1).all()
    assert channels[0, 1:, 0, 0].tolist() == pytest.approx(list(GREY_LATENT))


def test_a_picture_editing_network_gets_the_picture_unscaled():
    condition = Condition(WORDS.embedding, concat_latent=torch.full((1, 4, 4, 4), 2.0))
    channels = further_channels(model(8), condition, LATENT, None)
    assert channels.shape == (1, 4, 2, 2)
    assert (channels == 2.0).all()


def test_an_unknown_number_of_channels_is_refused():
    with pytest.raises(InputError) as caught:
        further_channels(model(7), WORDS, LATENT, None)
    assert caught.value.code == "inpaint_needs_latent"

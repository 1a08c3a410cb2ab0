"""Samplers against reference end states, closed forms and diffusers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import SamplerNoise, initial_noise
from graphengine.diffusion.samplers import SAMPLERS, Run, Step
from graphengine.diffusion.schedules import karras
from graphengine.sockets import Sampling
from tests.diffusion.reference import sampling_reference

REFERENCE = sampling_reference()["samplers"]
SD = model_sampling(Sampling())


class ReferenceDenoiser:
    """The analytic denoiser behind the reference numbers."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return 0.9 * x / (1 + sigma**2) + 0.05 * torch.sin(sigma)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, 0.8 * denoised


def end_state(name: str, steps: int = 8, seed: int = 7, **options: object) -> Tensor:
    sigmas = karras(SD, steps)
    latent = torch.zeros(1, 4, 8, 8)
    x = SD.add_noise(latent, initial_noise(latent, seed), sigmas[0], from_the_top=True)
    run = Run(ReferenceDenoiser(), SD, SamplerNoise(seed))
    return SAMPLERS[name](run, x, sigmas, **options)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_ends_where_the_reference_does(name):
    x, expected = end_state(name), REFERENCE[name]
    torch.testing.assert_close(
        x.flatten()[:4], torch.tensor(expected["first4"]), rtol=2e-6, atol=1e-6
    )
    assert float(x.mean()) == pytest.approx(expected["mean"], abs=1e-6)
    assert float(x.std()) == pytest.approx(expected["std"], abs=1e-6)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_samplers_do_not_write_into_what_they_are_given(name):
    sigmas = karras(SD, 4)
    x = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * sigmas[0]
    x_before, sigmas_before = x.clone(), sigmas.clone()
    SAMPLERS[name](Run(ReferenceDenoiser(), SD, SamplerNoise(1)), x, sigmas)
    assert torch.equal(x, x_before)
    assert torch.equal(sigmas, sigmas_before)


def test_the_callback_sees_every_step_once():
    seen: list[Step] = []
    sigmas = karras(SD, 5)
    run = Run(ReferenceDenoiser(), SD, SamplerNoise(1), seen.append)
    SAMPLERS["euler"](run, torch.randn(1, 4, 2, 2), sigmas)
    assert [(step.index, step.steps) for step in seen] == [(i, 5) for i in range(5)]
    assert [step.sigma for step in seen] == sigmas[:-1].tolist()
    assert seen[0].denoised.shape == (1, 4, 2, 2)

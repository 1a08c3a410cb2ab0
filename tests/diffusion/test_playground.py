"""Playground v2.5: an SDXL whose latents are brought to mean 0 by channel."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from graphengine.diffusion.architectures import SDXL, playground
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.checkpoint_saving import save_checkpoint
from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.guidance_variants import add_option
from graphengine.diffusion.latent_space import into_model, out_of_model
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import initial_noise
from graphengine.diffusion.sampling import add_noise, sample
from graphengine.diffusion.sampling_mode import continuous
from graphengine.sockets import Latent, Noise, Sampling, Sigmas
from tests.diffusion import tiny_models as tiny

# What the model's VAE says of its latents, published with it.
MEAN = torch.tensor([-1.6574, 1.886, -1.383, 2.5155])[:, None, None]
STD = torch.tensor([8.4927, 5.9022, 6.5498, 5.2299])[:, None, None]
MODE = Sampling("edm_playground", levels="continuous", sigma_min=0.002, sigma_max=80.0)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_its_latents_are_brought_to_mean_0_and_half_a_deviation():
    family, latent = playground(SDXL), noise(1, 2, 4, 8, 8)
    seen = into_model(latent, family)
    torch.testing.assert_close(seen, (latent - MEAN) * 0.5 / STD)
    torch.testing.assert_close(out_of_model(seen, family), latent)
    empty = torch.zeros(1, 4, 8, 8)
    assert torch.equal(into_model(empty, family), empty)


def test_other_latents_are_only_scaled():
    latent = noise(1, 1, 4, 8, 8)
    torch.testing.assert_close(into_model(latent, SDXL), latent * 0.13025)
    torch.testing.assert_close(out_of_model(latent, SDXL), latent / 0.13025)


def test_a_file_says_that_it_is_one_and_still_does_when_saved(tmp_path: Path):
    plain = tiny.make_checkpoint(tmp_path / "plain.safetensors", family="sdxl")
    marks = {"edm_mean": MEAN[None].contiguous(), "edm_std": STD[None].contiguous()}
    save_file(load_file(plain) | marks, str(tmp_path / "playground.safetensors"))
    model, clip, vae = load_checkpoint(tmp_path / "playground.safetensors")
    assert model.family == playground(SDXL)
    assert model.sampling == MODE
    assert load_checkpoint(plain)[0].family == SDXL
    save_checkpoint(tmp_path / "saved.safetensors", model, clip, vae, {})
    again, _, _ = load_checkpoint(tmp_path / "saved.safetensors")
    assert (again.family, again.sampling) == (model.family, model.sampling)
    torch.testing.assert_close(load_file(tmp_path / "saved.safetensors")["edm_std"], STD[None])


def test_what_is_sampled_comes_out_as_the_vae_knows_it(tiny_store, tiny_model, words):
    class Ones(SamplingOption):
        def around_call(self, call, predict):
            return predict(call) * 0 + 1

    model = continuous(tiny_model("sd1"), "edm_playground_v2.5", sigma_min=0.002, sigma_max=80.0)
    assert (model.sampling, model.family.latent_scale) == (MODE, 0.5)
    found = sample(
        tiny_store,
        add_option(model, Ones()),
        Latent(torch.zeros(1, 4, 8, 8)),
        words(1),
        words(2),
        seed=5,
        steps=2,
        cfg=3.0,
        sampler="euler",
        scheduler="karras",
    )
    torch.testing.assert_close(found.samples, (1 * STD / 0.5 + MEAN).expand(1, 4, 8, 8))


def test_noise_is_put_on_what_the_network_sees(tiny_model):
    model = continuous(tiny_model("sd1"), "edm_playground_v2.5", sigma_min=0.002, sigma_max=80.0)
    latent = Latent(noise(2, 1, 4, 8, 8))
    found = add_noise(model, Noise(7), Sigmas(torch.tensor([3.0, 0.0])), latent).samples
    drawn = initial_noise(latent.samples, 7)
    torch.testing.assert_close(
        found, latent.samples + 3.0 * drawn * STD / 0.5, rtol=1e-4, atol=1e-4
    )
    assert model_sampling(model.sampling).sigma_max > 79.9

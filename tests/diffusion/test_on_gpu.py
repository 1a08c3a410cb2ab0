"""On a GPU: half precision comes near the CPU's float32. Skipped where there is none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.guidance_variants import add_option
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.self_attention_guidance import SelfAttentionGuidance
from graphengine.diffusion.vae import decode, encode
from graphengine.sockets import Image, Latent
from tests.diffusion.tiny_models import make_checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
RUN = {"seed": 5, "steps": 4, "cfg": 3.0, "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))


@pytest.fixture(scope="module")
def gpu() -> ModelStore:
    return ModelStore("cuda", budget_bytes=1 << 30)


def decibels(got: Tensor, expected: Tensor) -> float:
    return 20 * math.log10(float(expected.norm()) / float((got - expected).norm()))


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "dpmpp_2m_sde", "uni_pc"])
def test_half_precision_comes_near_the_cpus_float32(tiny_store, tiny_model, words, gpu, sampler):
    model = tiny_model("sd1")
    runs = [
        sample(store, model, EMPTY, words(1), words(2), **RUN, sampler=sampler).samples
        for store in (tiny_store, gpu)
    ]
    assert runs[1].device.type == "cpu"
    assert decibels(runs[1], runs[0]) > 30


def test_float32_on_a_gpu_comes_nearer(tiny_store, tiny_model, words):
    store, model = ModelStore("cuda", dtype=torch.float32), tiny_model("sd1")
    runs = [
        sample(each, model, EMPTY, words(1), words(2), **RUN, sampler="euler").samples
        for each in (tiny_store, store)
    ]
    assert decibels(runs[1], runs[0]) > 50


def test_options_and_masks_work_in_half_precision(tiny_model, words, gpu):
    model = add_option(tiny_model("sd1"), SelfAttentionGuidance(0.5, 2.0))
    latent = Latent(torch.randn(1, 4, 8, 8), noise_mask=torch.ones(1, 1, 64, 64))
    latent.noise_mask[..., :32] = 0
    got = sample(gpu, model, latent, words(1), words(2), **RUN, sampler="euler").samples
    torch.testing.assert_close(got[..., :4], latent.samples[..., :4], rtol=1e-3, atol=1e-3)
    assert torch.isfinite(got).all()


def test_pictures_go_through_a_vae_in_float32(tmp_path, tiny_store, gpu):
    _, _, vae = load_checkpoint(make_checkpoint(tmp_path / "tiny.safetensors"))
    picture = Image(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1)))
    latents = [encode(store, vae, picture).samples for store in (tiny_store, gpu)]
    assert decibels(latents[1], latents[0]) > 50
    shown = [decode(store, vae, Latent(latents[0])).pixels for store in (tiny_store, gpu)]
    assert decibels(shown[1], shown[0]) > 50


def test_the_budget_is_kept_on_the_device(tiny_model, tmp_path):
    store = ModelStore("cuda", budget_bytes=1)
    store.unet(tiny_model("sd1"))
    store.unet(tiny_model("sdxl"))
    assert [resident.recipe.weights.part for resident in store.residents()] == ["unet"]

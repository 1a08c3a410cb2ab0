"""Pictures beside words: the vectors, and that they steer unCLIP models and SDXL."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphengine.diffusion.checkpoint import load_unet_file
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.sinusoids import sinusoidal_embedding
from graphengine.diffusion.unclip import SeenPicture, add_pictures, picture_vector
from graphengine.diffusion.vectors import vector_of
from graphengine.errors import InputError
from graphengine.sockets import ClipVisionOutput, Condition, Conditioning, Family, Latent, Model
from tests.diffusion import tiny_models as tiny

RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))
STATES = torch.zeros(1, 5, 64)


def seen(*values: float, width: int = 4) -> ClipVisionOutput:
    return ClipVisionOutput(torch.tensor(values)[:, None].repeat(1, width), STATES, STATES)


def picture(value: float, strength: float = 1.0, augmentation: float = 0.0) -> SeenPicture:
    return SeenPicture(torch.full((4,), value), strength, augmentation)


def vector(*pictures: SeenPicture, seed: int = 17, merged: float = 0.05) -> torch.Tensor:
    return picture_vector(pictures, width=4, seed=seed, merged_augmentation=merged)[0]


def kept(level: int) -> float:
    """The power left at a level, from Nichol & Dhariwal's formula."""

    def power(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    return power((level + 1) / 1000) / power(0)


def noise(seed: int) -> torch.Tensor:
    return torch.randn(1, 4, generator=torch.Generator().manual_seed(seed))[0]


@pytest.mark.parametrize(("augmentation", "level"), [(0.0, 0), (0.3, 300), (0.9, 899)])
def test_a_picture_is_put_under_noise_of_its_level(augmentation, level):
    found = vector(picture(2.0, augmentation=augmentation))
    expected = math.sqrt(kept(level)) * 2.0 + math.sqrt(1 - kept(level)) * noise(7)
    torch.testing.assert_close(found[:4], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[4:], sinusoidal_embedding([level], 4)[0])


def test_strength_multiplies_embedding_and_level():
    torch.testing.assert_close(vector(picture(2.0, 0.5)), 0.5 * vector(picture(2.0)))


def test_several_pictures_are_added_and_put_under_noise_again():
    one, two = vector(picture(1.0)), vector(picture(3.0, 0.5))
    found = vector(picture(1.0), picture(3.0, 0.5))
    level = 50
    total = (one + two)[:4]
    expected = math.sqrt(kept(level)) * total + math.sqrt(1 - kept(level)) * noise(7)
    torch.testing.assert_close(found[:4], expected, rtol=1e-4, atol=1e-4)


def test_the_same_seed_gives_the_same_noise_and_another_one_does_not():
    noisy = picture(1.0, augmentation=0.5)
    assert torch.equal(vector(noisy, seed=3), vector(noisy, seed=3))
    assert not torch.equal(vector(noisy, seed=3), vector(noisy, seed=4))


def test_a_clip_of_another_width_is_refused():
    with pytest.raises(InputError, match="width 4, but this model wants 8"):
        picture_vector([picture(1.0)], width=8, seed=0, merged_augmentation=0.0)


def test_sdxl_takes_pictures_in_place_of_its_pooled_prompt():
    words = Condition(torch.zeros(1, 2, 4), pooled=torch.full((1, 4), 9.0))
    (condition,) = add_pictures(
        Conditioning((words,)), seen(2.0), strength=1.0, augmentation=0.0
    ).conditions
    y = vector_of(
        condition,
        Family("sdxl", vector="sdxl"),
        width=64,
        height=64,
        negative=False,
        total=4 + 6 * 256,
        seed=17,
    )
    torch.testing.assert_close(y[0, :4], vector(picture(2.0))[:4])


def test_pictures_add_up_and_strength_zero_adds_none():
    words = Conditioning((Condition(torch.zeros(1, 2, 4)),))
    assert add_pictures(words, seen(1.0), strength=0.0, augmentation=0.0) is words
    once = add_pictures(words, seen(1.0, 2.0), strength=1.0, augmentation=0.0)
    twice = add_pictures(once, seen(3.0), strength=1.0, augmentation=0.0)
    values = [float(p.embed[0]) for p in twice.conditions[0].extra["unclip_conditioning"]]
    assert values == [1.0, 2.0, 3.0]


@pytest.fixture(scope="module")
def unclip_model(tmp_path_factory) -> Model:
    path: Path = tmp_path_factory.mktemp("unclip") / "unet.safetensors"
    save_file(tiny.unet_tensors(replace(tiny.SD2_UNET, vector_width=2 * 32)), str(path))
    return load_unet_file(path)


def test_an_unclip_model_paints_by_pictures(tiny_store, unclip_model, words):
    assert unclip_model.family.name == "sd2_unclip"
    assert unclip_model.sampling.prediction == "v"

    def run(*values: float) -> torch.Tensor:
        positive = words(1)
        if values:
            embeds = seen(*values, width=32)
            positive = add_pictures(positive, embeds, strength=1.0, augmentation=0.1)
        return sample(tiny_store, unclip_model, EMPTY, positive, words(2), **RUN).samples

    assert torch.equal(run(1.0), run(1.0))
    assert (run(1.0) - run()).abs().max() > 1e-3
    assert (run(1.0) - run(-1.0)).abs().max() > 1e-3

"""Deep Shrink: which layers see which size, when, and what comes of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graphengine.diffusion.deep_shrink import DeepShrink, add_deep_shrink
from graphengine.diffusion.guidance import PRESENT_CALL, NetworkCall
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.networks import build_unet
from graphengine.diffusion.resize import resize
from graphengine.diffusion.sampling import sample
from graphengine.errors import GraphEngineError, InputError
from graphengine.sockets import Latent, Sampling
from tests.diffusion import tiny_models as tiny

LEVELS = model_sampling(Sampling())
# Blocks of the tiny SD 1.x: 0 conv, 1 | 2 down, 3, 4 | 5 down, 6 | middle.


def option(block: int = 3, *, factor: float = 2.0, after_skip: bool = True) -> DeepShrink:
    return DeepShrink(block, factor, 0.0, 0.35, after_skip, "bicubic", "bilinear")


def network() -> nn.Module:
    """A tiny network of random numbers."""
    unet = build_unet(tiny.SD1_UNET).to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for tensor in unet.parameters():
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return unet


def heights(shrink: DeepShrink, *, sigma: float, size: int = 32) -> dict[str, int]:
    """The heights that modules of a tiny network see while the option is attached."""
    unet = network()
    seen: dict[str, int] = {}
    watched = [name for name, each in unet.named_modules() if name.split(".")[-2:-1] == ["resnets"]]

    def watch(name: str) -> None:
        def note(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[name] = inputs[0].shape[-2]

        unet.get_submodule(name).register_forward_pre_hook(note)

    x, words = torch.zeros(1, 4, size, size), torch.zeros(1, 77, 64)
    call = NetworkCall(x, torch.tensor(sigma), (0,), words)
    with shrink.attach(unet, LEVELS, x.shape):
        for name in watched:
            watch(name)
        token = PRESENT_CALL.set(call)
        try:
            found = unet(x, torch.ones(1), encoder_hidden_states=words).sample
        finally:
            PRESENT_CALL.reset(token)
    assert found.shape == x.shape
    return {name.replace("_blocks", "").replace(".resnets", ""): h for name, h in seen.items()}


PLAIN = {"down.0.0": 32, "down.1.0": 16, "down.1.1": 16, "down.2.0": 8, "mid_block.0": 8}
PLAIN |= {"mid_block.1": 8, "up.0.0": 8, "up.0.1": 8, "up.1.0": 16, "up.1.1": 16, "up.1.2": 16}
PLAIN |= {"up.2.0": 32, "up.2.1": 32}


@pytest.mark.parametrize(
    ("shrink", "changed"),
    [
        (
            option(3),
            {"down.1.1": 8, "down.2.0": 4, "mid_block.0": 4, "mid_block.1": 4, "up.0.0": 4}
            | {"up.0.1": 4, "up.1.0": 8},
        ),
        (
            option(3, after_skip=False),
            {"down.1.1": 8, "down.2.0": 4, "mid_block.0": 4, "mid_block.1": 4, "up.0.0": 4}
            | {"up.0.1": 4, "up.1.0": 8, "up.1.1": 8},
        ),
        (option(6), {"mid_block.0": 4, "mid_block.1": 4}),
        (option(7), {}),
    ],
)
def test_what_lies_deeper_works_at_the_smaller_size(
    shrink: DeepShrink, changed: dict[str, int]
) -> None:
    assert heights(shrink, sigma=LEVELS.sigma_max) == PLAIN | changed
    assert heights(shrink, sigma=LEVELS.percent_to_sigma(0.36)) == PLAIN


def test_the_middle_alone_shrunk_is_the_same_by_hand() -> None:
    unet, generator = network(), torch.Generator().manual_seed(1)
    x = torch.randn(1, 4, 16, 16, generator=generator)
    words = torch.randn(1, 77, 64, generator=generator)
    call = NetworkCall(x, torch.tensor(LEVELS.sigma_max), (0,), words)
    token = PRESENT_CALL.set(call)
    try:
        with option(6).attach(unet, LEVELS, x.shape):
            found = unet(x, torch.ones(1), encoder_hidden_states=words).sample
    finally:
        PRESENT_CALL.reset(token)
    middle = unet.mid_block.forward

    def smaller(h: Tensor, *rest: object, **named: object) -> Tensor:
        y = middle(resize(h, 2, 2, method="bicubic"), *rest, **named)
        return resize(y, 4, 4, method="bilinear")

    unet.mid_block.forward = smaller
    torch.testing.assert_close(found, unet(x, torch.ones(1), encoder_hidden_states=words).sample)


def test_a_sampling_changes_and_one_that_never_shrinks_does_not(tiny_store, tiny_model, words):
    model, empty = tiny_model("sd1"), Latent(torch.zeros(1, 4, 18, 10))
    run = {"seed": 5, "steps": 3, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}

    def sampled(*options: DeepShrink) -> Tensor:
        each = model
        for one in options:
            each = add_deep_shrink(each, one)
        return sample(tiny_store, each, empty, words(1), words(2), **run).samples

    plain = sampled()
    assert torch.equal(sampled(option(3, factor=1.0)), plain)
    assert (sampled(option(3, factor=1.5)) - plain).abs().max() > 0.01
    unet = tiny_store.unet(model)
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules()) == 0


def test_residuals_of_a_controlnet_are_refused_while_it_shrinks() -> None:
    unet = build_unet(tiny.SD1_UNET).eval()
    x, words = torch.zeros(1, 4, 8, 8), torch.zeros(1, 77, 64)
    token = PRESENT_CALL.set(NetworkCall(x, torch.tensor(LEVELS.sigma_max), (0,), words))
    try:
        with option(3).attach(unet, LEVELS, x.shape), pytest.raises(InputError) as caught:
            unet(
                x,
                torch.ones(1),
                encoder_hidden_states=words,
                down_block_additional_residuals=[x],
                mid_block_additional_residual=x,
            )
    finally:
        PRESENT_CALL.reset(token)
    assert isinstance(caught.value, GraphEngineError)
    assert caught.value.code == "deep_shrink_with_control"

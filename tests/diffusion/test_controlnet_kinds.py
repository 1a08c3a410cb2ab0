"""Union ControlNets against diffusers' own; Control-LoRAs against what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from graphengine.diffusion import controlnet
from graphengine.diffusion.control import (
    UNION_KINDS,
    RunningControlNet,
    apply_control,
    control_opener,
    load_control_file,
    set_union_kind,
)
from graphengine.diffusion.controlnet import ControlNetLayout
from graphengine.diffusion.controlnet_union import choose_kind
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.sinusoids import sinusoidal_embedding
from graphengine.errors import InputError
from graphengine.sockets import ControlApplication, ControlNet, Image, Latent
from tests.diffusion import tiny_models as tiny

SD1 = ControlNetLayout(tiny.SD1_UNET, 3, (8, 8, 16, 16))
RUN = {"seed": 5, "steps": 2, "cfg": 7.0, "sampler": "euler", "scheduler": "normal"}


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomised(network: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.05
    return network.eval().requires_grad_(False)


# --- union ---


@pytest.fixture(scope="module")
def union() -> ControlNetUnionModel:
    network = ControlNetUnionModel(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        block_out_channels=(64, 64, 128),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 1, 2),
        cross_attention_dim=192,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=128 + 6 * 256,
        conditioning_embedding_out_channels=(8, 8, 16, 16),
        num_control_type=6,
        num_trans_channel=64,
        num_trans_head=8,
        num_trans_layer=2,
        num_proj_channel=64,
    )
    return randomised(network, 3)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def union_net(union: ControlNetUnionModel, tmp_path_factory: pytest.TempPathFactory) -> ControlNet:
    path = tmp_path_factory.mktemp("union") / "union.safetensors"
    save_file(union.state_dict(), str(path))
    return load_control_file(path)


@pytest.mark.parametrize("kind", UNION_KINDS[:6])
@torch.no_grad()
def test_a_union_controlnet_sees_what_diffusers_sees(union, union_net, kind):
    index = UNION_KINDS.index(kind)
    assert (union_net.kind, union_net.union_kinds, union_net.context_width) == (
        "controlnet",
        6,
        192,
    )
    net = set_union_kind(union_net, kind)
    assert net.union_kind == index
    network = controlnet.open_controlnet(net.weights)
    choose_kind(network, net.union_kind)
    x, hint = noise(1, 2, 4, 8, 8), noise(2, 1, 3, 64, 64).expand(2, -1, -1, -1)
    t, words, pooled = torch.tensor([37.0, 37.0]), noise(4, 2, 77, 192), noise(5, 2, 128)
    sizes = torch.tensor([[512.0, 640, 0, 8, 512, 640]]).expand(2, -1)
    y = torch.cat(
        [pooled, sinusoidal_embedding(sizes[0].tolist(), 256).reshape(1, -1).expand(2, -1)], 1
    )
    down, middle = network(
        x, t, encoder_hidden_states=words, controlnet_cond=hint, class_labels=y, return_dict=False
    )
    chosen = torch.nn.functional.one_hot(torch.tensor([index, index]), 6).float()
    expected, expected_middle = union(
        x,
        t,
        encoder_hidden_states=words,
        controlnet_cond=[hint],
        control_type=chosen,
        control_type_idx=[index],
        added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes},
        return_dict=False,
    )
    for found, wanted in zip((*down, middle), (*expected, expected_middle), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_untold_the_picture_is_taken_as_it_is(union, union_net):
    network = controlnet.open_controlnet(set_union_kind(union_net, "auto").weights)
    hint = noise(2, 1, 3, 64, 64)
    found = network.controlnet_cond_embedding(hint)
    torch.testing.assert_close(found, union.controlnet_cond_embedding(hint))
    wave = noise(3, 1, 64)
    told = union.control_add_embedding(sinusoidal_embedding([0.0] * 6, 256).reshape(1, -1))
    torch.testing.assert_close(network.time_embedding(wave), union.time_embedding(wave) + told)


def test_two_kinds_in_one_sampling_do_not_mix(tiny_store, tiny_model, union_net):
    model = tiny_model("sdxl")
    unet = tiny_store.unet(model)
    opened = control_opener(tiny_store, model, unet, (1, 4, 8, 8))
    picture = torch.zeros(1, 64, 64, 3)
    first, second = (
        opened(ControlApplication(set_union_kind(union_net, kind), picture))
        for kind in ("openpose", "depth")
    )
    assert isinstance(first, RunningControlNet)
    assert isinstance(second, RunningControlNet)
    networks = (first.network, second.network)
    assert [n.controlnet_cond_embedding.kind for n in networks] == [0, 1]
    pairs = zip(*(n.parameters() for n in networks), strict=True)
    assert all(one is other for one, other in pairs)


def test_kinds_that_a_file_does_not_know_are_named(union_net):
    with pytest.raises(InputError, match="“tile”; it knows openpose, depth"):
        set_union_kind(union_net, "tile")


def test_a_controlnet_for_one_kind_stays_as_it_is():
    net = ControlNet(weights=None)  # type: ignore[arg-type]
    assert set_union_kind(net, "tile") == net


# --- Control-LoRA ---


def control_lora(
    base: dict[str, Tensor], rank: int = 4
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A Control-LoRA's tensors, and those of the ControlNet that it makes of the model ``base``.

    Weights are factored, biases whole, normalisations left to the model.
    """
    table = controlnet.controlnet_table(SD1)
    whole = tiny.random_tensors(controlnet.build_controlnet(SD1), table, 9)
    small, full = {"lora_controlnet": torch.zeros(0)}, {}
    for seed, (key, tensor) in enumerate(whole.items()):
        name, _, last = key.rpartition(".")
        if key not in base or last == "bias":
            small[key] = full[key] = tensor
        elif tensor.ndim == 1:
            full[key] = base[key]
        else:
            ones = [1] * (tensor.ndim - 2)
            up = noise(seed, len(tensor), rank, *ones) * 0.1
            down = noise(seed + 1000, rank, *tensor.shape[1:]) * 0.1
            small |= {f"{name}.up": up, f"{name}.down": down}
            full[key] = base[key] + (up.flatten(1) @ down.flatten(1)).reshape(tensor.shape)
    return small, full


@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_a_control_lora_is_the_controlnet_that_it_makes_of_the_model(
    tmp_path: Path, tiny_store, tiny_model, words, prefix
):
    model = tiny_model("sd1")
    stored = load_file(model.weights.file.path)
    unet = "model.diffusion_model."
    base = {key.removeprefix(unet): value for key, value in stored.items() if key.startswith(unet)}
    nets = []
    for name, tensors in zip(("small", "full"), control_lora(base), strict=True):
        path = tmp_path / f"{name}.safetensors"
        save_file({prefix + key: tensor for key, tensor in tensors.items()}, str(path))
        nets.append(load_control_file(path))
    assert [net.kind for net in nets] == ["control_lora", "controlnet"]
    assert [net.context_width for net in nets] == [64, 64]
    picture = Image(noise(1, 1, 64, 64, 3).clamp(0, 1))
    cond, latent = words(1), Latent(torch.zeros(1, 4, 8, 8))

    def run(net: ControlNet | None) -> Tensor:
        sides = (cond, cond)
        if net is not None:
            sides = apply_control(sides, net, picture, strength=1.0)  # type: ignore[assignment]
        return sample(tiny_store, model, latent, *sides, **RUN).samples

    small, full, plain = run(nets[0]), run(nets[1]), run(None)
    torch.testing.assert_close(small, full, rtol=1e-4, atol=1e-4)
    assert float((small - plain).abs().max()) > 1e-2


def test_a_control_lora_for_another_family_is_refused(tmp_path: Path, tiny_store, tiny_model):
    small, _ = control_lora(tiny.unet_tensors(tiny.SD1_UNET))
    save_file(small, str(tmp_path / "small.safetensors"))
    application = ControlApplication(
        load_control_file(tmp_path / "small.safetensors"), torch.zeros(1, 64, 64, 3)
    )
    model = tiny_model("sdxl")
    opened = control_opener(tiny_store, model, tiny_store.unet(model), (1, 4, 8, 8))
    with pytest.raises(InputError, match="another model family"):
        opened(application)

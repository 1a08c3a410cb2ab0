"""ControlNets and T2I adapters: files of every layout, and what they add to a sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion import controlnet, t2i_adapter
from graphengine.diffusion.control import (
    apply_control,
    batched_hint,
    fitted_hint,
    load_control_file,
)
from graphengine.diffusion.controlnet import ControlNetLayout
from graphengine.diffusion.model_sampling import model_sampling
from graphengine.diffusion.noise import initial_noise
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.t2i_adapter import AdapterLayout
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import Condition, Conditioning, ControlNet, Image, Latent
from tests.diffusion import published
from tests.diffusion import tiny_models as tiny

SD1 = ControlNetLayout(tiny.SD1_UNET, 3, (8, 8, 16, 16))
SDXL = ControlNetLayout(tiny.SDXL_UNET, 3, (8, 8, 16, 16))
FULL = AdapterLayout("original", "full_adapter", 3, 8, (32, 64, 64), 2)
XL = AdapterLayout("original", "full_adapter_xl", 3, 16, (64, 64, 128, 128), 2)
LIGHT = AdapterLayout("original", "light_adapter", 3, 8, (32, 64, 64), 4)
RUN = {"seed": 5, "steps": 2, "cfg": 7.0, "sampler": "euler", "scheduler": "normal"}
PICTURE = Image(torch.rand(1, 80, 64, 3, generator=torch.Generator().manual_seed(1)))


def save(path: Path, tensors: dict[str, Tensor], prefix: str = "") -> Path:
    save_file({prefix + key: tensor for key, tensor in tensors.items()}, str(path))
    return path


def controlnet_tensors(layout: ControlNetLayout, seed: int = 3) -> dict[str, Tensor]:
    network = controlnet.build_controlnet(layout)
    return tiny.random_tensors(network, controlnet.controlnet_table(layout), seed)


def adapter_tensors(layout: AdapterLayout, seed: int = 3) -> dict[str, Tensor]:
    network = t2i_adapter.build_adapter(layout)
    return tiny.random_tensors(network, t2i_adapter.adapter_table(layout), seed)


@pytest.fixture(scope="module")
def sd1_net(tmp_path_factory) -> ControlNet:
    folder = tmp_path_factory.mktemp("controlnet")
    return load_control_file(save(folder / "net.safetensors", controlnet_tensors(SD1)))


def run(store, model, positive, negative, *, size=(8, 8), **options) -> Tensor:
    latent = Latent(torch.zeros(1, 4, *size))
    return sample(store, model, latent, positive, negative, **(RUN | options)).samples


def steer(net, positive, negative, image=PICTURE, **options):
    return apply_control((positive, negative), net, image, **({"strength": 1.0} | options))


@pytest.mark.parametrize(
    ("layout", "prefix"),
    [
        (SD1, ""),
        (SD1, "control_model."),
        (SDXL, ""),
        (replace(SD1, encoder=replace(tiny.SD1_UNET, style="diffusers")), ""),
        (
            replace(SDXL, encoder=replace(tiny.SDXL_UNET, style="diffusers", added_vector=True)),
            "",
        ),
    ],
)
def test_a_controlnet_of_every_layout_is_read_as_it_was_saved(tmp_path, layout, prefix):
    path = save(tmp_path / "net.safetensors", controlnet_tensors(layout), prefix)
    net = load_control_file(path)
    assert net.kind == "controlnet"
    assert net.context_width == layout.encoder.context_width
    found = controlnet.open_controlnet(net.weights)
    expected = controlnet.build_controlnet(layout).state_dict()
    assert found.state_dict().keys() == expected.keys()
    assert found.controlnet_cond_embedding.conv_in.weight.shape == (8, 3, 3, 3)


def test_both_layouts_of_one_controlnet_are_one_network(tmp_path):
    other = replace(SD1, encoder=replace(tiny.SD1_UNET, style="diffusers"))
    files = [
        save(tmp_path / f"{i}.safetensors", controlnet_tensors(layout))
        for i, layout in enumerate((SD1, other))
    ]
    one, two = (
        controlnet.open_controlnet(load_control_file(file).weights).state_dict() for file in files
    )
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_the_skips_of_published_controlnets_have_the_published_widths():
    layout = ControlNetLayout(published.SD1_UNET, 3, (16, 32, 96, 256))
    assert layout.skips == (320,) * 4 + (640,) * 3 + (1280,) * 5


@torch.no_grad()
@pytest.mark.parametrize("pooled", [False, True])
def test_its_output_is_added_to_skips_and_middle(tiny_store, tiny_model, words, sd1_net, pooled):
    """One Euler step written out: x becomes the guess of the steered network."""
    model, cond = tiny_model("sd1"), words(1)
    steered, _ = steer(replace(sd1_net, pooled=pooled), cond, cond, strength=0.6)
    got = run(tiny_store, model, steered, cond, steps=1, cfg=1.0)
    plain = run(tiny_store, model, cond, cond, steps=1, cfg=1.0)
    network = controlnet.open_controlnet(sd1_net.weights)
    unet = tiny_store.unet(model)

    levels = model_sampling(model.sampling)
    sigma = torch.tensor(levels.sigma_max)
    x = initial_noise(torch.zeros(1, 4, 8, 8), 5) * (1 + sigma**2).sqrt()
    scaled, t = x / (1 + sigma**2).sqrt(), torch.tensor([999.0])
    # 80 rows become the middle 64.
    hint = PICTURE.pixels[:, 8:72].movedim(-1, 1)
    context = cond.conditions[0].embedding
    down, middle = network(scaled, t, context, hint, return_dict=False)
    if pooled:
        down = [torch.ones_like(part) * part.mean((2, 3), keepdim=True) for part in down]
        middle = torch.ones_like(middle) * middle.mean((2, 3), keepdim=True)
    eps = unet(
        scaled,
        t,
        context,
        down_block_additional_residuals=[0.6 * tensor for tensor in down],
        mid_block_additional_residual=0.6 * middle,
    ).sample
    torch.testing.assert_close(got, (x - sigma * eps) / 0.18215, rtol=1e-3, atol=1e-2)
    assert (got - plain).abs().max() > 1.0


@pytest.mark.parametrize(
    ("name", "pooled"),
    [
        ("control_v11e_sd15_shuffle.safetensors", True),
        ("control_v11e_sd15_shuffle_fp16.safetensors", True),
        ("control_v11p_sd15_canny.safetensors", False),
    ],
)
def test_the_shuffle_model_of_controlnet_1_1_is_told_by_its_name(tmp_path, name, pooled):
    net = load_control_file(save(tmp_path / name, controlnet_tensors(SD1), "control_model."))
    assert net.pooled is pooled


def test_strength_zero_changes_nothing(sd1_net, words):
    positive, negative = words(1), words(2)
    assert steer(sd1_net, positive, negative, strength=0.0) == (positive, negative)


def test_it_acts_only_in_its_part_of_the_denoising(tiny_store, tiny_model, words, sd1_net):
    model, pos, neg = tiny_model("sd1"), words(1), words(2)
    plain = run(tiny_store, model, pos, neg)
    never = run(tiny_store, model, *steer(sd1_net, pos, neg, start=1.0, end=1.0))
    late = run(tiny_store, model, *steer(sd1_net, pos, neg, start=0.5))
    whole = run(tiny_store, model, *steer(sd1_net, pos, neg))
    assert torch.equal(never, plain)
    assert not torch.allclose(late, plain, atol=1e-2)
    assert not torch.allclose(late, whole, atol=1e-2)


def test_two_at_half_strength_are_one_at_full(tiny_store, tiny_model, words, sd1_net):
    model, pos, neg = tiny_model("sd1"), words(1), words(2)
    once = run(tiny_store, model, *steer(sd1_net, pos, neg))
    halves = steer(sd1_net, *steer(sd1_net, pos, neg, strength=0.5), strength=0.5)
    twice = run(tiny_store, model, *halves)
    torch.testing.assert_close(once, twice, rtol=1e-3, atol=1e-2)


def test_on_the_negative_side_it_acts_as_if_applied_to_both(tiny_store, tiny_model, words, sd1_net):
    model, pos, neg = tiny_model("sd1"), words(1), words(2)
    both = run(tiny_store, model, *steer(sd1_net, pos, neg))
    (one,) = apply_control((pos,), sd1_net, PICTURE, strength=1.0, on_negative=True)
    (only,) = apply_control((pos,), sd1_net, PICTURE, strength=1.0)
    torch.testing.assert_close(run(tiny_store, model, one, neg), both, rtol=1e-3, atol=1e-2)
    assert not torch.allclose(run(tiny_store, model, only, neg), both, atol=1e-2)


def test_differences_become_a_controlnet_with_the_models_weights(
    tiny_store, tiny_model, words, tmp_path, sd1_net
):
    model, pos, neg = tiny_model("sd1"), words(1), words(2)
    tensors, theirs = controlnet_tensors(SD1), tiny.unet_tensors(tiny.SD1_UNET)
    parts = {key: t - theirs[key] if key in theirs else t for key, t in tensors.items()}
    path = save(tmp_path / "diff.safetensors", parts | {"difference": torch.zeros(0)})
    with pytest.raises(ModelFileError, match="DiffControlNetLoader"):
        load_control_file(path)
    net = load_control_file(path, model)
    got = run(tiny_store, model, *steer(net, pos, neg))
    expected = run(tiny_store, model, *steer(sd1_net, pos, neg))
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-2)


def test_sdxl_controlnets_get_the_vector_too(tiny_store, tiny_model, words, tmp_path):
    net = load_control_file(save(tmp_path / "xl.safetensors", controlnet_tensors(SDXL)))
    pos, neg = words(1, width=192), words(2, width=192)
    small = steer(net, pos, neg)
    plain = run(tiny_store, tiny_model("sdxl"), pos, neg)
    got = run(tiny_store, tiny_model("sdxl"), *small)
    assert torch.isfinite(got).all()
    assert (got - plain).abs().max() > 0.1


def test_a_controlnet_of_another_family_is_refused_by_the_node_and_by_the_sampler(
    tiny_store, tiny_model, words, sd1_net
):
    wide = Conditioning((Condition(torch.zeros(1, 77, 192)),))
    with pytest.raises(InputError, match="wants the width 64, but here it is 192"):
        steer(sd1_net, wide, wide)
    pos = words(1)
    with pytest.raises(InputError, match="made for another model family"):
        run(tiny_store, tiny_model("sd2"), *steer(sd1_net, pos, pos))


def test_a_checkpoint_is_no_controlnet(tmp_path):
    path = tiny.make_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError) as caught:
        load_control_file(path)
    assert caught.value.details["wanted"] == "ControlNet"


def test_a_hint_is_cut_about_the_centre_and_takes_the_nearest_pixels():
    hint = torch.arange(8.0)[None, None, :, None].expand(1, 4, 8, 3)
    assert fitted_hint(hint, 4, 4)[0, 0, 0].tolist() == [2.0, 3.0, 4.0, 5.0]
    assert fitted_hint(hint, 4, 2)[0, 0, 0].tolist() == [1.0, 3.0, 5.0, 7.0]


def test_hints_of_a_batch_go_to_its_pictures_for_each_condition():
    hint = torch.arange(2.0).reshape(2, 1, 1, 1)
    assert batched_hint(hint, 3, 6).flatten().tolist() == [0, 1, 0, 0, 1, 0]


def test_pictures_without_colours_or_with_alpha_serve_as_hints(sd1_net, words):
    for channels in (1, 4):
        image = Image(torch.rand(1, 8, 8, channels))
        steered, _ = steer(sd1_net, words(1), words(2), image)
        assert steered.conditions[0].control[0].hint.shape == (1, 8, 8, 3)


# --- T2I adapters ---


@pytest.mark.parametrize("prefix", ["", "adapter."])
@pytest.mark.parametrize("layout", [FULL, XL, LIGHT])
@pytest.mark.parametrize("style", ["original", "diffusers"])
def test_an_adapter_of_every_layout_is_read_as_it_was_saved(tmp_path, layout, style, prefix):
    layout = replace(layout, style=style)
    path = save(tmp_path / "adapter.safetensors", adapter_tensors(layout), prefix)
    net = load_control_file(path)
    assert net.kind == "t2i_adapter"
    assert net.context_width is None
    network = t2i_adapter.open_adapter(net.weights)
    assert network.config.adapter_type == layout.kind
    assert network.config.in_channels == 3
    expected = t2i_adapter.build_adapter(layout)
    assert network.state_dict().keys() == expected.state_dict().keys()


@torch.no_grad()
@pytest.mark.parametrize(
    ("family", "layout", "width"), [("sd1", FULL, 64), ("sd1", LIGHT, 64), ("sdxl", XL, 192)]
)
def test_an_adapter_steers_and_its_strength_counts(
    tiny_store, tiny_model, words, tmp_path, family, layout, width
):
    net = load_control_file(save(tmp_path / "a.safetensors", adapter_tensors(layout)))
    model, pos, neg = tiny_model(family), words(1, width=width), words(2, width=width)
    plain = run(tiny_store, model, pos, neg)
    half = run(tiny_store, model, *steer(net, pos, neg, strength=0.5))
    full = run(tiny_store, model, *steer(net, pos, neg))
    assert (half - plain).abs().max() > 0.01
    assert (full - plain).abs().mean() > (half - plain).abs().mean()


@torch.no_grad()
def test_an_adapters_features_are_added_to_the_encoder(tiny_store, tiny_model, words, tmp_path):
    """One Euler step written out with diffusers' own argument for adapters."""
    net = load_control_file(save(tmp_path / "a.safetensors", adapter_tensors(FULL)))
    model, cond = tiny_model("sd1"), words(1)
    steered, _ = steer(net, cond, cond)
    got = run(tiny_store, model, steered, cond, steps=1, cfg=1.0)

    sigma = torch.tensor(model_sampling(model.sampling).sigma_max)
    scaled = initial_noise(torch.zeros(1, 4, 8, 8), 5)
    features = t2i_adapter.open_adapter(net.weights)(PICTURE.pixels[:, 8:72].movedim(-1, 1))
    eps = tiny_store.unet(model)(
        scaled,
        torch.tensor([999.0]),
        cond.conditions[0].embedding,
        down_intrablock_additional_residuals=list(features),
    ).sample
    expected = (scaled * (1 + sigma**2).sqrt() - sigma * eps) / 0.18215
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-2)


def test_an_adapter_and_a_controlnet_act_together(tiny_store, tiny_model, words, tmp_path, sd1_net):
    adapter = load_control_file(save(tmp_path / "a.safetensors", adapter_tensors(FULL)))
    model, pos, neg = tiny_model("sd1"), words(1), words(2)
    one = run(tiny_store, model, *steer(sd1_net, pos, neg))
    two = run(tiny_store, model, *steer(adapter, *steer(sd1_net, pos, neg)))
    assert (one - two).abs().max() > 0.01


def test_an_adapter_looks_at_sizes_that_its_blocks_do_not_divide(
    tiny_store, tiny_model, words, tmp_path
):
    net = load_control_file(save(tmp_path / "a.safetensors", adapter_tensors(XL)))
    pos = words(1, width=192)
    steered = steer(net, pos, pos)
    got = run(tiny_store, tiny_model("sdxl"), *steered, size=(9, 11))
    assert got.shape == (1, 4, 9, 11)


def test_an_adapter_of_another_family_is_refused(tiny_store, tiny_model, words, tmp_path):
    net = load_control_file(save(tmp_path / "a.safetensors", adapter_tensors(XL)))
    pos = words(1)
    said = "wants the width 64, 64, 128, 128, but here it is 32, 64, 64, 64"
    with pytest.raises(InputError, match=said):
        run(tiny_store, tiny_model("sd1"), *steer(net, pos, pos))

"""LoRA and its relatives against their definitions, and the names that trainers give."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.files import file_ref
from graphengine.diffusion.lora import LoraPatch, difference, match
from graphengine.diffusion.residency import ModelStore
from graphengine.errors import InputError, ModelFileError
from tests.diffusion import tiny_models as tiny

KEY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
KOHYA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
LDM = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
TEXT = "encoder.layers.1.self_attn.q_proj.weight"


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pair(
    name: str, *, out: int = 32, width: int = 32, alpha: float | None = 2.0
) -> dict[str, Tensor]:
    tensors = {
        f"{name}.lora_up.weight": random(out, 4, seed=1),
        f"{name}.lora_down.weight": random(4, width, seed=2),
    }
    return tensors if alpha is None else {**tensors, f"{name}.alpha": torch.tensor(alpha)}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny.make_checkpoint(tmp_path / "tiny.safetensors")


def saved(path: Path, tensors: dict[str, Tensor]) -> LoraPatch:
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, str(path))
    return LoraPatch(file_ref(path), 0.5)


def patched(checkpoint: Path, patch: LoraPatch) -> tuple[Tensor, Tensor]:
    """The weight KEY without and with a patch."""
    from dataclasses import replace

    store = ModelStore("cpu")
    model, _, _ = load_checkpoint(checkpoint)
    before = store.unet(model).state_dict()[KEY]
    after = store.unet(replace(model, patches=(patch,))).state_dict()[KEY]
    return before, after


def test_lora_adds_strength_times_alpha_over_rank_times_up_down(
    checkpoint: Path, tmp_path: Path
) -> None:
    before, after = patched(checkpoint, saved(tmp_path / "l.safetensors", pair(KOHYA)))
    expected = before + 0.5 * (2.0 / 4) * random(32, 4, seed=1) @ random(4, 32, seed=2)
    torch.testing.assert_close(after, expected)


@pytest.mark.parametrize(
    "name",
    [
        KOHYA,
        LDM,
        f"unet.{KEY.removesuffix('.weight')}",
        f"base_model.model.{KEY.removesuffix('.weight')}",
        f"base_model.model.unet.{KEY.removesuffix('.weight')}",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q",
    ],
)
def test_every_trainers_name_reaches_the_same_weight(
    checkpoint: Path, tmp_path: Path, name: str
) -> None:
    before, after = patched(checkpoint, saved(tmp_path / "l.safetensors", pair(name, alpha=None)))
    torch.testing.assert_close(after - before, 0.5 * random(32, 4, seed=1) @ random(4, 32, seed=2))


@pytest.mark.parametrize(
    ("up", "down"),
    [("lora_B.weight", "lora_A.weight"), ("lora.up.weight", "lora.down.weight")],
)
def test_peft_and_diffusers_suffixes_are_read(
    checkpoint: Path, tmp_path: Path, up: str, down: str
) -> None:
    name = f"unet.{KEY.removesuffix('.weight')}"
    tensors = {f"{name}.{up}": random(32, 4, seed=1), f"{name}.{down}": random(4, 32, seed=2)}
    before, after = patched(checkpoint, saved(tmp_path / "l.safetensors", tensors))
    torch.testing.assert_close(after - before, 0.5 * random(32, 4, seed=1) @ random(4, 32, seed=2))


def test_old_diffusers_processor_names_are_read(checkpoint: Path, tmp_path: Path) -> None:
    name = KEY.removesuffix(".to_q.weight") + ".processor.to_q_lora"
    tensors = {f"{name}.up.weight": random(32, 4, seed=1), f"{name}.down.weight": random(4, 32)}
    patch = saved(tmp_path / "l.safetensors", {f"unet.{k}": v for k, v in tensors.items()})
    before, after = patched(checkpoint, patch)
    torch.testing.assert_close(after - before, 0.5 * random(32, 4, seed=1) @ random(4, 32))


def test_text_encoders_have_names_of_their_own(checkpoint: Path, tmp_path: Path) -> None:
    _, clip, _ = load_checkpoint(checkpoint)
    assert clip is not None
    name = "lora_te_text_model_encoder_layers_1_self_attn_q_proj"
    patch = saved(tmp_path / "l.safetensors", pair(name, out=64, width=64, alpha=None))
    store = ModelStore("cpu")
    before = store.text_encoder(clip.encoders[0]).state_dict()[TEXT]
    after = store.text_encoder(clip.encoders[0], (patch,)).state_dict()[TEXT]
    expected = before + 0.5 * random(64, 4, seed=1) @ random(4, 64, seed=2)
    assert torch.equal(after, expected.half().float())  # text encoders are kept in float16


def test_sdxls_second_text_encoder_is_not_the_first(tmp_path: Path) -> None:
    path = tiny.make_checkpoint(tmp_path / "xl.safetensors", family="sdxl")
    _, clip, _ = load_checkpoint(path)
    assert clip is not None
    name = "lora_te2_text_model_encoder_layers_1_self_attn_q_proj"
    patch = saved(tmp_path / "l.safetensors", pair(name, out=128, width=128))
    store = ModelStore("cpu")
    for encoder, touched in zip(clip.encoders, (False, True), strict=True):
        before = store.text_encoder(encoder).state_dict()[TEXT]
        after = store.text_encoder(encoder, (patch,)).state_dict()[TEXT]
        assert torch.equal(before, after) is not touched


def test_untouched_weights_are_shared_with_the_base(checkpoint: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    store = ModelStore("cpu")
    model, _, _ = load_checkpoint(checkpoint)
    patch = saved(tmp_path / "l.safetensors", pair(KOHYA))
    base = store.unet(model).state_dict()
    changed = store.unet(replace(model, patches=(patch,))).state_dict()
    different = [key for key in base if base[key].data_ptr() != changed[key].data_ptr()]
    assert different == [KEY]


def test_a_convolutions_lora_goes_through_its_core() -> None:
    up, mid, down = random(8, 2, 1, 1), random(2, 2, 3, 3, seed=1), random(2, 6, 1, 1, seed=2)
    shape = torch.Size((8, 6, 3, 3))
    plain = difference({"up": up, "down": random(2, 6, 3, 3, seed=3)}, shape)
    expected = (up.flatten(1) @ random(2, 6, 3, 3, seed=3).flatten(1)).reshape(shape)
    torch.testing.assert_close(plain, expected)
    tucker = difference({"up": up, "mid": mid, "down": down}, shape)
    for y in range(3):
        for x in range(3):
            by_hand = up.flatten(1) @ mid[:, :, y, x] @ down.flatten(1)
            torch.testing.assert_close(tucker[:, :, y, x], by_hand)


def test_loha_is_the_elementwise_product_of_two_loras() -> None:
    parts = {f"hada_w{i}_{s}": random(6, 3, seed=i) if s == "a" else random(3, 4, seed=9 + i)
             for i in (1, 2) for s in "ab"}  # fmt: skip
    parts["alpha"] = torch.tensor(1.5)
    first = parts["hada_w1_a"] @ parts["hada_w1_b"]
    second = parts["hada_w2_a"] @ parts["hada_w2_b"]
    torch.testing.assert_close(difference(parts, torch.Size((6, 4))), first * second * 0.5)


def test_lokr_is_a_kronecker_product_scaled_only_if_factored() -> None:
    w1, w2 = random(2, 3), random(4, 5, seed=1)
    whole = {"lokr_w1": w1, "lokr_w2": w2, "alpha": torch.tensor(7.0)}
    torch.testing.assert_close(difference(whole, torch.Size((8, 15))), torch.kron(w1, w2))
    a, b = random(4, 2, seed=2), random(2, 5, seed=3)
    factored = {"lokr_w1": w1, "lokr_w2_a": a, "lokr_w2_b": b, "alpha": torch.tensor(1.0)}
    torch.testing.assert_close(difference(factored, torch.Size((8, 15))), torch.kron(w1, a @ b) / 2)


def test_lokr_reaches_convolutions() -> None:
    w1, w2 = random(2, 3), random(4, 5, 3, 3, seed=1)
    result = difference({"lokr_w1": w1, "lokr_w2": w2}, torch.Size((8, 15, 3, 3)))
    for y in range(3):
        torch.testing.assert_close(result[:, :, y, 0], torch.kron(w1, w2[:, :, y, 0]))


@pytest.mark.parametrize(
    ("shape", "across"), [((1, 32), 0), ((32, 1), 1), ((32,), 1)], ids=["columns", "rows", "peft"]
)
def test_dora_brings_the_changed_weight_to_its_learned_lengths(
    checkpoint: Path, tmp_path: Path, shape: tuple[int, ...], across: int
) -> None:
    lengths = random(*shape, seed=5).abs() + 1
    tensors = {**pair(KOHYA), f"{KOHYA}.dora_scale": lengths}
    before, after = patched(checkpoint, saved(tmp_path / "l.safetensors", tensors))
    whole = before + 2 * (after - before)  # strength 1
    torch.testing.assert_close(whole.norm(dim=across), lengths.flatten())


def test_a_full_difference_and_its_bias_are_added(checkpoint: Path, tmp_path: Path) -> None:
    tensors = {f"{KOHYA}.diff": random(32, 32)}
    before, after = patched(checkpoint, saved(tmp_path / "l.safetensors", tensors))
    torch.testing.assert_close(after - before, 0.5 * random(32, 32))


def test_a_normalisations_difference_is_added(checkpoint: Path, tmp_path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_norm1"
    tensors = {f"{name}.w_norm": random(32, seed=1), f"{name}.b_norm": random(32, seed=2)}
    patch = saved(tmp_path / "l.safetensors", tensors)
    network = ModelStore("cpu").unet(load_checkpoint(checkpoint)[0])
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    changes = patch.changes("unet", shapes)
    norm = "down_blocks.0.attentions.0.transformer_blocks.0.norm1"
    for part, seed in (("weight", 1), ("bias", 2)):
        changed = changes[f"{norm}.{part}"](torch.zeros(32))
        torch.testing.assert_close(changed, 0.5 * random(32, seed=seed))


def test_a_lora_of_another_width_is_refused_with_its_layer(
    checkpoint: Path, tmp_path: Path
) -> None:
    patch = saved(tmp_path / "l.safetensors", pair(KOHYA, width=48))
    model, _, _ = load_checkpoint(checkpoint)
    with pytest.raises(InputError) as caught:
        match(patch.file, [("unet", model.weights)])
    assert caught.value.code == "lora_wrong_shape"
    assert caught.value.details["key"] == KEY
    assert (caught.value.details["expected"], caught.value.details["got"]) == ("32×32", "32×48")


def test_a_lora_that_fits_nothing_and_a_file_that_is_none_are_told_apart(
    checkpoint: Path, tmp_path: Path
) -> None:
    model, _, _ = load_checkpoint(checkpoint)
    other = saved(tmp_path / "other.safetensors", pair("lora_unet_double_blocks_0_img_attn"))
    with pytest.raises(InputError) as caught:
        match(other.file, [("unet", model.weights)])
    assert caught.value.code == "lora_fits_nothing"
    with pytest.raises(ModelFileError) as refused:
        match(file_ref(checkpoint), [("unet", model.weights)])
    assert refused.value.code == "lora_not_a_lora"


def test_a_scheme_that_is_not_known_is_refused_by_its_tensors(
    checkpoint: Path, tmp_path: Path
) -> None:
    tensors = {f"{KOHYA}.oft_blocks": random(4, 8, 8), f"{KOHYA}.alpha": torch.tensor(1.0)}
    model, _, _ = load_checkpoint(checkpoint)
    with pytest.raises(ModelFileError) as refused:
        match(saved(tmp_path / "oft.safetensors", tensors).file, [("unet", model.weights)])
    assert refused.value.details["key"] == f"{KOHYA}.oft_blocks"
    mixed = {**tensors, **pair(KOHYA.replace("to_q", "to_k"))}
    found = match(saved(tmp_path / "mixed.safetensors", mixed).file, [("unet", model.weights)])
    assert (found.trained, found.used, found.unused) == (2, 1, (KOHYA,))


def test_what_a_model_cannot_use_is_counted(checkpoint: Path, tmp_path: Path) -> None:
    model, _, _ = load_checkpoint(checkpoint)
    patch = saved(tmp_path / "l.safetensors", {**pair(KOHYA), **pair("lora_te_something")})
    found = match(patch.file, [("unet", model.weights)])
    assert (found.trained, found.used, found.unused) == (2, 1, ("lora_te_something",))

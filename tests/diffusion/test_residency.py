"""The model store: what is kept, shared, patched, evicted, and what happens without memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.residency import ModelStore
from graphengine.errors import LANGUAGES, InputError, OutOfMemory
from graphengine.sockets import Clip, Family, Model, Vae
from tests.diffusion.tiny_models import make_checkpoint

TOUCHED = "conv_in.weight"


@dataclass(frozen=True)
class Add:
    """A patch that adds a number to the tensors whose key is ``key``."""

    key: str
    amount: float

    def changes(
        self, network: str, shapes: Mapping[str, torch.Size]
    ) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {self.key: lambda tensor: tensor + self.amount} if self.key in shapes else {}


@dataclass(frozen=True)
class Loaded:
    model: Model
    clip: Clip
    vae: Vae


def load(path: Path) -> Loaded:
    model, clip, vae = load_checkpoint(path)
    assert clip is not None
    assert vae is not None
    return Loaded(model, clip, vae)


@pytest.fixture
def parts(tmp_path: Path) -> Loaded:
    return load(make_checkpoint(tmp_path / "m.safetensors", dtype=torch.float16))


@pytest.fixture
def store() -> ModelStore:
    return ModelStore("cpu", budget_bytes=1 << 30)


def patched(model: Model, *patches: Add) -> Model:
    return replace(model, patches=patches)


def names(store: ModelStore) -> list[str]:
    return [resident.recipe.network for resident in store.residents()]


def test_a_network_is_made_once(store: ModelStore, parts: Loaded) -> None:
    assert store.unet(parts.model) is store.unet(parts.model)
    assert store.vae(parts.vae) is store.vae(parts.vae)
    assert names(store) == ["unet", "vae"]


def test_on_a_cpu_every_network_computes_in_float32(store: ModelStore, parts: Loaded) -> None:
    networks = [
        store.unet(parts.model),
        store.vae(parts.vae),
        store.text_encoder(parts.clip.encoders[0]),
    ]
    for network in networks:
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_dtype_given_to_the_store_is_the_denoising_networks_only(parts: Loaded) -> None:
    store = ModelStore("cpu", dtype=torch.bfloat16)
    assert store.unet(parts.model).get_parameter(TOUCHED).dtype is torch.bfloat16
    assert store.vae(parts.vae).get_parameter("decoder.conv_in.weight").dtype is torch.float32


def test_text_encoders_are_rounded_to_float16_and_others_are_not(
    tmp_path: Path, store: ModelStore
) -> None:
    parts = load(make_checkpoint(tmp_path / "m.safetensors", dtype=torch.float32))
    encoder = store.text_encoder(parts.clip.encoders[0])
    weight = encoder.get_parameter("encoder.layers.0.mlp.fc1.weight")
    assert weight.dtype is torch.float32
    assert torch.equal(weight, weight.half().float())
    unet = store.unet(parts.model).get_parameter(TOUCHED)
    assert not torch.equal(unet, unet.half().float())


def test_a_pixel_space_vae_has_no_network(store: ModelStore) -> None:
    with pytest.raises(InputError) as caught:
        store.vae(Vae(None, Family("pixel_space", latent_channels=3)))
    assert caught.value.code == "vae_has_no_network"


# --- patches --------------------------------------------------------------------------------------


def test_a_patch_changes_only_what_it_touches_and_leaves_the_base_alone(
    store: ModelStore, parts: Loaded
) -> None:
    base = store.unet(parts.model)
    before = base.get_parameter(TOUCHED).clone()
    changed = store.unet(patched(parts.model, Add(TOUCHED, 0.5)))
    assert torch.equal(changed.get_parameter(TOUCHED), before + 0.5)
    assert torch.equal(base.get_parameter(TOUCHED), before)
    for key, tensor in base.state_dict().items():
        shared = changed.state_dict()[key].data_ptr() == tensor.data_ptr()
        assert shared == (key != TOUCHED)


def test_shared_tensors_count_once(store: ModelStore, parts: Loaded) -> None:
    size = sum(parameter.nbytes for parameter in store.unet(parts.model).parameters())
    assert store.used_bytes() == size
    touched = store.unet(patched(parts.model, Add(TOUCHED, 0.5))).get_parameter(TOUCHED)
    assert store.used_bytes() == size + touched.nbytes
    assert [resident.own_bytes for resident in store.residents()] == [touched.nbytes] * 2


def test_patches_add_up_in_their_order_in_float32(tmp_path: Path, store: ModelStore) -> None:
    half = load(make_checkpoint(tmp_path / "m.safetensors", dtype=torch.float16))
    key = "final_layer_norm.weight"
    steps = (Add(key, 1000.0), Add(key, 0.125), Add(key, -1000.0))
    encoder = half.clip.encoders[0]
    base = store.text_encoder(encoder).get_parameter(key)
    changed = store.text_encoder(encoder, steps).get_parameter(key)
    expected = (base + 1000.0 + 0.125 - 1000.0).half().float()
    assert torch.equal(changed, expected)


def test_a_patched_text_encoder_is_rounded_to_float16_like_its_base(
    store: ModelStore, parts: Loaded
) -> None:
    key = "final_layer_norm.weight"
    changed = store.text_encoder(parts.clip.encoders[0], (Add(key, 1e-5),)).get_parameter(key)
    assert torch.equal(changed, changed.half().float())


def test_equal_patches_give_the_same_network_and_others_another(
    store: ModelStore, parts: Loaded
) -> None:
    one, same = (store.unet(patched(parts.model, Add(TOUCHED, 0.5))) for _ in range(2))
    assert one is same
    assert store.unet(patched(parts.model, Add(TOUCHED, 0.25))) is not one


def test_a_patched_network_still_answers(store: ModelStore, parts: Loaded) -> None:
    key = "final_layer_norm.bias"
    tokens = torch.tensor([[49406, 320, 49407]])
    encoder = parts.clip.encoders[0]
    with torch.no_grad():
        plain = store.text_encoder(encoder)(input_ids=tokens).last_hidden_state
        shifted = store.text_encoder(encoder, (Add(key, 2.0),))(input_ids=tokens).last_hidden_state
    assert torch.allclose(shifted, plain + 2.0, atol=2e-3)


# --- memory ---------------------------------------------------------------------------------------


def test_the_least_recently_used_network_goes_first(parts: Loaded) -> None:
    sizes = ModelStore("cpu", budget_bytes=1 << 30)
    unet, vae = sizes.unet(parts.model), sizes.vae(parts.vae)
    room = sum(p.nbytes for n in (unet, vae) for p in n.parameters()) + 1024
    store = ModelStore("cpu", budget_bytes=room)
    first = store.unet(parts.model)
    store.vae(parts.vae)
    assert store.unet(parts.model) is first
    store.text_encoder(parts.clip.encoders[0])
    assert "vae" not in names(store)


def test_a_network_larger_than_the_budget_is_loaded_all_the_same(parts: Loaded) -> None:
    store = ModelStore("cpu", budget_bytes=1)
    store.vae(parts.vae)
    store.unet(parts.model)
    assert names(store) == ["unet"]


def test_a_held_network_never_goes(parts: Loaded) -> None:
    store = ModelStore("cpu", budget_bytes=1)
    with store.hold():
        unet = store.unet(parts.model)
        store.vae(parts.vae)
        assert [resident.held for resident in store.residents()] == [True, True]
        store.free()
        assert store.unet(parts.model) is unet
    store.text_encoder(parts.clip.encoders[0])
    assert names(store) == ["clip_l"]


def test_free_lets_everything_go_that_nothing_holds(store: ModelStore, parts: Loaded) -> None:
    store.unet(parts.model)
    store.free()
    assert store.residents() == ()
    assert store.used_bytes() == 0


def test_two_threads_asking_at_once_get_the_same_network(store: ModelStore, parts: Loaded) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.unet(parts.model))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_work_that_runs_out_of_memory_is_tried_again_with_everything_else_gone(
    store: ModelStore, parts: Loaded
) -> None:
    store.vae(parts.vae)
    seen: list[list[str]] = []

    def work() -> int:
        store.unet(parts.model)
        seen.append(names(store))
        if len(seen) == 1:
            out_of_memory()
        return 7

    assert store.with_memory(work) == 7
    assert seen == [["vae", "unet"], ["unet"]]


def test_running_out_of_memory_twice_is_told_in_both_languages(store: ModelStore) -> None:
    with pytest.raises(OutOfMemory) as caught:
        store.with_memory(out_of_memory)
    assert caught.value.details["device"] == "cpu"
    for language in LANGUAGES:
        assert "2.00 GiB" in caught.value.text(language)


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("shapes do not match")])
def test_other_errors_pass_through_at_once(store: ModelStore, error: Exception) -> None:
    calls = []

    def work() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error), match=str(error)):
        store.with_memory(work)
    assert len(calls) == 1


def test_networks_are_released_after_work_that_failed(store: ModelStore, parts: Loaded) -> None:
    def work() -> None:
        store.unet(parts.model)
        raise ValueError

    with pytest.raises(ValueError):
        store.with_memory(work)
    assert [resident.held for resident in store.residents()] == [False]


def test_running_out_of_memory_while_loading_is_told(
    store: ModelStore, parts: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tensor, "to", lambda *_, **__: out_of_memory())
    with pytest.raises(OutOfMemory):
        store.unet(parts.model)
    assert store.residents() == ()

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.clip import (
    add_embedding,
    encode,
    encode_refiner,
    encode_sdxl,
    layer_of_clip_skip,
    set_last_layer,
)
from graphengine.diffusion.files import file_ref
from graphengine.diffusion.prompt import tokenize
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.text_encoder import chosen_layer
from graphengine.diffusion.tokenizer import END, PAD, START, token_ids
from graphengine.errors import GraphEngineError, InputError, ModelFileError
from graphengine.sockets import Clip, Condition, FileRef
from tests.diffusion.tiny_models import make_checkpoint

SIZE = {"width": 512.0, "height": 256.0}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("checkpoints")
    families = ("sd1", "sd2", "sdxl", "refiner")
    clips = {}
    for family in families:
        path = make_checkpoint(folder / f"{family}.safetensors", family=family)
        clip = load_checkpoint(path)[1]
        assert clip is not None
        clips[family] = clip
    return clips


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.fixture
def sd1(checkpoints: dict[str, Clip]) -> Clip:
    return checkpoints["sd1"]


@pytest.fixture
def sdxl(checkpoints: dict[str, Clip]) -> Clip:
    return checkpoints["sdxl"]


def only(store: ModelStore, clip: Clip, text: str, **options: object) -> Condition:
    (condition,) = encode(store, clip, text, **options).conditions  # type: ignore[arg-type]
    return condition


# --- an independent text transformer ----------------------------------------------------------


def transformer(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The states behind 0, 1, … all layers, from the network's tensors alone."""
    tensors = network.state_dict()
    heads: int = network.config.num_attention_heads  # type: ignore[assignment, union-attr]
    gelu = network.config.hidden_act == "gelu"  # type: ignore[union-attr]
    x = x + tensors["embeddings.position_embedding.weight"]
    states = [x]
    for i in range(network.config.num_hidden_layers):  # type: ignore[arg-type, union-attr]
        layer = {
            key.removeprefix(f"encoder.layers.{i}."): value
            for key, value in tensors.items()
            if key.startswith(f"encoder.layers.{i}.")
        }
        x = x + attention(layer, norm(layer, "layer_norm1", x), heads)
        h = linear(layer, "mlp.fc1", norm(layer, "layer_norm2", x))
        h = functional.gelu(h) if gelu else h * torch.sigmoid(1.702 * h)
        x = x + linear(layer, "mlp.fc2", h)
        states.append(x)
    return states


def attention(layer: dict[str, Tensor], x: Tensor, heads: int) -> Tensor:
    q, k, v = (
        linear(layer, f"self_attn.{name}_proj", x).unflatten(-1, (heads, -1)).transpose(-2, -3)  # type: ignore[no-untyped-call]
        for name in "qkv"
    )
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-2:]).triu(1).bool()
    mixed = scores.masked_fill(later, -torch.inf).softmax(-1) @ v
    return linear(layer, "self_attn.out_proj", mixed.transpose(-2, -3).flatten(-2))


def linear(layer: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ layer[f"{name}.weight"].T + layer[f"{name}.bias"]


def norm(layer: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(
        x, x.shape[-1:], layer[f"{name}.weight"], layer[f"{name}.bias"], 1e-5
    )


def expected_states(
    store: ModelStore, clip: Clip, text: str, layer: int, *, normed: bool, encoder: int = 0
) -> Tensor:
    """[77, D] behind ``layer`` (-1 = last) for a prompt of one chunk without weights."""
    chosen = clip.encoders[encoder]
    network = store.text_encoder(chosen)
    tensors = network.state_dict()
    ids = [START, *token_ids(text), END]
    ids += [PAD[chosen.kind]] * (77 - len(ids))
    x = transformer(network, tensors["embeddings.token_embedding.weight"][ids])[layer]
    return norm(tensors, "final_layer_norm", x) if normed else x


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


# --- plain prompts ----------------------------------------------------------------------------


def test_a_plain_prompt_gives_what_transformers_gives(store: ModelStore, sd1: Clip) -> None:
    network = store.text_encoder(sd1.encoders[0])
    (chunk,) = tokenize("a photo of a cat", "clip_l")
    output = network(torch.tensor([[token.id for token in chunk]]))
    found = only(store, sd1, "a photo of a cat")
    close(found.embedding, output.last_hidden_state)
    assert found.pooled is not None
    close(found.pooled, output.pooler_output)


def test_conditioning_is_float32_on_the_cpu(store: ModelStore, sd1: Clip) -> None:
    found = only(store, sd1, "cat")
    assert found.embedding.shape == (1, 77, 64)
    assert found.embedding.dtype == torch.float32
    assert found.embedding.device.type == "cpu"
    assert not found.embedding.requires_grad


def test_a_long_prompt_is_its_chunks_side_by_side(store: ModelStore, sd1: Clip) -> None:
    text = "cat " * 75
    found = only(store, sd1, text + "dog")
    assert found.embedding.shape == (1, 154, 64)
    close(found.embedding[:, :77], only(store, sd1, text).embedding)
    close(found.embedding[:, 77:], only(store, sd1, "dog").embedding)
    assert found.pooled is not None
    first = only(store, sd1, text).pooled
    assert first is not None
    close(found.pooled, first)


# --- which layer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "encoder", "layer", "expected", "normed"),
    [
        ("sd1", 0, None, -1, True),
        ("sd1", 0, -1, -1, True),
        ("sd1", 0, -2, -2, True),
        ("sd1", 0, -3, -3, True),
        ("sd1", 0, -4, -1, True),
        ("sd2", 0, None, -2, True),
        ("sd2", 0, -1, -1, True),
        ("sd2", 0, -3, -3, True),
        ("sdxl", 0, None, -2, False),
        ("sdxl", 1, None, -2, False),
        ("sdxl", 0, -1, -1, False),
        ("sdxl", 1, -3, -3, False),
        ("sdxl", 1, -24, -1, True),
        ("refiner", 0, None, -2, False),
    ],
)
def test_the_layer_is_the_familys(
    store: ModelStore,
    checkpoints: dict[str, Clip],
    *,
    family: str,
    encoder: int,
    layer: int | None,
    expected: int,
    normed: bool,
) -> None:
    clip = replace(checkpoints[family], layer=layer)
    found = only(store, clip, "a cat").embedding[0]
    if family == "sdxl":
        found = found[:, 64:] if encoder else found[:, :64]
    close(found, expected_states(store, clip, "a cat", expected, normed=normed, encoder=encoder))


def test_the_real_encoders_stop_where_the_field_does(checkpoints: dict[str, Clip]) -> None:
    sd1, sd2, sdxl = (checkpoints[family] for family in ("sd1", "sd2", "sdxl"))
    assert chosen_layer(sd1, "clip_l", 12) == (12, True)
    assert chosen_layer(set_last_layer(sd1, -2), "clip_l", 12) == (11, True)
    assert chosen_layer(set_last_layer(sd1, -12), "clip_l", 12) == (1, True)
    assert chosen_layer(set_last_layer(sd1, -13), "clip_l", 12) == (12, True)
    assert chosen_layer(sd2, "clip_h", 24) == (23, True)
    # diffusers' folders leave out the last of the 24.
    assert chosen_layer(sd2, "clip_h", 23) == (23, True)
    assert chosen_layer(set_last_layer(sd2, -3), "clip_h", 23) == (22, True)
    assert chosen_layer(set_last_layer(sd2, -1), "clip_h", 23) == (23, True)
    assert chosen_layer(sdxl, "clip_l", 12) == (11, False)
    assert chosen_layer(sdxl, "clip_g", 32) == (31, False)
    assert chosen_layer(set_last_layer(sdxl, -24), "clip_l", 12) == (12, True)
    assert chosen_layer(set_last_layer(sdxl, -24), "clip_g", 32) == (9, False)


def test_clip_skip_leaves_the_pooled_state_alone(store: ModelStore, sdxl: Clip) -> None:
    usual, stopped = (only(store, clip, "cat") for clip in (sdxl, set_last_layer(sdxl, -3)))
    assert usual.pooled is not None
    assert stopped.pooled is not None
    close(stopped.pooled, usual.pooled)
    assert not torch.allclose(stopped.embedding, usual.embedding, atol=1e-2)


def test_clip_skip_one_is_the_last_layer() -> None:
    assert [layer_of_clip_skip(n) for n in (1, 2, 12)] == [-1, -2, -12]


@pytest.mark.parametrize("layer", [0, 1, -25])
def test_a_layer_out_of_range_is_refused(sd1: Clip, layer: int) -> None:
    with pytest.raises(InputError) as caught:
        set_last_layer(sd1, layer)
    assert caught.value.code == "clip_layer_out_of_range"
    assert str(layer) in caught.value.text("ja")


# --- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [1.3, 0.5, -0.5, 0.0])
def test_a_weight_moves_a_token_away_from_the_empty_prompt(
    store: ModelStore, sd1: Clip, weight: float
) -> None:
    found = only(store, sd1, f"a (red:{weight}) cat").embedding[0]
    plain = only(store, sd1, "a red cat").embedding[0]
    empty = only(store, sd1, "").embedding[0]
    expected = plain.clone()
    expected[2] = (plain[2] - empty[2]) * weight + empty[2]
    close(found, expected)


def test_weights_leave_the_pooled_state_alone(store: ModelStore, sdxl: Clip) -> None:
    plain, weighted = only(store, sdxl, "a red cat"), only(store, sdxl, "a (red:1.5) cat")
    assert plain.pooled is not None
    assert weighted.pooled is not None
    close(weighted.pooled, plain.pooled)


def test_weights_act_in_every_chunk(store: ModelStore, sd1: Clip) -> None:
    found = only(store, sd1, "cat " * 75 + "(dog:1.4)").embedding
    close(found[:, 77:], only(store, sd1, "(dog:1.4)").embedding)


# --- pooled, SDXL, refiner --------------------------------------------------------------------


def test_sdxl_puts_both_encoders_side_by_side(store: ModelStore, sdxl: Clip) -> None:
    found = only(store, sdxl, "a cat")
    assert found.embedding.shape == (1, 77, 64 + 128)
    left = expected_states(store, sdxl, "a cat", -2, normed=False, encoder=0)
    right = expected_states(store, sdxl, "a cat", -2, normed=False, encoder=1)
    close(found.embedding[0], torch.cat([left, right], dim=-1))


@pytest.mark.parametrize("family", ["sdxl", "refiner"])
def test_clip_g_projects_its_first_end_token(
    store: ModelStore, checkpoints: dict[str, Clip], family: str
) -> None:
    clip = checkpoints[family]
    encoder = len(clip.encoders) - 1
    last = expected_states(store, clip, "a cat", -1, normed=True, encoder=encoder)
    projection = store.text_encoder(clip.encoders[encoder]).state_dict()["text_projection.weight"]
    found = only(store, clip, "a cat").pooled
    assert found is not None
    close(found, last[3:4] @ projection.T)


def test_an_end_token_in_the_prompt_is_the_pooled_one(store: ModelStore, sd1: Clip) -> None:
    found, short = only(store, sd1, "a cat<|endoftext|>dog"), only(store, sd1, "a cat")
    assert found.pooled is not None
    assert short.pooled is not None
    close(found.pooled, short.pooled)


def test_sdxls_prompts_are_encoded_apart_and_filled_up(store: ModelStore, sdxl: Clip) -> None:
    long = "cat " * 76
    (found,) = encode_sdxl(store, sdxl, "dog", text_l=long, size=SIZE).conditions
    assert found.embedding.shape == (1, 154, 192)
    assert found.size == SIZE
    close(found.embedding[..., :64], only(store, sdxl, long).embedding[..., :64])
    close(found.embedding[:, :77, 64:], only(store, sdxl, "dog").embedding[..., 64:])
    close(found.embedding[:, 77:, 64:], only(store, sdxl, "").embedding[..., 64:])
    dog = only(store, sdxl, "dog").pooled
    assert found.pooled is not None
    assert dog is not None
    close(found.pooled, dog)


def test_sdxls_node_refuses_another_familys_clip(store: ModelStore, sd1: Clip) -> None:
    with pytest.raises(InputError) as caught:
        encode_sdxl(store, sd1, "a", text_l="b", size=SIZE)
    assert caught.value.code == "clip_is_not_sdxl"
    assert "clip_l" in caught.value.text("ja")


def test_the_refiner_takes_clip_g_alone_and_a_score(
    store: ModelStore, checkpoints: dict[str, Clip]
) -> None:
    size = {**SIZE, "aesthetic_score": 6.0}
    (found,) = encode_refiner(store, checkpoints["refiner"], "a cat", size=size).conditions
    assert found.embedding.shape == (1, 77, 128)
    assert found.size["aesthetic_score"] == 6.0


# --- embeddings -------------------------------------------------------------------------------


def saved(path: Path, tensors: dict[str, Tensor]) -> FileRef:
    save_file(tensors, path)
    return file_ref(path)


def words(store: ModelStore, clip: Clip, text: str) -> Tensor:
    """The token embeddings of a text, [n, 64]: as an embedding they mean what the text means."""
    table = store.text_encoder(clip.encoders[0]).state_dict()["embeddings.token_embedding.weight"]
    return table[token_ids(text)].clone()


def test_an_embedding_of_words_vectors_is_those_words(
    store: ModelStore, sd1: Clip, tmp_path: Path
) -> None:
    file = saved(tmp_path / "x.safetensors", {"emb_params": words(store, sd1, "red cat")})
    found = only(store, sd1, "a embedding:x, small", resolve_embedding={"x": file}.get)
    close(found.embedding, only(store, sd1, "a red cat, small").embedding)


def test_a_trigger_word_is_its_vectors_with_its_weight(
    store: ModelStore, sd1: Clip, tmp_path: Path
) -> None:
    file = saved(tmp_path / "x.safetensors", {"emb_params": words(store, sd1, "red cat")})
    clip = add_embedding(sd1, "Low Quality", file)
    found = only(store, clip, "a (low  quality:1.3) picture")
    close(found.embedding, only(store, sd1, "a (red cat:1.3) picture").embedding)


def test_the_trigger_added_last_wins(store: ModelStore, sd1: Clip, tmp_path: Path) -> None:
    first = saved(tmp_path / "1.safetensors", {"emb_params": words(store, sd1, "red")})
    second = saved(tmp_path / "2.safetensors", {"emb_params": words(store, sd1, "cat")})
    clip = add_embedding(add_embedding(sd1, "moody", first), "Moody", second)
    expected = only(store, sd1, "a cat").embedding
    close(only(store, clip, "a moody").embedding, expected)
    close(only(store, clip, "a embedding:moody").embedding, expected)


def test_an_empty_trigger_is_refused(sd1: Clip) -> None:
    with pytest.raises(InputError) as caught:
        add_embedding(sd1, "  ", FileRef("x", 1, 1))
    assert caught.value.code == "trigger_is_empty"


def test_a_missing_embedding_is_left_out_and_told_once(store: ModelStore, sdxl: Clip) -> None:
    warnings: list[GraphEngineError] = []
    found = only(store, sdxl, "a embedding:nothing, cat", warn=warnings.append)
    close(found.embedding, only(store, sdxl, "a , cat").embedding)
    assert [warning.code for warning in warnings] == ["embedding_not_found"]
    assert "nothing" in warnings[0].text("en")
    assert "nothing" in warnings[0].text("ja")


def test_an_embedding_of_another_width_is_left_out_with_a_warning(
    store: ModelStore, sd1: Clip, tmp_path: Path
) -> None:
    file = saved(tmp_path / "wide.safetensors", {"emb_params": torch.ones(2, 96)})
    warnings: list[GraphEngineError] = []
    resolve = {"wide": file}.get
    text = "(red:1.2) embedding:wide (cat:1.4)"
    found = only(store, sd1, text, resolve_embedding=resolve, warn=warnings.append)
    close(found.embedding, only(store, sd1, "(red:1.2) (cat:1.4)").embedding)
    assert [warning.code for warning in warnings] == ["embedding_wrong_width"]
    assert warnings[0].details["got"] == 96
    assert warnings[0].details["expected"] == 64


def test_each_of_sdxls_encoders_gets_its_own_vectors(
    store: ModelStore, sdxl: Clip, tmp_path: Path
) -> None:
    tensors = {
        "clip_l": store.text_encoder(sdxl.encoders[0]).state_dict()[
            "embeddings.token_embedding.weight"
        ][token_ids("red")],
        "clip_g": store.text_encoder(sdxl.encoders[1]).state_dict()[
            "embeddings.token_embedding.weight"
        ][token_ids("cat")],
    }
    file = saved(tmp_path / "x.safetensors", tensors)
    found = only(store, sdxl, "a embedding:x", resolve_embedding={"x": file}.get)
    (expected,) = encode_sdxl(store, sdxl, "a cat", text_l="a red", size={}).conditions
    close(found.embedding, expected.embedding)


def test_vectors_that_do_not_fit_one_encoder_still_cut_the_prompt_alike(
    store: ModelStore, sdxl: Clip, tmp_path: Path
) -> None:
    file = saved(tmp_path / "sd1.safetensors", {"emb_params": torch.zeros(5, 64)})
    text = "cat " * 72 + ", embedding:sd1 dog"
    found = only(store, sdxl, text, resolve_embedding={"sd1": file}.get)
    assert found.embedding.shape == (1, 154, 192)


def test_a_damaged_embedding_stops_the_run(store: ModelStore, sd1: Clip, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelFileError):
        only(store, sd1, "embedding:x", resolve_embedding={"x": file_ref(path)}.get)


def test_a_checkpoint_without_a_text_encoder_is_explained(store: ModelStore) -> None:
    attempts = (
        lambda: encode(store, None, "cat"),
        lambda: encode_sdxl(store, None, "cat", text_l="cat", size={}),
        lambda: encode_refiner(store, None, "cat", size={}),
        lambda: set_last_layer(None, -2),
        lambda: add_embedding(None, "moody", FileRef("x", 1, 1)),
    )
    for attempt in attempts:
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.code == "no_clip"
        assert "CLIPLoader" in caught.value.text("ja")

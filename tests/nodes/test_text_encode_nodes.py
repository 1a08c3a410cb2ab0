from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.api import Context
from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.clip import encode
from graphengine.diffusion.tokenizer import token_ids
from graphengine.errors import InputError
from graphengine.events import Event, NodeWarning
from graphengine.sockets import Clip, Conditioning
from tests.diffusion.tiny_models import make_checkpoint

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("checkpoints")
    found = {}
    for family in ("sd1", "sdxl", "refiner"):
        clip = load_checkpoint(make_checkpoint(folder / f"{family}.safetensors", family=family))[1]
        assert clip is not None
        found[family] = clip
    return found


def save_words(context: Context, clip: Clip, name: str, words: str) -> None:
    """An embedding whose vectors are those of the words themselves."""
    table = context.models.text_encoder(clip.encoders[0]).state_dict()
    vectors = table["embeddings.token_embedding.weight"][token_ids(words)]
    path = context.folders.roots("embeddings")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"emb_params": vectors}, path)


def same(first: Conditioning, second: Conditioning) -> bool:
    pairs = zip(first.conditions, second.conditions, strict=True)
    return all(torch.allclose(a.embedding, b.embedding, atol=1e-5) for a, b in pairs)


def test_a_prompt_calls_embeddings_by_name(
    call: Call, context: Context, clips: dict[str, Clip]
) -> None:
    clip = clips["sd1"]
    save_words(context, clip, "sub/moody.safetensors", "red cat")
    found = call("CLIPTextEncode", text="a embedding:moody, small", clip=clip, context=context)
    assert same(found, encode(context.models, clip, "a red cat, small"))


@pytest.mark.parametrize("name", ["nothing", "../../secret", "/etc/passwd"])
def test_a_name_that_is_not_there_or_outside_is_a_warning(
    call: Call, context: Context, clips: dict[str, Clip], events: list[Event], name: str
) -> None:
    clip = clips["sd1"]
    save_words(context, clip, "../../secret.safetensors", "red")
    found = call("CLIPTextEncode", text=f"a cat embedding:{name}", clip=clip, context=context)
    assert same(found, encode(context.models, clip, "a cat"))
    (event,) = events
    assert isinstance(event, NodeWarning)
    assert event.node_id == "1"
    assert event.warning.code == "embedding_not_found"


@pytest.mark.parametrize(
    ("trigger", "text"), [("Low Quality", "a (low quality:1.3) dog"), ("", "a (moody:1.3) dog")]
)
def test_the_embedding_loader_gives_a_word_its_meaning(
    call: Call, context: Context, clips: dict[str, Clip], trigger: str, text: str
) -> None:
    clip = clips["sd1"]
    save_words(context, clip, "sub/moody.safetensors", "red cat")
    loaded = call(
        "EmbeddingLoader",
        clip=clip,
        embedding_name="sub/moody.safetensors",
        trigger_word=trigger,
        context=context,
    )
    found = call("CLIPTextEncode", text=text, clip=loaded, context=context)
    assert same(found, encode(context.models, clip, "a (red cat:1.3) dog"))
    plain = call("CLIPTextEncode", text=text, clip=clip, context=context)
    assert not same(found, plain)


def test_clip_skip_changes_the_clip_alone(call: Call, clips: dict[str, Clip]) -> None:
    stopped = call("CLIPSetLastLayer", clip=clips["sd1"], stop_at_clip_layer=-2)
    assert stopped.layer == -2
    assert stopped.encoders == clips["sd1"].encoders
    assert clips["sd1"].layer is None
    with pytest.raises(InputError):
        call("CLIPSetLastLayer", clip=clips["sd1"], stop_at_clip_layer=0)


def test_sdxl_takes_two_prompts_and_sizes(
    call: Call, context: Context, clips: dict[str, Clip]
) -> None:
    clip = clips["sdxl"]
    found = call(
        "CLIPTextEncodeSDXL", clip=clip, width=640, crop_h=8, text_g="cat", text_l="dog",
        context=context,
    )  # fmt: skip
    (condition,) = found.conditions
    assert condition.size == {
        "width": 640, "height": 1024, "crop_w": 0, "crop_h": 8,
        "target_width": 1024, "target_height": 1024,
    }  # fmt: skip
    (cat,), (dog,) = (encode(context.models, clip, word).conditions for word in ("cat", "dog"))
    expected = torch.cat([dog.embedding[..., :64], cat.embedding[..., 64:]], dim=-1)
    assert torch.allclose(condition.embedding, expected, atol=1e-5)


def test_the_refiner_takes_a_score(call: Call, context: Context, clips: dict[str, Clip]) -> None:
    clip = clips["refiner"]
    found = call(
        "CLIPTextEncodeSDXLRefiner", ascore=2.5, width=640, text="cat", clip=clip, context=context
    )
    assert found.conditions[0].size == {"aesthetic_score": 2.5, "width": 640, "height": 1024}
    assert same(found, encode(context.models, clip, "cat"))

"""Plugins that use models, text encoders and VAEs get the pictures that our own nodes make."""

from __future__ import annotations

from typing import Any

from tests.comfy.host.prompts import error_of, link, node, shown, watched
from tests.server.client import Client
from tests.server.conftest import Serve

STARTER = "graphengine-starter.safetensors"


def prompt(**changes: dict[str, Any]) -> dict[str, Any]:
    sampling = {
        "positive": link("words"),
        "negative": link("none"),
        "latent_image": link("empty"),
        "seed": 7,
        "sampler_name": "euler",
        "scheduler": "normal",
    }
    nodes = {
        "file": node("CheckpointLoaderSimple", ckpt_name=STARTER),
        "words": node("CLIPTextEncode", clip=link("file", 1), text="a red circle"),
        "none": node("CLIPTextEncode", clip=link("file", 1), text=""),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "model": node("NetChange", model=link("file"), how="nothing"),
        "ours": node("KSampler", model=link("file"), steps=2, cfg=4.0, denoise=1.0, **sampling),
        "theirs": node("NetSample", model=link("model"), how="common", **sampling),
        "same": node("NetSame", a=link("ours"), b=link("theirs")),
    }
    for name, inputs in changes.items():
        nodes[name] = {**nodes[name], "inputs": {**nodes[name]["inputs"], **inputs}}
    return nodes


async def apart(client: Client, nodes: dict[str, Any], node_id: str = "same") -> float:
    entry, _ = await watched(client, nodes)
    assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
    return float(shown(entry, node_id)[0])


def test_sampling_gives_our_latent_whichever_way_it_is_called(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for how in ("common", "class", "prepared", "ksampler", "custom", "levels"):
            assert await apart(client, prompt(theirs={"how": how})) == 0, how
        assert await apart(client, prompt(theirs={"how": "own"})) > 0.01

    serve(scenario)


def test_functions_on_a_model_change_what_it_gives(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for how in ("cfg", "pre", "post", "wrapper"):
            assert await apart(client, prompt(model={"how": how})) < 1e-4, how
        for how in ("zero", "weights"):
            assert await apart(client, prompt(model={"how": how})) > 0.01, how
        entry, _ = await watched(client, prompt(model={"how": "unknown"}))
        assert "MODEL has no set_model_patch('emb_patch')" in error_of(entry)["exception_message"]

    serve(scenario)


def test_functions_act_in_the_blocks_that_comfyui_numbers(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = prompt(model={"how": "look"})
        nodes["places"] = node("NetPlaces", after=link("theirs"))
        assert await apart(client, nodes) == 0
        entry, _ = await watched(client, nodes)
        seen = shown(entry, "places")
        inputs = [place.removeprefix("in ") for place in seen if place.startswith("in input")]
        assert inputs == [f"input {number}" for number in range(len(inputs))]
        outputs = [place for place in seen if place.startswith("out ")]
        assert outputs == [f"out output {number}" for number in range(len(inputs))]
        assert "attn1 middle 0" in seen
        assert {place.split()[0] for place in seen} == {"attn1", "attn2", "in", "out"}
        assert await apart(client, prompt(model={"how": "replace"})) < 1e-4
        for how in ("blind", "values", "louder", "bright", "after"):
            assert await apart(client, prompt(model={"how": how})) > 1e-3, how

    serve(scenario)


def test_freeu_as_plugins_have_it_gives_our_freeu(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = prompt(model={"how": "freeu"}, ours={"model": link("free")})
        nodes["free"] = node("FreeU", model=link("file"), b1=1.3, b2=1.4, s1=0.9, s2=0.2)
        assert await apart(client, nodes) < 1e-4

    serve(scenario)


def test_words_pictures_and_files_cross_unchanged(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = prompt()
        del nodes["same"]
        for how in ("tokens", "scheduled", "class"):
            nodes[how] = node("NetWords", clip=link("file", 1), text="a red circle", how=how)
            nodes[f"same {how}"] = node("NetSame", a=link("words"), b=link(how))
        nodes["heavier"] = node(
            "NetWords", clip=link("file", 1), text="a red circle", how="weights"
        )
        nodes["other"] = node("NetSame", a=link("words"), b=link("heavier"))
        nodes["decoded"] = node("VAEDecode", samples=link("theirs"), vae=link("file", 2))
        for how in ("method", "class", "tiled"):
            nodes[how + "!"] = node(
                "NetPictures", vae=link("file", 2), samples=link("ours"), how=how
            )
            nodes[f"same {how}!"] = node("NetSame", a=link("decoded"), b=link(how + "!"))
        nodes["loaded"] = node("NetLoad", name=STARTER)
        nodes["again"] = node("VAEDecode", samples=link("theirs"), vae=link("loaded", 2))
        nodes["same again"] = node("NetSame", a=link("decoded"), b=link("again"))
        nodes["mask"] = node("MaskToImage", mask=link("method!", 1))
        nodes["saved"] = node("SaveImage", images=link("mask"), filename_prefix="mask")
        entry, _ = await watched(client, nodes)
        assert entry["status"]["status_str"] == "success", error_of(entry)["exception_message"]
        same = {key: float(shown(entry, key)[0]) for key in nodes if key.startswith("same")}
        assert max(same.values()) < 1e-6, same
        assert float(shown(entry, "other")[0]) > 1e-3

    serve(scenario)

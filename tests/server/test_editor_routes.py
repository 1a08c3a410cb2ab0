"""What the editor asks: nodes, opening, saved workflows and their versions, drafts, templates."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphengine.server.socket_models import SocketMessage
from tests.server.client import Client, until_done
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW, linked

V1 = "/api/v1"


def native(text: str = "hello", kind: str = "Work") -> dict[str, Any]:
    node = {"id": "1", "type": kind, "position": [0, 0], "values": {"name": text}}
    return {"format": "graphengine workflow", "version": 1, "nodes": [node]}


async def put(client: Client, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client._answer("PUT", V1 + path, status, json=body, headers=named)


# --- nodes ----------------------------------------------------------------------------------------


def test_every_node_is_described_in_both_languages_and_not_sent_twice(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        first = await client.response("GET", f"{V1}/nodes")
        nodes = (await first.json())["nodes"]
        sampler = nodes["KSampler"]
        inputs = {slot["name"]: slot for slot in sampler["inputs"]}
        assert sampler["texts"]["ja"]["title"] != sampler["texts"]["en"]["title"]
        assert inputs["seed"]["widget"]["kind"] == "seed"
        assert inputs["seed"]["widget"]["max"] == 2**64 - 1
        assert (inputs["steps"]["default"], inputs["steps"]["widget"]["min"]) == (20, 1)
        assert inputs["model"]["widget"] is None
        assert "euler" in inputs["sampler_name"]["widget"]["choices"]
        assert set(nodes) > {"Show", "CheckpointLoaderSimple"}
        assert nodes["Show"]["built_in"] is False

        etag = first.headers["ETag"]
        again = await client.response("GET", f"{V1}/nodes", headers={"If-None-Match": etag})
        assert (again.status, await again.read()) == (304, b"")

    serve(scenario)


def test_a_number_that_may_be_none_starts_as_none(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = (await client.get(f"{V1}/nodes"))["nodes"]
        inputs = {slot["name"]: slot for slot in nodes["Widgets"]["inputs"]}
        assert (inputs["extra"]["default"], inputs["extra"]["optional"]) == (None, True)
        assert (inputs["strength"]["default"], inputs["switch"]["default"]) == (0.5, False)

    serve(scenario)


def test_a_new_model_file_appears_in_the_lists_without_a_restart(serve: Serve) -> None:
    async def choices(client: Client) -> list[str]:
        nodes = (await client.get(f"{V1}/nodes"))["nodes"]
        (slot,) = [s for s in nodes["VAELoader"]["inputs"] if s["name"] == "vae_name"]
        assert (slot["widget"]["kind"], slot["widget"]["folder"]) == ("model", "vae")
        return list(slot["widget"]["choices"])

    async def scenario(client: Client) -> None:
        before = await choices(client)
        folder = client.base / "models" / "vae"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vivid.safetensors").write_bytes(b"")
        assert sorted(await choices(client)) == sorted([*before, "vivid.safetensors"])

    serve(scenario)


def test_a_plugin_whose_list_cannot_be_made_hides_no_other_node(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "models" / "toy_trouble").mkdir()
        nodes = (await client.get(f"{V1}/nodes"))["nodes"]
        assert nodes["Trouble"]["inputs"][0]["widget"]["choices"] == []
        assert "KSampler" in nodes
        assert "Trouble" in await client.get("/object_info")

    serve(scenario)


# --- opening --------------------------------------------------------------------------------------


def test_whatever_holds_a_workflow_opens_as_a_document(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        api = await client.post(f"{V1}/open?name=a.json", SHOW)
        assert (api["name"], api["form"], api["document"]["nodes"][0]["type"]) == (
            "a",
            "api",
            "Show",
        )
        again = await client.post(f"{V1}/open", api["document"])
        assert (again["form"], again["document"]) == ("native", api["document"])

        carried = PngInfo()
        carried.add_text("prompt", json.dumps(linked()))
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG", pnginfo=carried)
        opened = await client._answer("POST", f"{V1}/open", 200, data=picture.getvalue())
        assert len(opened["document"]["nodes"]) == len(linked())

        plain = io.BytesIO()
        Image.new("RGB", (8, 8)).save(plain, "PNG")
        wrong = await client._answer("POST", f"{V1}/open", 400, data=plain.getvalue())
        assert wrong["error"]["type"] == "nothing_carried"

    serve(scenario)


def test_what_is_missing_is_told_with_what_could_replace_it(serve: Serve) -> None:
    document = native()
    document["nodes"] += [
        {"id": "2", "type": "KSamplr", "position": [0, 0]},
        {"id": "3", "type": "VAELoader", "position": [0, 0], "values": {"vae_name": "a/old.pt"}},
        {"id": "4", "type": "VAELoader", "position": [0, 0], "values": {"vae_name": "gone.pt"}},
        {"id": "5", "type": "Note", "position": [0, 0]},
    ]
    document["models"] = [{"name": "gone.pt", "url": "javascript:alert(1)"}]

    async def scenario(client: Client) -> None:
        folder = client.base / "models" / "vae"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "old.safetensors").write_bytes(b"")
        opened = await client.post(f"{V1}/open", document)

        (node,) = opened["missing_nodes"]
        assert (node["type"], node["node_ids"]) == ("KSamplr", ["2"])
        assert "KSampler" in node["suggestions"]
        (model,) = opened["missing_models"]
        assert (model["node_id"], model["folder"], model["name"]) == ("4", "vae", "gone.pt")
        assert "old.safetensors" in model["substitutes"]
        assert model["url"] is None
        values = {one["id"]: one.get("values") for one in opened["document"]["nodes"]}
        assert values["3"] == {"vae_name": "old.safetensors"}
        assert "model_matched_name" in [note["code"] for note in opened["notes"]]

    serve(scenario)


def test_a_document_is_exported_for_comfyui_and_for_scripts(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        body = {"document": native()}
        editor = await client.post(f"{V1}/export", body)
        assert editor["nodes"][0]["widgets_values"] == ["hello"]
        api = await client.post(f"{V1}/export?format=api", body)
        assert api["1"]["inputs"]["name"] == "hello"
        await client.post(f"{V1}/export?format=exe", body, status=400)

    serve(scenario)


# --- jobs -----------------------------------------------------------------------------------------


def test_the_workflow_of_a_job_opens_again(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        job = await client.post(f"{V1}/jobs", {"prompt": native("from a document")}, status=201)
        await client.ended(job["id"])
        opened = await client.get(f"{V1}/jobs/{job['id']}/document")
        assert opened["document"]["nodes"][0]["values"] == {"name": "from a document"}
        entry = await client.get(f"/history/{job['id']}")
        carried = entry[job["id"]]["prompt"][3]["extra_pnginfo"]["workflow"]
        assert carried["nodes"][0]["widgets_values"] == ["from a document"]

        plain = await client.queue(SHOW)
        assert (await client.get(f"{V1}/jobs/{plain}/document"))["form"] == "api"
        await client.get(f"{V1}/jobs/none/document", status=404)

    serve(scenario)


def test_every_message_of_the_socket_is_one_that_the_editor_knows(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket()
        await socket.send_json({"type": "feature_flags", "data": {}})
        frames = []
        failing = {
            "1": {"class_type": "Fail", "inputs": {"value": 1}},
            "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
        }
        for prompt in (linked(), failing):
            frames += await until_done(socket, await client.queue(prompt))
        types = {SocketMessage.model_validate(f).root.type for f in frames if isinstance(f, dict)}
        assert types >= {"status", "feature_flags", "executed", "execution_error"}
        await socket.close()

    serve(scenario)


# --- saved workflows ------------------------------------------------------------------------------


def test_a_workflow_is_saved_found_renamed_and_deleted_with_its_versions(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        first = await put(client, "/workflows/faces%2Fred", {"document": native("one")})
        assert first["name"] == "faces/red"
        file = client.base / "user" / "default" / "workflows" / "faces" / "red.json"
        assert json.loads(file.read_text())["nodes"][0]["values"] == {"name": "one"}
        same = await put(client, "/workflows/faces%2Fred", {"document": native("one")})
        assert same["etag"] == first["etag"]
        await put(client, "/workflows/faces%2Fred", {"document": native("two")})
        versions = (await client.get(f"{V1}/workflows/faces%2Fred/versions"))["versions"]
        assert [one["number"] for one in versions] == [1]
        old = await client.get(f"{V1}/workflows/faces%2Fred/versions/1")
        assert old["document"]["nodes"][0]["values"] == {"name": "one"}

        renamed = await client.post(f"{V1}/workflows/faces%2Fred/rename", {"name": "赤"})
        assert renamed["name"] == "赤"
        listed = (await client.get(f"{V1}/workflows"))["workflows"]
        assert [one["name"] for one in listed] == ["赤"]
        await client.get(f"{V1}/workflows/faces%2Fred", status=404)
        await client.delete(f"{V1}/workflows/赤", status=204)
        assert (await client.get(f"{V1}/workflows"))["workflows"] == []
        versions = (await client.get(f"{V1}/workflows/赤/versions"))["versions"]
        assert [one["number"] for one in versions] == [2, 1]
        await client.get(f"{V1}/workflows/赤/versions/9", status=404)
        await client.get(f"{V1}/workflows/赤/versions/x", status=400)

    serve(scenario)


def test_two_tabs_do_not_overwrite_each_other(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        saved = await put(client, "/workflows/a", {"document": native("one")})
        opened = await client.response("GET", f"{V1}/workflows/a")
        assert opened.headers["ETag"] == saved["etag"]
        mine = {"document": native("mine")}
        await put(client, "/workflows/a", mine, 412, If_None_Match="*")
        await put(client, "/workflows/a", mine, If_Match=saved["etag"])
        theirs = {"document": native("theirs")}
        wrong = await put(client, "/workflows/a", theirs, 412, If_Match=saved["etag"])
        assert wrong["error"]["type"] == "file_changed"
        answers = await asyncio.gather(
            *(
                client.response(
                    "PUT", f"{V1}/workflows/new", json=mine, headers={"If-None-Match": "*"}
                )
                for _ in range(5)
            )
        )
        assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]

    serve(scenario)


@pytest.mark.parametrize(
    "name", ["..%2Fa", "%2Fetc%2Fa", "a%2F..%2F..%2Fb", ".hidden", "a%00b", "a%2F%2Fb", "%20"]
)
def test_no_name_leaves_the_folder(serve: Serve, name: str) -> None:
    async def scenario(client: Client) -> None:
        before = sorted(client.base.rglob("*"))
        answer = await client.response("PUT", f"{V1}/workflows/{name}", json={"document": native()})
        assert answer.status in (400, 404), await answer.text()
        draft = await client.response(
            "PUT", f"{V1}/drafts/{name}", json={"name": "x", "document": native()}
        )
        assert draft.status in (400, 404)
        assert sorted(client.base.rglob("*")) == before

    serve(scenario)


def test_a_document_that_is_none_is_not_saved(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await put(client, "/workflows/a", {"document": {**native(), "nodes": 5}}, 400)
        await put(client, "/workflows/a", {}, 400)
        assert (await client.get(f"{V1}/workflows"))["workflows"] == []

    serve(scenario)


# --- drafts and templates -------------------------------------------------------------------------


def test_drafts_are_kept_until_they_are_deleted(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        body = {"name": "<b>x</b>", "document": native("draft"), "workflow": "a"}
        first = await put(client, "/drafts/tab-1", body)
        assert (first["name"], first["workflow"]) == ("<b>x</b>", "a")
        await put(client, "/drafts/tab-2", {**body, "name": "later"})
        drafts = (await client.get(f"{V1}/drafts"))["drafts"]
        assert [one["id"] for one in drafts] == ["tab-2", "tab-1"]
        read = await client.get(f"{V1}/drafts/tab-1")
        assert read["document"] == native("draft")
        await put(client, "/drafts/tab-1", body, 412, If_Match='"other"')
        await client.delete(f"{V1}/drafts/tab-1", status=204)
        await client.get(f"{V1}/drafts/tab-1", status=404)
        await client.delete(f"{V1}/drafts/tab-1", status=404)

    serve(scenario)


def test_the_starter_workflow_is_the_first_template_and_opens(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        first = (await client.get(f"{V1}/templates"))["templates"][0]
        assert first["name"] == "text_to_image"
        opened = await client.get(f"{V1}/templates/text_to_image")
        assert (opened["missing_nodes"], opened["missing_models"]) == ([], [])
        assert "KSampler" in [node["type"] for node in opened["document"]["nodes"]]
        japanese = await client.get(f"{V1}/templates/text_to_image?language=ja")
        titles = [
            [node["title"] for node in one["document"]["nodes"]] for one in (opened, japanese)
        ]
        assert (titles[0][2], titles[1][2]) == ("Negative prompt", "ネガティブプロンプト")
        await client.get(f"{V1}/templates/..%2Fpyproject", status=404)

    serve(scenario)

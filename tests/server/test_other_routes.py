"""Nodes, models, the person's files and settings, the system: shapes that clients expect."""

from __future__ import annotations

import json
import logging
import os
import re
import struct
import sys
from importlib import metadata
from pathlib import Path

import pytest

from graphengine.server import system
from graphengine.server.logs import JsonFormatter
from tests.server.client import Client
from tests.server.conftest import Serve


def test_a_node_is_described_in_comfyuis_shape(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        all_nodes = await client.get("/object_info")
        one = await client.get("/object_info/Widgets")
        assert one == {"Widgets": all_nodes["Widgets"]}
        info = one["Widgets"]

        required = info["input"]["required"]
        assert required["text"] == ["STRING", {"multiline": True}]
        assert required["strength"] == [
            "FLOAT",
            {"default": 0.5, "min": 0, "max": 1, "step": 0.1},
        ]
        assert required["method"] == [["euler", "heun"], {"default": "euler"}]
        assert required["seed"][1]["control_after_generate"] is True
        assert required["switch"] == ["BOOLEAN", {"default": False}]
        assert info["input_order"]["required"] == list(required)
        assert info["output"] == []
        assert info["output_node"] is True
        assert info["python_module"] == "custom_nodes.toys"
        assert info["name"] == info["display_name"] == "Widgets"
        number = all_nodes["Number"]
        assert (number["output"], number["output_name"]) == (["INT"], ["INT"])
        assert number["output_is_list"] == [False]
        assert number["input"]["required"]["value"][1]["tooltip"] == "Which number."
        assert all_nodes["SaveImage"]["python_module"] == "nodes"
        assert await client.get("/object_info/NoSuchNode") == {}

    serve(scenario)


def test_files_that_come_and_go_are_seen(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async def choices() -> list[str]:
            info = (await client.get("/object_info"))["Widgets"]
            return info["input"]["required"]["checkpoint"][0]

        folder = client.base / "models" / "checkpoints"
        before = await choices()
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "a.safetensors").touch()
        assert set(await choices()) == {*before, "deep/a.safetensors"}
        assert "deep/a.safetensors" in await client.get("/models/checkpoints")
        (folder / "deep" / "a.safetensors").unlink()
        assert await choices() == before

    serve(scenario)


def test_models_are_listed_with_what_they_say_of_themselves(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        folder = client.base / "models" / "upscale_models"
        folder.mkdir()
        header = json.dumps({"__metadata__": {"made": "by us"}}).encode()
        (folder / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        (folder / "b.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")
        (client.base / "models" / "embeddings").mkdir()
        (client.base / "models" / "embeddings" / "cat.pt").touch()

        assert "upscale_models" in await client.get("/models")
        assert await client.get("/models/upscale_models") == ["a.safetensors", "b.safetensors"]
        assert "cat" in await client.get("/embeddings")
        metadata = "/view_metadata/upscale_models?filename="
        assert await client.get(f"{metadata}a.safetensors") == {"made": "by us"}
        for path in (
            "/models/nonsense",
            f"{metadata}b.safetensors",
            f"{metadata}../a",
            f"{metadata}",
            "/experiment/models/preview/upscale_models/0/a.safetensors",
        ):
            await client.get(path, status=404)
        files = await client.get("/experiment/models/upscale_models")
        assert (files[0]["name"], files[0]["pathIndex"]) == ("a.safetensors", 0)
        folders = await client.get("/experiment/models")
        assert {"name": "upscale_models", "folders": [str(folder)]} in folders

    serve(scenario)


def test_a_file_of_the_person_is_written_read_moved_and_deleted(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        path = "/userdata/workflows%2Fmine.json"
        answer = await client.response("POST", path, data=b'{"a": 1}')
        assert await answer.json() == "workflows/mine.json"
        assert await client.get(path) == {"a": 1}
        saved = client.base / "user" / "default" / "workflows" / "mine.json"
        assert saved.read_bytes() == b'{"a": 1}'

        again = await client.response("POST", f"{path}?overwrite=false", data=b"x")
        assert again.status == 409
        info = await (await client.response("POST", f"{path}?full_info=true", data=b"{}")).json()
        assert (info["path"], info["size"]) == ("workflows/mine.json", 2)

        moved = await client.response("POST", f"{path}/move/workflows%2Fother.json")
        assert await moved.json() == "workflows/other.json"
        assert await client.get("/userdata?dir=workflows") == ["other.json"]
        split = await client.get("/userdata?dir=workflows&recurse=true&split=true")
        assert split == [["other.json", "other.json"]]
        entries = await client.get("/v2/userdata")
        assert [(e["name"], e["type"]) for e in entries] == [("workflows", "directory")]

        await client.delete("/userdata/workflows%2Fother.json", status=204)
        await client.get("/userdata/workflows%2Fother.json", status=404)
        await client.get("/userdata?dir=nothing", status=404)
        await client.get("/userdata", status=400)

    serve(scenario)


def test_a_file_that_somebody_else_changed_is_not_overwritten(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        path = "/userdata/a.json"
        written = await client.response("POST", path, data=b"1")
        etag = written.headers["ETag"]
        assert (await client.response("GET", path)).headers["ETag"] == etag
        os.utime(client.base / "user" / "default" / "a.json", ns=(1, 1))
        answer = await client.response("POST", path, data=b"2", headers={"If-Match": etag})

        assert answer.status == 412
        assert await client.get(path) == b"1" or await client.get(path) == 1

    serve(scenario)


@pytest.mark.parametrize("name", ["..%2Fx", "..%2F..%2Fx", "a%2F..%2F..%2Fx", "%00"])
def test_no_name_leaves_the_persons_folder(serve: Serve, name: str) -> None:
    async def scenario(client: Client) -> None:
        (client.base / "user" / "x").write_text("secret")
        for method in ("GET", "POST", "DELETE"):
            answer = await client.response(method, f"/userdata/{name}", data=b"evil")
            assert answer.status in (403, 404, 405)
        assert (client.base / "user" / "x").read_text() == "secret"

    serve(scenario)


def test_html_of_the_person_is_not_run(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.response("POST", "/userdata/a.html", data=b"<script>")
        answer = await client.response("GET", "/userdata/a.html")

        assert answer.content_type == "application/octet-stream"

    serve(scenario)


def test_the_persons_own_style_is_a_style(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for name, kind in (("user.css", "text/css"), ("other.css", "application/octet-stream")):
            await client.response("POST", f"/userdata/{name}", data=b"body {}")
            answer = await client.response("GET", f"/api/userdata/{name}")
            assert (answer.status, answer.content_type) == (200, kind)

    serve(scenario)


def test_settings_are_merged_and_outlive_the_server(serve: Serve) -> None:
    async def before(client: Client) -> None:
        assert await client.get("/settings") == {}
        await client.post("/settings", {"a": 1, "b": {"c": "日本語"}})
        await client.post("/settings/a", 2)
        await client.post("/settings", [], status=400)

    async def after(client: Client) -> None:
        assert await client.get("/settings") == {"a": 2, "b": {"c": "日本語"}}
        assert await client.get("/settings/a") == 2
        assert await client.get("/settings/none") is None
        assert await client.get("/users") == {"storage": "server", "migrated": True}
        await client.post("/users", {"username": "x"}, status=400)

    serve(before)
    serve(after)


def test_without_a_gpu_the_device_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (told,) = system.devices("auto")
    assert (told["name"], told["type"], told["index"]) == ("cpu", "cpu", None)
    assert told["vram_total"] == system.memory_bytes()[0]


def test_memory_that_the_system_would_give_back_counts_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "meminfo"
    monkeypatch.setattr(system, "MEMINFO", file)
    file.write_text("MemTotal:  9 kB\nMemFree:  1 kB\nMemAvailable:  3 kB\n")
    assert system.memory_bytes()[1] == 3 * 1024
    file.write_text("MemTotal:  9 kB\n")
    assert system.memory_bytes()[1] > 3 * 1024


def test_before_torch_is_used_nvidias_tool_tells_of_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n[ $2 = 3 ] && echo 'NVIDIA H100, PCIe, 81559, 81000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(metadata, "version", {"torch": "2.13.0"}.__getitem__)
    (told,) = system.devices("cuda:1")
    assert (told["name"], told["type"], told["index"]) == ("NVIDIA H100, PCIe", "cuda", 1)
    assert told["vram_total"] == 81559 * 2**20
    assert told["vram_free"] == 81000 * 2**20
    (other,) = system.devices("auto")
    assert other["type"] == "cpu"


def test_the_server_tells_about_itself(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        stats = await client.get("/system_stats")
        assert stats["system"]["ram_total"] > 0
        assert {"name", "type", "index", "vram_total", "vram_free"} <= set(stats["devices"][0])
        assert (await client.get("/features"))["supports_preview_metadata"] is True
        assert await client.get("/extensions") == []
        assert await client.get("/workflow_templates") == {}
        japanese = (await client.get("/i18n"))["ja"]["nodeDefs"]
        assert japanese["SaveImage"]["display_name"]
        assert b"graphengine" in await client.get("/")
        assert "loras" in await client.get("/internal/folder_paths")
        (client.base / "output" / "a.txt").touch()
        assert await client.get("/internal/files/output") == ["a.txt"]
        await client.get("/internal/files/user", status=400)

    serve(scenario)


# --- several persons, and the log ---


def test_each_person_has_settings_and_files_of_their_own(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        ann = await client.post("/users", {"username": "Ann"})
        bob = await client.post("/users", {"username": "Bob"})
        await client.post("/users", {"username": "Bob"}, status=400)
        users = await client.get("/users")
        assert users == {"storage": "server", "users": {ann: "Ann", bob: "Bob"}}

        await client.post("/settings", {"theme": "dark"}, headers={"comfy-user": ann})
        assert await client.get("/settings", headers={"comfy-user": bob}) == {}
        assert await client.get("/settings/theme", headers={"comfy-user": ann}) == "dark"
        for unknown in ({}, {"comfy-user": "../x"}, {"comfy-user": "nobody"}):
            await client.get("/settings", status=401, headers=unknown)

    serve(scenario, multi_user=True)


def test_who_subscribes_hears_what_is_logged(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        socket = await client.socket("me")
        await socket.receive_json()
        body = {"clientId": "me", "enabled": True}
        await client.response("PATCH", "/internal/logs/subscribe", json=body)
        logging.getLogger("graphengine").warning("a line")
        told = await socket.receive_json(timeout=5)
        assert told["type"] == "logs"
        assert "a line" in told["data"]["entries"][0]["m"]
        assert set(told["data"]["size"]) == {"cols", "rows"}
        assert (await client.get("/internal/logs/raw"))["entries"][-1] == told["data"]["entries"][0]
        assert "a line" in await client.get("/internal/logs")

    serve(scenario)


def test_only_a_client_that_is_connected_can_subscribe(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for body in ({}, {"clientId": "nobody", "enabled": True}):
            answer = await client.response("PATCH", "/internal/logs/subscribe", json=body)
            assert answer.status == 400

    serve(scenario)


def test_a_line_of_the_log_may_be_json() -> None:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "done", "job": "a"})
    line = json.loads(JsonFormatter().format(record))

    assert (line["level"], line["message"], line["job"]) == ("info", "done", "a")
    assert "process" not in line


def test_text_goes_out_compressed_where_that_is_asked_for(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", "/object_info")
        assert answer.headers["Content-Encoding"] in ("deflate", "gzip")

    serve(scenario, enable_compress_response_body=True)


JAPANESE = re.compile("[ぁ-んァ-ヶ]")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/userdata/no.json", 404),
        ("/userdata?dir=no", 404),
        ("/userdata?dir=", 400),
        ("/v2/userdata?path=no", 404),
        ("/internal/files/no", 400),
        ("/jobs/no", 404),
        ("/jobs?status=no", 400),
        ("/jobs?limit=many", 400),
        ("/jobs?offset=-99999999999999999999", 400),
        ("/api/v1/jobs/no", 404),
        ("/api/v1/jobs?state=no", 400),
        ("/api/v1/jobs?limit=99999999999999999999", 400),
        ("/api/v1/jobs/no/document", 404),
        ("/api/v1/templates/no", 404),
        ("/api/v1/templates/no/thumbnail", 404),
        ("/api/v1/workflows/no", 404),
        ("/api/v1/drafts/no", 404),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_told_in_both_languages(
    serve: Serve, path: str, status: int
) -> None:
    async def scenario(client: Client) -> None:
        error = (await client.get(path, status=status))["error"]
        texts = error["extra_info"]["message"]

        assert texts["en"] == error["message"]
        assert JAPANESE.search(texts["ja"])
        assert not JAPANESE.search(texts["en"])
        # The reason too, which stands within the sentence.
        assert not re.search(r"expected|missing|there is", texts["ja"])

    serve(scenario)

"""Plugins in the server: seen, enabled, loaded anew when they are saved, their scripts served."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from graphengine.server.socket_models import SocketMessage
from tests.server.client import Client
from tests.server.conftest import Serve

V1 = "/api/v1/plugins"
ADD = """
import time
from graphengine.api import Artifacts, node

@node("Add")
def add(x: int) -> Artifacts:
    {body}
    return Artifacts(texts=(str(x + {addend}),))
"""
PROMPT = {"1": {"class_type": "Add", "inputs": {"x": 1}}}


def write(path: Path, addend: int, body: str = "pass") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ADD.format(addend=addend, body=body))


async def shown(client: Client) -> Any:
    entry = await client.ended(await client.queue(PROMPT))
    return entry["outputs"]["1"]["text"]


async def changed(socket: Any) -> list[str]:
    """Waits for word that plugins were loaded anew."""
    while True:
        message = await socket.receive_json(timeout=20)
        SocketMessage.model_validate(message)
        if message["type"] == "plugins_changed":
            return list(message["data"]["plugins"])


def test_a_dropped_plugin_is_shown_and_runs_once_it_is_enabled(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        async with await client.socket() as socket:
            write(client.base / "plugins" / "add.py", 1)
            assert await changed(socket) == ["add"]
            (plugin,) = (await client.get(V1))["plugins"]
            assert (plugin["state"], plugin["nodes"]) == ("new", [])
            assert "graphengine plugin enable add" in plugin["notice"]["hint"]["en"]
            assert await client.get("/object_info/Add") == {}

            await client.post(f"{V1}/add/enable", {"digest": "0" * 64}, status=409)
            told = await client.post(f"{V1}/add/enable", {"digest": plugin["digest"]})
            assert (told["state"], told["nodes"]) == ("enabled", ["Add"])
            assert await changed(socket) == ["add"]
            assert await shown(client) == ["2"]
            assert "Add" in (await client.get("/object_info"))
            assert "Add" in (await client.get("/api/v1/nodes"))["nodes"]

            write(client.base / "plugins" / "add.py", 2)
            assert await changed(socket) == ["add"]
            (plugin,) = (await client.get(V1))["plugins"]
            assert (plugin["state"], plugin["nodes"]) == ("changed", [])
            await client.post(f"{V1}/add/disable")
            assert "Add" not in (await client.get("/object_info"))
            await client.post(f"{V1}/gone/disable", status=404)

    serve(scenario, plugin_directories=None)


def test_a_node_whose_id_is_taken_is_a_failure_of_its_plugin_and_none_of_its_nodes(
    serve: Serve,
) -> None:
    async def scenario(client: Client) -> None:
        file = client.base / "plugins" / "add.py"
        async with await client.socket() as socket:
            write(file, 1)
            file.write_text(file.read_text().replace('"Add"', '"KSampler"'))
            assert await changed(socket) == ["add"]
            (plugin,) = (await client.get(V1))["plugins"]
            told = await client.post(f"{V1}/add/enable", {"digest": plugin["digest"]})
            (listed,) = (await client.get(V1))["plugins"]

        assert listed == told
        assert (told["state"], told["nodes"]) == ("enabled", [])
        (failure,) = told["failures"]
        assert failure["file"] == str(file)
        assert 'The node id "KSampler" is already taken by' in failure["message"]["en"]
        assert "ノード ID「KSampler」は、すでに" in failure["message"]["ja"]

    serve(scenario, plugin_directories=None)


def test_a_saved_plugin_changes_the_next_run_and_results_of_old_code_are_dropped(
    serve: Serve, tmp_path: Path
) -> None:
    folder = tmp_path / "named"

    async def scenario(client: Client) -> None:
        async with await client.socket() as socket:
            for addend in (1, 2, 3, 2):
                write(folder / "add.py", addend)
                assert await changed(socket) == ["add"]
                assert await shown(client) == [str(1 + addend)]

            (folder / "add.py").write_text("\n1 / 0\n")
            assert await changed(socket) == ["add"]
            answer = await client.get(V1)
            (failure,) = answer["failures"]
            assert (failure["file"], failure["line"]) == (str(folder / "add.py"), 2)
            assert failure["cause"] == "ZeroDivisionError: division by zero"
            assert failure["message"] == dict.fromkeys(("en", "ja"), failure["cause"])
            log = await client.get("/internal/logs")
            assert log.count("add.py:2 could not be loaded: ZeroDivisionError") == 1
            assert "KSampler" in await client.get("/object_info")

            (folder / "add.py").unlink()
            assert await changed(socket) == ["add"]
            assert (await client.get(V1))["plugins"] == []

    serve(scenario, plugin_directories=(folder,))


def test_a_job_that_runs_keeps_the_code_it_began_with(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    began, go_on = tmp_path / "began", tmp_path / "go_on"
    wait = f"open({str(began)!r}, 'w').close()\n    import os\n"
    wait += f"    while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    write(folder / "add.py", 10, wait)

    async def scenario(client: Client) -> None:
        async with await client.socket() as socket:
            job = await client.queue(PROMPT)
            while not began.exists():
                await asyncio.sleep(0.01)
            write(folder / "add.py", 20)
            assert await changed(socket) == ["add"]
            go_on.touch()
            assert (await client.ended(job))["outputs"]["1"]["text"] == ["11"]
            assert await shown(client) == ["21"]

    serve(scenario, plugin_directories=(folder,))
    assert threading.active_count() < 30


def test_scripts_and_workflows_of_a_plugin_are_served(serve: Serve, tmp_path: Path) -> None:
    pack = tmp_path / "named" / "my pack"
    write(pack / "__init__.py", 1)
    (pack / "web" / "deep").mkdir(parents=True)
    (pack / "web" / "deep" / "a.js").write_text("export {}")
    (pack / "web" / "note.txt").write_text("text")
    (pack / "secret.txt").write_text("secret")
    (pack / "workflows").mkdir()
    (pack / "workflows" / "example.json").write_text('{"1": {"class_type": "Add", "inputs": {}}}')

    async def scenario(client: Client) -> None:
        (plugin,) = (await client.get(V1))["plugins"]
        (script,) = plugin["scripts"]
        assert script == "/api/v1/plugins/my%20pack/web/deep/a.js"
        answer = await client.response("GET", script)
        assert (await answer.text(), answer.content_type) == ("export {}", "text/javascript")
        assert await client.get("/extensions") == [script]
        for path in ("..%2Fsecret.txt", "gone.js", "%2Fetc%2Fpasswd"):
            await client.get(f"/api/v1/plugins/my%20pack/web/{path}", status=404)

        assert plugin["workflows"] == ["my pack:example"]
        names = [one["name"] for one in (await client.get("/api/v1/templates"))["templates"]]
        assert (names[0], names[-1]) == ("text_to_image", "my pack:example")
        opened = await client.get("/api/v1/templates/my%20pack:example")
        assert opened["document"]["nodes"][0]["type"] == "Add"
        assert await client.get("/workflow_templates") == {"my pack": ["example"]}
        found = await client.get("/api/workflow_templates/my%20pack/example.json")
        assert found["1"]["class_type"] == "Add"

        await client.post(f"{V1}/my%20pack/disable")
        await client.get(script, status=404)
        assert await client.get("/extensions") == []

    serve(scenario, plugin_directories=(tmp_path / "named",))

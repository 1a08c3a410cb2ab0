"""Plugins written for ComfyUI are loaded anew when they are saved; what runs is left alone."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphengine.comfy.host import stand_ins
from graphengine.comfy.host.packs import load_packs, open_host
from graphengine.comfy.pack_paths import PackFolders
from graphengine.folders import Folders
from graphengine.registry import Registry
from graphengine.server.settings import ServerSettings
from tests.comfy.host.prompts import link, node, shown, started, watched
from tests.server.client import Client
from tests.server.conftest import run_server

HELPER = "VALUE = {value}\n"
PACK = """
import time

from aiohttp import web
from server import PromptServer

from .helper import VALUE


@PromptServer.instance.routes.get("/reloading/{name}")
async def value(request):
    return web.json_response([VALUE, request.match_info["name"]])


def look(body):
    body.setdefault("extra_data", {})["looked"] = VALUE
    return body


PromptServer.instance.add_on_prompt_handler(look)


class Value:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seconds": ("FLOAT", {"default": 0.0})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, seconds):
        time.sleep(seconds)
        return (VALUE,)


class Show:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"forceInput": True})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value):
        return {"ui": {"shown": [f"{value} {VALUE}"]}}


NODE_CLASS_MAPPINGS = {"ReloadValue": Value, "ReloadShow": Show}
"""


def prompt(seconds: float = 0.0) -> dict[str, Any]:
    return {"1": node("ReloadValue", seconds=seconds), "2": node("ReloadShow", value=link("1"))}


def write(folder: Path, value: int, code: str = PACK) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    (folder / "helper.py").write_text(HELPER.format(value=value), encoding="utf-8")


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin's folder; its bytecode is kept, as it is where the environment says nothing."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield tmp_path / "custom_nodes" / "reloading"
    stand_ins.uninstall()


async def until_told(client: Client, change: Callable[[], None]) -> None:
    """Change files, and wait until clients hear that plugins were loaded anew."""
    socket = await client.socket("watcher")
    change()
    while True:
        if (await socket.receive_json(timeout=30))["type"] == "plugins_changed":
            break
    await socket.close()


def serve(base: Path, scenario: Callable[[Client], Awaitable[Any]]) -> None:
    asyncio.run(run_server(scenario, ServerSettings(base_directory=base)))


def test_a_saved_file_changes_the_next_run_and_not_the_present_one(
    tmp_path: Path, pack: Path
) -> None:
    async def scenario(client: Client) -> None:
        entry, _ = await watched(client, prompt())
        assert shown(entry, "2") == ["1 1"]
        assert await client.get("/api/reloading/x") == [1, "x"]
        slow = await client.queue(prompt(1.5), client_id=None)
        await until_told(client, lambda: write(pack, 20))
        assert not await client.get(f"/history/{slow}")
        entry, frames = await watched(client, prompt())
        assert started(frames) == ["1", "2"]
        assert shown(entry, "2") == ["20 20"]
        assert await client.get("/reloading/y") == [20, "y"]
        assert entry["prompt"][3]["looked"] == 20
        assert shown(await client.ended(slow), "2") == ["1 1"]

    write(pack, 1)
    serve(tmp_path, scenario)


def test_plugins_come_break_are_mended_and_go(tmp_path: Path, pack: Path) -> None:
    async def scenario(client: Client) -> None:
        assert "ReloadValue" not in await client.get("/object_info")
        await until_told(client, lambda: write(pack, 5))
        entry, _ = await watched(client, prompt())
        assert shown(entry, "2") == ["5 5"]
        await until_told(client, lambda: write(pack, 5, "import nothing_of_this_name\n"))
        (told,) = (await client.get("/api/v1/plugins"))["packs"]
        assert told["nodes"] == []
        assert told["failures"][0]["line"] == 1
        assert "nothing_of_this_name" in json.dumps(told["failures"][0])
        assert (await client.response("GET", "/reloading/x")).status == 404
        await until_told(client, lambda: write(pack, 6))
        entry, _ = await watched(client, prompt())
        assert shown(entry, "2") == ["6 6"]

        def remove() -> None:
            pack.rename(pack.with_name("reloading.disabled"))

        await until_told(client, remove)
        assert (await client.get("/api/v1/plugins"))["packs"] == []
        assert "ReloadValue" not in await client.get("/object_info")

    serve(tmp_path, scenario)


def test_reloads_leave_nothing_behind(tmp_path: Path, pack: Path) -> None:
    folders = Folders(tmp_path, tmp_path, tmp_path, tmp_path, {})
    packs = PackFolders((pack.parent,))
    write(pack, 0)
    host = open_host(folders, packs.states())
    kept = weakref.ref(host.packs[0].module)
    known, path = len(sys.modules), list(sys.path)
    for value in range(1, 20):
        write(pack, value)
        load_packs(host, packs.states())
        registry = Registry()
        host.add_to(registry)
        assert value == host.packs[0].module.VALUE
    gc.collect()
    assert kept() is None
    assert (len(sys.modules), sys.path) == (known, path)
    assert len(registry.ids()) == 2
    untouched = host.packs[0]
    (pack / "__init__.py").touch()
    load_packs(host, packs.states())
    assert host.packs[0] is untouched

"""What the guides show is run as it stands in them, against the real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import PIL.Image
import pytest

from graphengine.settings import STARTER_FOLDER
from tests.server.process import ROOT, Server
from tests.test_guides import blocks, text_of

API = text_of("en", "http-api.md")
DEPLOYMENT = text_of("en", "deployment.md")
TOKEN = "choose-a-long-one"
PAPER = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
needs_starter = pytest.mark.skipif(
    not (STARTER_FOLDER / "checkpoints" / "graphengine-starter.safetensors").is_file(),
    reason="the starter model is not there",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the starter model."""
    with Server(tmp_path_factory.mktemp("guides"), plugins=None) as started:
        yield started


@needs_starter
@needs_curl
def test_a_picture_is_made_with_curl(server: Server, tmp_path: Path) -> None:
    run_shell(block_with(API, "-o picture.png", "sh"), server, tmp_path)

    with PIL.Image.open(tmp_path / "picture.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (128, 128))
        assert "KSampler" in picture.info["prompt"]


@needs_curl
def test_what_lies_below_api_v1_answers_with_curl(server: Server, tmp_path: Path) -> None:
    job = server.call("/prompt", {"prompt": PAPER})["prompt_id"]
    while not server.call(f"/history/{job}"):
        time.sleep(0.05)
    script = block_with(API, "/api/v1/validate", "sh").replace("curl -s", "curl -sf")
    assert "Sampler.steps=5..20:5" in script
    script = script.replace("Sampler.steps=5..20:5", "1.width=8..32:8")  # what PAPER has
    try:
        printed = run_shell(script, server, tmp_path, prompt=json.dumps(PAPER), id=job)
    finally:
        server.call("/queue", {"clear": True})
        server.call("/api/v1/queue", {"paused": False}, method="PUT")

    validated, plot, jobs, queue, retried = objects(printed)
    assert validated == {"valid": True, "problems": []}
    assert plot["cells"] == 4
    assert set(jobs) == {"jobs", "counts"}
    assert queue["paused"] is True
    assert (retried["state"], retried["id"] != job) == ("queued", True)


@needs_starter
def test_the_socket_says_what_the_guide_shows(server: Server) -> None:
    prompt = json.loads((ROOT / "workflows" / "text_to_image.json").read_text())
    sampler = next(node for node in prompt.values() if node["class_type"] == "KSampler")
    sampler["inputs"]["seed"] = 7
    told = asyncio.run(frames_of(server.url, prompt))

    shown = [json.loads(line) for line in block_with(API, "execution_start", "json").splitlines()]
    assert [each["type"] for each in shown if each["type"] != "progress"] == [
        each["type"]
        for each in told
        if each["type"] not in ("progress", "progress_state")
        and (each["type"] != "executing" or each["data"]["node"] in ("5", None))
        and (each["type"] != "status" or "sid" in each["data"])
    ]
    keys = {frozenset([each["type"], *each["data"]]) for each in told}
    assert [each for each in shown if frozenset([each["type"], *each["data"]]) not in keys] == []


@needs_starter
def test_the_python_of_the_guide_runs_a_prompt(server: Server) -> None:
    names: dict[str, Any] = {}
    exec(compile(block_with(API, "ws_connect", "python"), "http-api.md", "exec"), names)
    outputs = asyncio.run(names["run"](PAPER, server.url))

    assert outputs["2"]["images"][0]["type"] == "temp"


@needs_curl
def test_the_token_is_shown_as_the_guide_shows_it(tmp_path: Path) -> None:
    (tmp_path / "graphengine.toml").write_text(f'token = "{TOKEN}"')
    with Server(tmp_path, plugins=None) as server:
        address = server.url.split("?")[0].rstrip("/")
        curl, websocat = block_with(API, "Bearer $TOKEN", "sh").splitlines()
        asked = curl.replace("https://server.example:8188", address).replace("curl", "curl -sf")
        printed = run_shell(asked, server, tmp_path, TOKEN=TOKEN)
        assert json.loads(printed) == {"queue_running": [], "queue_pending": []}

        (protocols,) = re.findall(r'--protocol "([^"]+)"', websocat)
        offered = [each.strip() for each in protocols.replace("$TOKEN", TOKEN).split(",")]
        status = asyncio.run(first_frame(f"{address}/ws?clientId=me", offered))

    assert (status["type"], status["data"]["sid"]) == ("status", "me")


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="no nginx")
def test_nginx_takes_the_guides_configuration(tmp_path: Path) -> None:
    make = "req -x509 -newkey rsa:2048 -nodes -keyout pictures.key -out pictures.pem -days 1"
    subject = ["-subj", "/CN=pictures.example"]
    subprocess.run(
        ["openssl", *make.split(), *subject], cwd=tmp_path, check=True, capture_output=True
    )
    block = block_with(DEPLOYMENT, "proxy_pass", "nginx").replace("/etc/ssl", str(tmp_path))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {block} }}"
    )
    command = ["nginx", "-t", "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_takes_the_guides_unit(tmp_path: Path) -> None:
    unit = block_with(DEPLOYMENT, "[Service]", "ini")
    assert unit.count("/opt/graphengine/.venv/bin/graphengine serve ") == 1
    unit = unit.replace("/opt/graphengine/.venv/bin/graphengine", sys.executable)
    (tmp_path / "graphengine.service").write_text(unit)
    command = ["systemd-analyze", "verify", str(tmp_path / "graphengine.service")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert [line for line in done.stderr.splitlines() if "graphengine.service" in line] == []


# --- talking to the server ------------------------------------------------------------------------


def block_with(text: str, words: str, kind: str) -> str:
    """The one block of a guide that holds some words."""
    (found,) = [block for block in blocks(text, kind) if words in block]
    return found


def run_shell(script: str, server: Server, folder: Path, **variables: str) -> str:
    """What a script of a guide prints, at this server instead of port 8188."""
    address = server.url.removeprefix("http://")
    script = script.replace("graphengine serve &\n", "").replace("localhost:8188", address)
    (folder / "workflows").symlink_to(ROOT / "workflows")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(printed: str) -> list[Any]:
    """The JSON values of a text, one after the other."""
    found, place = [], 0
    while place < len(printed):
        value, place = json.JSONDecoder().raw_decode(printed, place)
        found.append(value)
    return found


async def first_frame(url: str, protocols: list[str]) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=protocols) as socket,
    ):
        return await socket.receive_json()


async def frames_of(url: str, prompt: dict[str, Any]) -> list[Any]:
    """What a client hears until its prompt is over, as websocat shows it."""
    told: list[Any] = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws?clientId=me") as socket,
    ):
        body = {"prompt": prompt, "client_id": "me"}
        async with session.post(f"{url}/prompt", json=body) as answer:
            assert answer.status == 200
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                told.append(json.loads(message.data))
                if told[-1]["data"].get("node", "") is None:
                    break
    return told

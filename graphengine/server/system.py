"""About the server itself: ComfyUI's routes, and what of them has nothing to say here."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from graphengine import __version__
from graphengine.errors import GraphEngineError
from graphengine.server import packs
from graphengine.server.answers import json_answer, not_found, refusal_of
from graphengine.server.editor import other_extensions
from graphengine.server.parts import parts_of
from graphengine.server.socket import server_features
from graphengine.server.view import KINDS

routes = web.RouteTableDef()
internal_routes = web.RouteTableDef()
"""These exist as they are only."""
NVIDIA_TIMEOUT_S = 5
MIB = 1 << 20
MEMINFO = Path("/proc/meminfo")
"""Linux tells here also of what it would give back, such as the pages of files."""
SPOKEN_PROTOCOL = "0.3.64"
"""The version of ComfyUI whose protocol this is; clients compare it."""


@routes.get("/features")
async def get_features(request: web.Request) -> web.Response:
    """What this server can do."""
    return json_answer(server_features(parts_of(request).settings.max_upload_bytes))


@routes.get("/system_stats")
async def get_system_stats(request: web.Request) -> web.Response:
    """The machine, the versions and the devices; torch is not imported for it."""
    total, free = memory_bytes()
    system = {
        "os": os.name,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": SPOKEN_PROTOCOL,
        "graphengine_version": __version__,
        "required_frontend_version": "",
        "installed_templates_version": "",
        "required_templates_version": "",
        "python_version": sys.version,
        "pytorch_version": metadata.version("torch"),
        "embedded_python": False,
        "argv": sys.argv,
        "platform": platform.platform(),
    }
    settings = parts_of(request).settings
    found = await asyncio.to_thread(devices, settings.device, *settings.devices[1:])
    return json_answer({"system": system, "devices": found})


@routes.get("/extensions")
async def get_extensions(request: web.Request) -> web.Response:
    """Scripts for the editor that plugins bring, or another front end."""
    engine = parts_of(request).engine
    found = other_extensions(parts_of(request).settings)
    found += [each for plugin in engine.registry.plugins for each in plugin.script_addresses]
    return json_answer(found if engine.host is None else [*found, *packs.scripts(engine.host)])


@routes.get("/workflow_templates")
async def get_templates(request: web.Request) -> web.Response:
    """Example workflows that plugins bring."""
    engine = parts_of(request).engine
    plugins = engine.registry.plugins
    named = {plugin.name: [path.stem for _, path in plugin.templates] for plugin in plugins}
    found = {name: workflows for name, workflows in named.items() if workflows}
    return json_answer(found if engine.host is None else {**found, **packs.examples(engine.host)})


@routes.get("/global_subgraphs")
async def get_global_subgraphs(request: web.Request) -> web.Response:
    """Subgraphs that a server brings for its editor: there are none."""
    del request
    return json_answer({})


@routes.get("/workflow_templates/{plugin}/{name}.json")
async def get_template_file(request: web.Request) -> web.StreamResponse:
    """One of these workflows."""
    plugin, file = request.match_info["plugin"], request.match_info["name"]
    name = f"{plugin}:{file}"
    engine = parts_of(request).engine
    files = {found: path for each in engine.registry.plugins for found, path in each.templates}
    path = files.get(name)
    if path is None and engine.host is not None:
        path = packs.example(engine.host, plugin, file)
    if path is None:
        raise not_found("template_not_found", name)
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


@routes.get("/i18n")
async def get_texts(request: web.Request) -> web.Response:
    """The nodes' texts in Japanese, in the form of ComfyUI's translations."""
    specs = parts_of(request).engine.registry.specs()
    texts = {spec.id: spec.text("ja") for spec in specs if "ja" in spec.texts}
    definitions = {
        node_id: {
            "display_name": text.title,
            "description": text.description,
            "inputs": {name: {"tooltip": help_} for name, help_ in text.inputs.items() if help_},
        }
        for node_id, text in texts.items()
    }
    host = parts_of(request).engine.host
    merged: dict[str, Any] = {} if host is None else packs.texts(host)
    if definitions:
        theirs = merged.setdefault("ja", {})
        theirs["nodeDefs"] = {**theirs.get("nodeDefs", {}), **definitions}
    return json_answer(merged)


@internal_routes.get("/internal/folder_paths")
async def get_folder_paths(request: web.Request) -> web.Response:
    """The folders of every kind of model."""
    folders = parts_of(request).engine.folders
    kinds = {kind: [str(root) for root in folders.roots(kind)] for kind in folders.models}
    return json_answer(kinds)


@internal_routes.get("/internal/files/{kind}")
async def get_files(request: web.Request) -> web.Response:
    """The files of the input, output or temporary folder, newest first."""
    kind = request.match_info["kind"]
    if kind not in KINDS:
        raise refusal_of(GraphEngineError("folder_not_found", name=kind))
    root = parts_of(request).engine.folders.roots(kind)[0]
    files = [path for path in root.iterdir() if path.is_file()] if root.is_dir() else []
    files.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return json_answer([path.name for path in files])


def memory_bytes() -> tuple[int, int]:
    """All of the machine's memory and what of it can be had; zeros where it does not tell."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0, 0
    with suppress(OSError, ValueError, IndexError):
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        told = dict(line.split(":", 1) for line in lines)
        return total, int(told.get("MemAvailable", "").split()[0]) * 1024
    return total, free


def devices(*wanted: str) -> list[dict[str, Any]]:
    """What is computed on, and its memory; before torch is in use NVIDIA's tool is asked."""
    return [_device(name) for name in dict.fromkeys(wanted)]


class _Gpu(NamedTuple):
    name: str
    total: int
    free: int


def _device(wanted: str) -> dict[str, Any]:
    kind, _, number = wanted.partition(":")
    index = int(number or 0)
    gpu = _gpu(index) if kind in ("auto", "cuda") else None
    if gpu is None:
        kind = _without_gpu() if kind == "auto" else kind
        gpu = _Gpu(kind if wanted == "auto" else wanted, *memory_bytes())
    else:
        kind = "cuda"
    return {
        "name": gpu.name,
        "type": kind,
        "index": index if kind == "cuda" else None,
        "vram_total": gpu.total,
        "vram_free": gpu.free,
        "torch_vram_total": gpu.total,
        "torch_vram_free": gpu.free,
    }


def _without_gpu() -> str:
    return "mps" if (sys.platform, platform.machine()) == ("darwin", "arm64") else "cpu"


def _gpu(index: int) -> _Gpu | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None if "+cpu" in metadata.version("torch") else _nvidia(index)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        return None
    free, total = torch.cuda.mem_get_info(index)
    return _Gpu(torch.cuda.get_device_name(index), total, free)


def _nvidia(index: int) -> _Gpu | None:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    chosen = visible[index] if any(visible) and index < len(visible) else str(index)
    query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        asked = subprocess.run(
            ["nvidia-smi", "-i", chosen, *query],
            capture_output=True,
            text=True,
            timeout=NVIDIA_TIMEOUT_S,
            check=True,
        )
        name, total, free = asked.stdout.strip().rsplit(", ", 2)
        return _Gpu(name, int(total) * MIB, int(free) * MIB)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None

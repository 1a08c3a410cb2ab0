"""What loading an edited plugin anew costs and leaves behind.

    python tools/bench/reload.py [TIMES] [--comfy]

A package of two modules with two nodes is edited, loaded and run again and again; every tenth part
is told: milliseconds a time, objects, modules and resident memory. ``--comfy``: one written for
ComfyUI, with a route.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path

from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import parse_api

NODES = """
from dataclasses import dataclass
from typing import Annotated
from graphengine.api import Artifacts, Int, node, socket
from ._shared import STEP

@socket("NUMBER")
@dataclass(frozen=True)
class Number:
    value: int

@node("Make")
def make(x: Annotated[int, Int(ge=0, le=10)] = 1) -> Number:
    return Number(x + STEP)

@node("Show")
def show(number: Number) -> Artifacts:
    return Artifacts(texts=(str(number.value),))
"""
COMFY_NODES = """
from aiohttp import web
from server import PromptServer
from ._shared import STEP

@PromptServer.instance.routes.get("/step")
async def step(request):
    return web.json_response(STEP)

class Make:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"x": ("INT", {"default": 1})}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    def run(self, x):
        return (x + STEP,)

class Show(Make):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"forceInput": True})}}
    OUTPUT_NODE = True
    def run(self, number):
        return {"ui": {"text": [str(number)]}, "result": (number,)}

NODE_CLASS_MAPPINGS = {"Make": Make, "Show": Show}
"""
PROMPT = {
    "1": {"class_type": "Make", "inputs": {"x": 1}},
    "2": {"class_type": "Show", "inputs": {"number": ["1", 0]}},
}


def main(times: int, *, comfy: bool) -> None:
    """Edit, load and run; print what is left."""
    base = Path(tempfile.mkdtemp())
    pack = base / ("custom_nodes" if comfy else "plugins") / "pack"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("from .nodes import NODE_CLASS_MAPPINGS\n" if comfy else "")
    (pack / "nodes.py").write_text(COMFY_NODES if comfy else NODES)
    (pack / "_shared.py").write_text("STEP = 0\n")
    engine = Engine.open(Settings(base_directory=base, plugin_directories=(base / "plugins",)))
    print(f"{'reloads':>8}{'ms each':>9}{'objects':>9}{'modules':>9}{'MB':>7}")
    part = max(times // 10, 1)
    began = time.perf_counter()
    for step in range(1, times + 1):
        (pack / "_shared.py").write_text(f"STEP = {step}\n")
        engine.reload_plugins()
        result = engine.run(parse_api(PROMPT)).raise_for_status()
        assert result.artifacts["2"].as_ui()["text"] == [str(1 + step)]
        if step % part == 0:
            seconds = (time.perf_counter() - began) / part
            gc.collect()
            objects = len(gc.get_objects())
            print(f"{step:8}{seconds * 1000:9.1f}{objects:9}{len(sys.modules):9}{_mb():7.1f}")
            began = time.perf_counter()


def _mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:] if each.isdigit()]
    main(numbers[0] if numbers else 1000, comfy="--comfy" in sys.argv)

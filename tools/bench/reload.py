"""What loading an edited plugin anew costs and leaves behind: python tools/bench/reload.py [TIMES]

A package of two modules with a node, a socket and a widget is edited, loaded and run again and
again; every tenth part is told: seconds a time, objects, modules and resident memory.
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
PROMPT = {
    "1": {"class_type": "Make", "inputs": {"x": 1}},
    "2": {"class_type": "Show", "inputs": {"number": ["1", 0]}},
}


def main(times: int) -> None:
    """Edit, load and run; print what is left."""
    base = Path(tempfile.mkdtemp())
    pack = base / "plugins" / "pack"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("")
    (pack / "nodes.py").write_text(NODES)
    (pack / "_shared.py").write_text("STEP = 0\n")
    engine = Engine.open(Settings(base_directory=base, plugin_directories=(base / "plugins",)))
    print(f"{'reloads':>8}{'ms each':>9}{'objects':>9}{'modules':>9}{'MB':>7}")
    part = max(times // 10, 1)
    began = time.perf_counter()
    for step in range(1, times + 1):
        (pack / "_shared.py").write_text(f"STEP = {step}\n")
        engine.reload_plugins()
        result = engine.run(parse_api(PROMPT)).raise_for_status()
        assert result.artifacts["2"].texts == (str(1 + step),)
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
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

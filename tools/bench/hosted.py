"""What a node written for ComfyUI costs, against a native one: a chain of additions.

    python tools/bench/hosted.py [--size 1000] [--repeat 7] [--torch]

Microseconds of processor time a node, the minimum of the repeats, and their ratio. ``--torch``
imports torch first, as most plugins do.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import tempfile
import time
from pathlib import Path

from engine import add, chain, number, show

from graphengine.cache import Cache
from graphengine.comfy.host.host import Host
from graphengine.comfy.host.packs import open_host
from graphengine.comfy.pack_paths import state_of
from graphengine.engine import Engine
from graphengine.folders import Folders
from graphengine.registry import Registry
from graphengine.workflow import parse_api

PACK = """
class Number:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1})}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    def run(self, value):
        return (value,)
class Add(Number):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"default": 1}), "b": ("INT", {"default": 1})}}
    def run(self, a, b):
        return (a + b,)
class Show(Number):
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    def run(self, value):
        return {"ui": {"text": [str(value)]}}
NODE_CLASS_MAPPINGS = {"Number": Number, "Add": Add, "Show": Show}
"""


def measure(
    registry: Registry, folders: Folders, host: Host | None, *, size: int, repeat: int
) -> dict[str, float]:
    """Microseconds a node of a run with an empty cache, and of one that has it all."""
    best = {"fresh": float("inf"), "cached": float("inf")}
    for _ in range(repeat):
        engine = Engine(registry, folders, Cache(), host=host)
        for kind in best:
            gc.collect()
            started = time.process_time()
            result = engine.run(parse_api(chain(size)))
            spent = (time.process_time() - started) / size * 1e6
            assert result.status == "done", result.error
            best[kind] = min(best[kind], spent)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--torch", action="store_true")
    options = parser.parse_args()
    if options.torch:
        importlib.import_module("torch")
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "pack.py").write_text(PACK, encoding="utf-8")
        folders = Folders(base, base, base, base, {})
        host = open_host(folders, {base / "pack.py": state_of(base / "pack.py")})
        native, hosted = Registry(), Registry()
        native.add_functions(number, add, show)
        host.add_to(hosted)
        sizes = {"size": options.size, "repeat": options.repeat}
        ours = measure(native, folders, None, **sizes)
        theirs = measure(hosted, folders, host, **sizes)
    for kind in ours:
        ratio = theirs[kind] / ours[kind]
        print(f"{kind:>7} native {ours[kind]:6.1f}  hosted {theirs[kind]:6.1f}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()

"""What the engine itself costs: chains and wide graphs of trivial nodes, microseconds a node.

    python tools/bench/engine.py [--sizes 10 100 1000 10000 100000] [--repeat 5] [--cpu]

``check`` parses and validates the API-format JSON and builds the graph; ``fresh`` runs it with an
empty cache, ``cached`` again without a change, ``changed`` with one literal changed near the end.
``fresh``, ``cached`` and ``changed`` are whole runs: checking, planning, keys, execution. The
minimum of the repeats is shown, as other work on the machine only ever adds. ``--cpu`` counts
only the processor time of this process, for machines on which other work is going on.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphengine.api import Artifacts, node
from graphengine.cache import Cache
from graphengine.engine import Engine
from graphengine.folders import Folders
from graphengine.registry import Registry
from graphengine.workflow import parse_api


@node("Number")
def number(value: int) -> int:
    """A number."""
    return value


@node("Add")
def add(a: int, b: int) -> int:
    """A sum."""
    return a + b


@node("Show")
def show(value: int) -> Artifacts:
    """Shows a number."""
    return Artifacts(texts=(str(value),))


def chain(size: int) -> dict[str, Any]:
    """One number, ``size`` additions one after the other, one sink."""
    prompt: dict[str, Any] = {"0": {"class_type": "Number", "inputs": {"value": 1}}}
    for index in range(1, size + 1):
        inputs = {"a": [str(index - 1), 0], "b": index}
        prompt[str(index)] = {"class_type": "Add", "inputs": inputs}
    prompt["show"] = {"class_type": "Show", "inputs": {"value": [str(size), 0]}}
    return prompt


def wide(size: int) -> dict[str, Any]:
    """One number, ``size`` / 2 additions beside each other, each with its sink."""
    prompt: dict[str, Any] = {"0": {"class_type": "Number", "inputs": {"value": 1}}}
    for index in range(1, size // 2 + 1):
        inputs = {"a": ["0", 0], "b": index}
        prompt[f"a{index}"] = {"class_type": "Add", "inputs": inputs}
        prompt[f"s{index}"] = {"class_type": "Show", "inputs": {"value": [f"a{index}", 0]}}
    return prompt


def measure(
    make: Callable[[int], dict[str, Any]], size: int, repeat: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Microseconds a node for each kind of run."""
    registry = Registry()
    registry.add_functions(number, add, show)
    folder = Path(tempfile.gettempdir())
    prompt = make(size)
    near_end = list(prompt)[-2]
    changed = {**prompt, near_end: {**prompt[near_end], "inputs": {**prompt[near_end]["inputs"]}}}
    changed[near_end]["inputs"]["b"] = -1
    best: dict[str, float] = {}
    for _ in range(repeat):
        engine = Engine(registry, Folders(folder, folder, folder, folder), Cache())

        def run(data: dict[str, Any], engine: Engine = engine) -> None:
            result = engine.run(parse_api(data))
            assert result.status == "done", result.error

        for kind, call in (
            ("check", lambda engine=engine: engine.build(parse_api(prompt))),
            ("fresh", lambda run=run: run(prompt)),
            ("cached", lambda run=run: run(prompt)),
            ("changed", lambda run=run: run(changed)),
        ):
            gc.collect()
            started = clock()
            call()
            spent = (clock() - started) / len(prompt) * 1e6
            best[kind] = min(best.get(kind, spent), spent)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="count processor time only")
    options = parser.parse_args()
    clock, of = (time.process_time, "processor") if options.cpu else (time.perf_counter, "wall")
    print(
        f"Python {sys.version.split()[0]}; microseconds of {of} time a node, "
        f"minimum of {options.repeat}"
    )
    print(f"{'graph':>6} {'nodes':>8} {'check':>8} {'fresh':>8} {'cached':>8} {'changed':>8}")
    for name, make in (("chain", chain), ("wide", wide)):
        for size in options.sizes:
            cost = measure(make, size, options.repeat, clock)
            columns = " ".join(f"{cost[kind]:8.1f}" for kind in cost)
            print(f"{name:>6} {size:8d} {columns}", flush=True)


if __name__ == "__main__":
    main()

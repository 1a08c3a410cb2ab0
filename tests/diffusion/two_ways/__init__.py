"""Samplings computed in two ways: by the engine, and by diffusers' networks under a plain loop.

Each case runs as a workflow through the engine, from a single-file checkpoint with random weights
in the published layout, and again with diffusers' and transformers' own networks, which
diffusers' converters fill from the same file, under a loop written out from the formulas. No
code of ``graphengine.diffusion`` takes part in the second way but the byte-pair tokenizer.
``TINY`` is for the tests; ``PUBLISHED`` has the published sizes (see tools/parity.py).
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import parse_api
from tests.diffusion.two_ways.cases import CASES, Case, World, workflow
from tests.diffusion.two_ways.combinations import COMBINATIONS
from tests.diffusion.two_ways.files import write_checkpoint
from tests.diffusion.two_ways.models import PUBLISHED, TINY, TwoWays
from tests.diffusion.two_ways.plain import Plain

__all__ = ["PUBLISHED", "TINY", "Compared", "TwoWays", "run"]


@dataclass(frozen=True, eq=False)
class Compared:
    """A case's result by the engine, by the second way, and by that in double precision."""

    name: str
    ours: Tensor
    plain: Tensor
    exact: Tensor | None = None


def run(
    name: str,
    model: TwoWays,
    *,
    wanted: Callable[[str], bool] = lambda _: True,
    exact: bool = False,
) -> Iterator[Compared]:
    """The cases of a family's model, computed with both; ``exact``: in double precision too."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        for kind in ("checkpoints", "loras", "controlnet", "embeddings"):
            (folder / "models" / kind).mkdir(parents=True)
        path = write_checkpoint(model, folder / "models" / "checkpoints")
        world = World(model, folder, Plain(model, load_file(path)))
        cases = {case.name: case for case in _cases(name, world) if wanted(case.name)}
        engine = Engine.open(Settings(base_directory=folder, device="cpu"))
        ours = {case.name: _ours(engine, model, case) for case in cases.values()}
        del engine
        gc.collect()
        plain = {case.name: case.expected() for case in cases.values()}
        precise: dict[str, Tensor] = {}
        if exact:
            del world, cases
            gc.collect()
            world = World(model, folder, Plain(model, load_file(path), torch.float64))
            precise = {
                case.name: case.expected() for case in _cases(name, world) if case.name in plain
            }
        for case in ours:
            yield Compared(f"{name}: {case}", ours[case], plain[case], precise.get(case))


def _cases(name: str, world: World) -> Iterator[Case]:
    yield from CASES[name](world)
    if name in COMBINATIONS:
        yield from COMBINATIONS[name](world)


def _ours(engine: Engine, model: TwoWays, case: Case) -> Tensor:
    nodes = workflow(model.steps, {"model.ckpt_name": model.file, **case.changes})
    target = "decode" if case.name.startswith("picture") else "sampler"
    result = engine.run(parse_api(nodes), targets=[target]).raise_for_status()
    value = result.outputs[target][0]
    found: Tensor = value.pixels if target == "decode" else value.samples
    return found

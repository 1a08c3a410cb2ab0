"""What happens to a seed after a run: it stays, counts up or down, or is drawn anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphengine.canvas import Canvas, CanvasNode
from graphengine.parameters import DRAW_SEED, SEED_MAX

if TYPE_CHECKING:
    from random import Random

LARGEST_DRAWN = 2**50
"""As ComfyUI's editor draws: JavaScript keeps such numbers exactly."""

CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")


def next_seed(
    seed: int, control: str, random: Random, *, low: int = 0, high: int = SEED_MAX
) -> int:
    """The seed of the next run. Counting stops at ``low`` and ``high``, or begins anew (wrap).

    -1, which draws a seed for each run, stays; so does what an unknown control names.
    """
    if seed == DRAW_SEED:
        return seed
    if control == "increment":
        return min(seed + 1, high)
    if control == "increment-wrap":
        return low if seed >= high else seed + 1
    if control == "decrement":
        return max(seed - 1, low)
    if control == "randomize":
        return random.randint(max(low, -LARGEST_DRAWN), min(high, LARGEST_DRAWN))
    return seed


def after_run(canvas: Canvas, random: Random) -> Canvas:
    """The canvas for the next run: every seed as its control says, also inside subgraphs."""
    nodes = {node.id: _controlled(node, random) for node in canvas.nodes.values()}
    subgraphs = {
        part.id: dataclasses.replace(part, canvas=after_run(part.canvas, random))
        for part in canvas.subgraphs.values()
    }
    return dataclasses.replace(canvas, nodes=nodes, subgraphs=subgraphs)


def _controlled(node: CanvasNode, random: Random) -> CanvasNode:
    changed = _changed(node.values, node.controls, random)
    unnamed = _changed_unnamed(node.unnamed, random)
    if not changed and unnamed == node.unnamed:
        return node
    return dataclasses.replace(node, values={**node.values, **changed}, unnamed=unnamed)


def _changed(
    values: Mapping[str, Any], controls: Mapping[str, str], random: Random
) -> dict[str, int]:
    return {
        name: next_seed(values[name], control, random)
        for name, control in controls.items()
        if type(values.get(name)) is int and control != "fixed"
    }


def _changed_unnamed(unnamed: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    """Values without names, of primitives and subgraphs too: a control follows its seed."""
    changed = list(unnamed)
    for place, (seed, control) in enumerate(pairwise(unnamed)):
        if type(seed) is int and isinstance(control, str) and control in CONTROLS:
            changed[place] = next_seed(seed, control, random)
    return tuple(changed)

"""Asking a model in the middle of a sampling, as plugins do: conditions out of its conditionings.

ComfyUI hands conditions on as lists of dicts. A dict here also holds the prepared condition that
it stands for, so that what a plugin gives back, picked or put together anew, can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from graphengine.errors import InputError

if TYPE_CHECKING:
    from graphengine.diffusion.conditions import Group, PreparedCondition
    from graphengine.diffusion.denoiser import Guided
    from graphengine.diffusion.guidance import Look, NetworkCall, SamplingOption

_PREPARED = "prepared_condition"
_SIDE = "conditioning"
Conds = list[dict[str, Any]]


def conds_of(guided: Guided, side: int) -> Conds:
    """The conditions of one conditioning of a sampling."""
    return [_as_dict(condition, side) for condition in guided.groups[side]]


def sides_of(look: Look) -> list[Conds | None]:
    """The positive and the negative conditions of a look at the model."""
    if look.guided is None:
        return [None, None]
    negative = look.guided.rule.negative
    return [
        conds_of(look.guided, 0),
        None if negative is None else conds_of(look.guided, negative),
    ]


def predictions(
    guided: Guided,
    conds: Sequence[Iterable[Mapping[str, Any]] | None],
    x: Tensor,
    sigma: Tensor,
    options: tuple[SamplingOption, ...],
) -> list[Tensor]:
    """The denoised latents under lists of conditions, zeros for None: [B, C, h, w] each.

    ``options``: the model's, instead of those that it was given. Raises InputError for conditions
    that are not of this sampling.
    """
    asked = [cond for cond in conds if cond is not None]
    groups = [_group(cond) for cond in asked]
    sides = [_side(cond, index) for index, cond in enumerate(asked)]
    network = replace(guided.network, options=options)
    level = sigma.detach().flatten()[0].cpu().float()
    found = iter(network.denoised(x, level, groups, sides))
    return [torch.zeros_like(x) if cond is None else next(found) for cond in conds]


def sides_for(call: NetworkCall, x: Tensor) -> tuple[int, ...]:
    """Whose rows a changed batch holds: those of the call, as far as their number fits."""
    single = max(1, len(call.x) // len(call.sides))
    count = max(1, len(x) // single)
    return (call.sides * count)[:count]


def _as_dict(condition: PreparedCondition, side: int) -> dict[str, Any]:
    given: dict[str, Any] = {_PREPARED: condition, _SIDE: side, "cross_attn": condition.context}
    if condition.y is not None:
        given["y"] = condition.y
    if condition.box is not None:
        box = condition.box
        given["area"] = (box.height, box.width, box.y, box.x)
    return {**given, "strength": 1.0}


def _group(cond: Iterable[Mapping[str, Any]]) -> Group:
    return tuple(_prepared(each) for each in cond)


def _prepared(given: Mapping[str, Any]) -> PreparedCondition:
    if _PREPARED not in given:
        raise InputError("hosted_foreign_condition")
    condition: PreparedCondition = given[_PREPARED]
    words = given.get("cross_attn")
    if words is not None and words is not condition.context:
        condition = replace(condition, context=words.to(condition.context))
    return condition


def _side(cond: Iterable[Mapping[str, Any]], index: int) -> int:
    return next((int(each[_SIDE]) for each in cond if _SIDE in each), index)

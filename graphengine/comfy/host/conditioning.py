"""Conditions as ComfyUI's nodes know them: a list of ``[embedding, options]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.comfy.host.other_networks import applications_of, chain_of
from graphengine.sockets import Area, Condition, Conditioning

_SIZES = (
    "width",
    "height",
    "crop_w",
    "crop_h",
    "target_width",
    "target_height",
    "aesthetic_score",
)
_NAMES = {
    "pooled_output": "pooled",
    "strength": "strength",
    "mask": "mask",
    "mask_strength": "mask_strength",
    "set_area_to_bounds": "mask_sets_area",
    "start_percent": "start",
    "end_percent": "end",
    "control_apply_to_uncond": "control_on_negative",
    "concat_latent_image": "concat_latent",
    "concat_mask": "concat_mask",
}
"""ComfyUI's option → our field."""
_USUAL = Condition(None)  # type: ignore[arg-type]  # only its defaults are looked at


def to_list(conditioning: Conditioning) -> list[list[Any]]:
    """The conditions; options that say nothing are left out, lists and objects are new."""
    return [[each.embedding, _options(each)] for each in conditioning.conditions]


def from_list(conditions: Any) -> Conditioning:
    """Conditions that a hosted node made or changed; raises TypeError, KeyError for others."""
    return Conditioning(tuple(_condition(embedding, options) for embedding, options in conditions))


def _options(condition: Condition) -> dict[str, Any]:
    options = {
        name: getattr(condition, field)
        for name, field in _NAMES.items()
        if getattr(condition, field) is not getattr(_USUAL, field)
        and getattr(condition, field) != ()
    }
    if condition.control:
        options["control"] = chain_of(condition.control)
    if condition.area is not None:
        area = condition.area
        where = (area.height, area.width, area.y, area.x)
        options["area"] = ("percentage", *where) if area.fraction else tuple(map(int, where))
    return {**condition.extra, **condition.size, **options}


def _condition(embedding: Any, options: Mapping[str, Any]) -> Condition:
    fields = {_NAMES[name]: value for name, value in options.items() if name in _NAMES}
    known = {*_NAMES, *_SIZES, "area", "control"}
    return Condition(
        embedding,
        control=applications_of(options.get("control")),
        area=_area(options.get("area")),
        size={name: options[name] for name in _SIZES if name in options},
        extra={name: value for name, value in options.items() if name not in known},
        **fields,
    )


def _area(where: Any) -> Area | None:
    if where is None:
        return None
    if where[0] == "percentage":
        return Area(where[1], where[2], where[3], where[4], fraction=True)
    return Area(*where)

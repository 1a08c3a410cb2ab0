"""ComfyUI's ``comfy.patcher_extension``: names only, as nothing here calls such wrappers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.comfy.host.stand_ins import missing


def merge_nested_dicts(
    dict1: Mapping[str, Any], dict2: Mapping[str, Any], copy_dict1: bool = True
) -> dict[str, Any]:
    """Two dicts as one; where both hold dicts or lists, these are joined."""
    merged: Any = dict(dict1) if copy_dict1 else dict1
    for name, value in dict2.items():
        there = merged.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            value = merge_nested_dicts(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            value = [*there, *value]
        merged[name] = value
    return dict(merged) if copy_dict1 else merged


def copy_nested_dicts(input_dict: Mapping[str, Any]) -> dict[str, Any]:
    """The same in new dicts and lists."""
    from graphengine.comfy.host.model_patcher import clone_options

    return clone_options(input_dict)


def __getattr__(name: str) -> Any:
    return missing("comfy.patcher_extension", name)

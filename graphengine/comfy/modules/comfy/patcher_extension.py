"""ComfyUI's ``comfy.patcher_extension``: functions around parts of a sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.comfy.host.stand_ins import missing


class CallbacksMP:
    """When plugins could be called back; nothing here does so."""

    ON_CLONE = "on_clone"
    ON_LOAD = "on_load_after"
    ON_DETACH = "on_detach_after"
    ON_CLEANUP = "on_cleanup"
    ON_PRE_RUN = "on_pre_run"
    ON_PREPARE_STATE = "on_prepare_state"
    ON_APPLY_HOOKS = "on_apply_hooks"
    ON_REGISTER_ALL_HOOK_PATCHES = "on_register_all_hook_patches"
    ON_INJECT_MODEL = "on_inject_model"
    ON_EJECT_MODEL = "on_eject_model"


class WrappersMP:
    """What functions can stand around: ``APPLY_MODEL`` here, each call of the network."""

    OUTER_SAMPLE = "outer_sample"
    PREPARE_SAMPLING = "prepare_sampling"
    SAMPLER_SAMPLE = "sampler_sample"
    PREDICT_NOISE = "predict_noise"
    CALC_COND_BATCH = "calc_cond_batch"
    APPLY_MODEL = "apply_model"
    DIFFUSION_MODEL = "diffusion_model"


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

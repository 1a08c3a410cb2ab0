"""ComfyUI's ``comfy.model_patcher``: models, and changes of their ``model_options``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphengine.comfy.host.model_patcher import (
    ModelPatcher,
    appended,
    clone_options,
    replace_attention,
)
from graphengine.comfy.host.stand_ins import missing

__all__ = ["ModelPatcher"]


def create_model_options_clone(orig_model_options: Mapping[str, Any]) -> dict[str, Any]:
    """The same in new dicts and lists."""
    return clone_options(orig_model_options)


def set_model_options_patch_replace(
    model_options: Mapping[str, Any],
    patch: Callable[..., Any],
    name: str,
    block_name: str,
    number: int,
    transformer_index: int | None = None,
) -> dict[str, Any]:
    """With another attention at one place."""
    return replace_attention(model_options, patch, name, block_name, number, transformer_index)


def set_model_options_post_cfg_function(
    model_options: Mapping[str, Any],
    post_cfg_function: Callable[..., Any],
    disable_cfg1_optimization: bool = False,
) -> dict[str, Any]:
    """With one more function behind guidance."""
    both = disable_cfg1_optimization
    return appended(model_options, "sampler_post_cfg_function", post_cfg_function, both)


def set_model_options_pre_cfg_function(
    model_options: Mapping[str, Any],
    pre_cfg_function: Callable[..., Any],
    disable_cfg1_optimization: bool = False,
) -> dict[str, Any]:
    """With one more function before guidance."""
    both = disable_cfg1_optimization
    return appended(model_options, "sampler_pre_cfg_function", pre_cfg_function, both)


def __getattr__(name: str) -> Any:
    return missing("comfy.model_patcher", name)

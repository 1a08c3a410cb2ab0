"""ComfyUI's ``comfy.lora``: a LoRA's tensors as patches of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphengine.comfy.host.stand_ins import missing


def model_lora_keys_unet(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """The names that a LoRA file may use for a MODEL's weights → the weights' names."""
    from graphengine.comfy.host.weight_patches import lora_targets

    found = {} if key_map is None else key_map
    found.update(lora_targets(model.description.weights, "unet"))
    return found


def model_lora_keys_clip(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """The same for a CLIP, or for its ``cond_stage_model``."""
    from graphengine.comfy.host.weight_patches import lora_targets

    found = {} if key_map is None else key_map
    for encoder in model.description.encoders:
        found.update(lora_targets(encoder.weights, encoder.kind))
    return found


def load_lora(
    lora: Mapping[str, Any], to_load: Mapping[str, Any], log_missing: bool = True
) -> dict[Any, Any]:
    """The patches in a LoRA's tensors for ``add_patches``."""
    from graphengine.comfy.host.weight_patches import adapters_in

    del log_missing
    return adapters_in(lora, to_load)


def __getattr__(name: str) -> Any:
    return missing("comfy.lora", name)

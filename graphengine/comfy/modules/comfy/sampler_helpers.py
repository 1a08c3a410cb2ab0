"""ComfyUI's ``comfy.sampler_helpers``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def convert_cond(cond: Any) -> list[dict[str, Any]]:
    """Conditions as dicts: their options, and their words as ``cross_attn``."""
    return [{**options, "cross_attn": words} for words, options in cond]


def prepare_mask(noise_mask: Any, shape: Any, device: Any) -> Any:
    """An inpaint mask for a latent: [B, C, h, w]."""
    from graphengine.diffusion.conditions import resize_mask
    from graphengine.diffusion.denoiser import to_batch

    mask = to_batch(resize_mask(noise_mask, *shape[-2:]), shape[0])
    return mask.expand(shape[0], shape[1], -1, -1).to(device)


def cleanup_models(conds: Any, models: Any) -> None:
    """Nothing to do: networks that nothing describes any more go by themselves."""
    del conds, models


def get_additional_models(conds: Any, dtype: Any) -> tuple[list[Any], int]:
    """Nothing that a plugin would have to load."""
    del conds, dtype
    return [], 0


def __getattr__(name: str) -> Any:
    return missing("comfy.sampler_helpers", name)

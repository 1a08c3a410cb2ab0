"""ComfyUI's ``comfy.ldm.modules.attention``: attention as plugins call it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy.ldm.util import default, exists

__all__ = ["default", "exists"]
logger = logging.getLogger(__name__)


def optimized_attention(
    q: Any,
    k: Any,
    v: Any,
    heads: int,
    mask: Any = None,
    attn_precision: Any = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **kwargs: Any,
) -> Any:
    """Attention of all heads by torch: [B, N, C], or [B, heads, N, C] with ``skip_reshape``."""
    from torch.nn.functional import scaled_dot_product_attention

    del attn_precision, kwargs
    if not skip_reshape:
        q, k, v = (t.reshape(*t.shape[:2], heads, -1).transpose(1, 2) for t in (q, k, v))
    if mask is not None and mask.ndim == 2:
        mask = mask[None]
    if mask is not None and mask.ndim == 3:
        mask = mask[:, None]
    out = scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out if skip_output_reshape else out.transpose(1, 2).flatten(2)


optimized_attention_masked = attention_pytorch = attention_basic = optimized_attention
attention_sub_quad = attention_split = attention_xformers = optimized_attention


def wrap_attn(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself: nothing here puts another one in its place."""
    return func


def register_attention_function(name: str, func: Callable[..., Any]) -> None:
    """Take note of nothing: torch's own attention is used, whatever else there is."""
    del func
    logger.warning("a plugin's attention %r is not used: graphengine uses torch's own", name)


def optimized_attention_for_device(
    device: Any, mask: bool = False, small_input: bool = False
) -> Callable[..., Any]:
    """Attention for a device: the same one."""
    del device, mask, small_input
    return optimized_attention


def __getattr__(name: str) -> Any:
    return missing("comfy.ldm.modules.attention", name)

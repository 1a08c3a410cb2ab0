"""The models to compute with in both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphengine.diffusion.layouts import UNetLayout
from tests.diffusion import published
from tests.diffusion import tiny_models as tiny


@dataclass(frozen=True)
class TwoWays:
    """A model to compute with in both ways: the parts of its file, and what it is by the facts.

    ``file``: the name that its file has. ``config``: of diffusers' UNet. ``layer``: which text
    states are taken by default (-1 = the last), ``normed`` whether behind the final layer norm.
    ``sizes``: how many sizes the network is told.
    """

    file: str
    parts: tiny.Parts
    config: Mapping[str, Any]
    scale: float = 0.18215
    layer: int = -1
    normed: bool = True
    prediction: str = "eps"
    sizes: int = 0
    steps: int = 8

    @property
    def unet(self) -> UNetLayout:
        return self.parts.unet


_CROSS, _PLAIN = ("CrossAttn{}Block2D", "{}Block2D")


def _config(unet: UNetLayout, heads: Any, **more: Any) -> dict[str, Any]:
    """diffusers' configuration of a network whose levels without attention are known."""
    down = [(_CROSS if depth else _PLAIN).format("Down") for depth in unet.down_depths]
    up = [(_CROSS if depth else _PLAIN).format("Up") for depth in unet.up_depths]
    return {
        "in_channels": unet.in_channels,
        "block_out_channels": unet.channels,
        "layers_per_block": unet.blocks[0],
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": unet.context_width,
        "attention_head_dim": heads,
        **more,
    }


def _wide_heads(unet: UNetLayout) -> tuple[int, ...]:
    return tuple(width // 64 for width in unet.channels)


def _sdxl_config(unet: UNetLayout, depths: Any) -> dict[str, Any]:
    return _config(
        unet,
        _wide_heads(unet),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        transformer_layers_per_block=depths,
        projection_class_embeddings_input_dim=unet.vector_width,
    )


def _family(parts: Mapping[str, tiny.Parts], **more: Any) -> dict[str, TwoWays]:
    sd1, inpaint, sd2, xl, refiner = (
        parts[name] for name in ("sd1", "sd1_inpaint", "sd2", "sdxl", "refiner")
    )
    is_xl: dict[str, Any] = {"scale": 0.13025, "layer": -2, "normed": False}
    sd2_config = _config(sd2.unet, _wide_heads(sd2.unet), use_linear_projection=True)
    xl_config = _sdxl_config(xl.unet, tuple(depth or 1 for depth in xl.unet.down_depths))
    refiner_config = _sdxl_config(refiner.unet, refiner.unet.middle_depth)
    return {
        "sd1": TwoWays("v1-5.safetensors", sd1, _config(sd1.unet, 8), **more),
        "inpaint": TwoWays("inpainting.safetensors", inpaint, _config(inpaint.unet, 8), **more),
        "sd2": TwoWays("v2-1_768.safetensors", sd2, sd2_config, layer=-2, prediction="v", **more),
        "sdxl": TwoWays("sd_xl_base.safetensors", xl, xl_config, sizes=6, **is_xl, **more),
        "refiner": TwoWays(
            "sd_xl_refiner.safetensors", refiner, refiner_config, sizes=5, **is_xl, **more
        ),
    }


PUBLISHED = _family(published.FAMILIES)
# As tiny, but such that diffusers can be told their shapes: the same number of blocks on every
# level, of layers on every level of the refiner.
_SD1_UNET = replace(tiny.SD1_UNET, blocks=(1, 1, 1))
TINY = _family(
    tiny.families(
        sd1=_SD1_UNET,
        sd2=replace(_SD1_UNET, channels=(64, 64, 128), linear_projection=True),
        sdxl=tiny.SDXL_UNET,
        refiner=replace(tiny.REFINER_UNET, down_depths=(0, 2, 2, 0), up_depths=(0, 2, 2, 0)),
        vae=tiny.VAE,
        texts=(tiny.CLIP_L, tiny.CLIP_H, tiny.CLIP_G),
    ),
    steps=4,
)

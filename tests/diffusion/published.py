"""The shapes of the published models, for tests and measurements; `tiny_models` has small ones.

Both modules call the same things by the same names.
"""

from __future__ import annotations

from dataclasses import replace

from graphengine.diffusion.layouts import UNetLayout
from tests.diffusion import tiny_models as tiny

SD1_UNET = UNetLayout(
    style="ldm",
    in_channels=4,
    out_channels=4,
    channels=(320, 640, 1280, 1280),
    blocks=(2, 2, 2, 2),
    down_depths=(1, 1, 1, 0),
    middle_depth=1,
    up_depths=(0, 1, 1, 1),
    context_width=768,
    linear_projection=False,
)
SD2_UNET = replace(SD1_UNET, context_width=1024, linear_projection=True)
SDXL_UNET = replace(
    SD1_UNET,
    channels=(320, 640, 1280),
    blocks=(2, 2, 2),
    down_depths=(0, 2, 10),
    middle_depth=10,
    up_depths=(10, 2, 0),
    context_width=2048,
    linear_projection=True,
    vector_width=2816,
)
REFINER_UNET = replace(
    SD1_UNET,
    channels=(384, 768, 1536, 1536),
    down_depths=(0, 4, 4, 0),
    middle_depth=4,
    up_depths=(0, 4, 4, 0),
    context_width=1280,
    linear_projection=True,
    vector_width=2560,
)
VAE = replace(tiny.VAE, channels=(128, 256, 512, 512), blocks=2)
CLIP_L = replace(tiny.CLIP_L, width=768, layers=12, intermediate=3072)
CLIP_H = replace(tiny.CLIP_H, width=1024, layers=24, intermediate=4096, projection=1024)
CLIP_G = replace(tiny.CLIP_G, width=1280, layers=32, intermediate=5120, projection=1280)
FAMILIES = tiny.families(
    sd1=SD1_UNET,
    sd2=SD2_UNET,
    sdxl=SDXL_UNET,
    refiner=REFINER_UNET,
    vae=VAE,
    texts=(CLIP_L, CLIP_H, CLIP_G),
)

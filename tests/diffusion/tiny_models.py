"""Tiny networks with random weights, saved as the single files that people have.

Everything is derived from one table of families; widths are the smallest that keep each
family's marks (attention heads of width 64, the levels that carry attention, …).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from graphengine.diffusion.keys import (
    KeyTable,
    as_file_tensors,
    text_table,
    unet_table,
    vae_table,
)
from graphengine.diffusion.layouts import TextLayout, UNetLayout, VaeLayout
from graphengine.diffusion.networks import build_text_encoder, build_unet, build_vae

VOCABULARY = 49408
SD1_UNET = UNetLayout(
    style="ldm",
    in_channels=4,
    out_channels=4,
    channels=(32, 64, 64),
    blocks=(1, 2, 1),
    down_depths=(1, 1, 0),
    middle_depth=1,
    up_depths=(0, 1, 1),
    context_width=64,
    linear_projection=False,
)
SD2_UNET = replace(SD1_UNET, channels=(64, 64, 128), linear_projection=True)
SDXL_UNET = UNetLayout(
    style="ldm",
    in_channels=4,
    out_channels=4,
    channels=(64, 64, 128),
    blocks=(1, 1, 1),
    down_depths=(0, 1, 2),
    middle_depth=2,
    up_depths=(2, 1, 0),
    context_width=128 + 64,
    linear_projection=True,
    vector_width=128 + 6 * 256,
)
REFINER_UNET = replace(
    SDXL_UNET,
    channels=(64, 64, 128, 128),
    blocks=(1, 1, 1, 1),
    down_depths=(0, 1, 2, 0),
    up_depths=(0, 2, 1, 0),
    context_width=128,
    vector_width=128 + 5 * 256,
)
VAE = VaeLayout(
    style="ldm",
    in_channels=3,
    out_channels=3,
    latent_channels=4,
    channels=(32, 32, 64, 64),
    blocks=1,
    quant_conv=True,
    post_quant_conv=True,
    attention=True,
)
CLIP_L = TextLayout(
    style="diffusers",
    kind="clip_l",
    width=64,
    layers=3,
    intermediate=128,
    vocabulary=VOCABULARY,
    positions=77,
    projection=None,
    nested=True,
)
CLIP_H = replace(CLIP_L, style="openclip", kind="clip_h", nested=False, projection=64)
CLIP_G = replace(CLIP_H, kind="clip_g", width=128, intermediate=256, projection=128)


@dataclass(frozen=True)
class Parts:
    """The parts of a checkpoint; text encoders by their prefix in the file."""

    unet: UNetLayout
    texts: Mapping[str, TextLayout]
    vae: VaeLayout


def families(
    *,
    sd1: UNetLayout,
    sd2: UNetLayout,
    sdxl: UNetLayout,
    refiner: UNetLayout,
    vae: VaeLayout,
    texts: tuple[TextLayout, TextLayout, TextLayout],
) -> dict[str, Parts]:
    """Each family's checkpoint. ``texts``: CLIP's L and OpenCLIP's H and bigG."""
    clip_l, clip_h, clip_g = texts
    alone = {"cond_stage_model.transformer.": clip_l}
    both = {
        "conditioner.embedders.0.transformer.": clip_l,
        "conditioner.embedders.1.model.": clip_g,
    }
    return {
        "sd1": Parts(sd1, alone, vae),
        "sd1_inpaint": Parts(replace(sd1, in_channels=9), alone, vae),
        "sd2": Parts(sd2, {"cond_stage_model.model.": clip_h}, vae),
        "sdxl": Parts(sdxl, both, vae),
        "refiner": Parts(refiner, {"conditioner.embedders.0.model.": clip_g}, vae),
    }


FAMILIES = families(
    sd1=SD1_UNET,
    sd2=SD2_UNET,
    sdxl=SDXL_UNET,
    refiner=REFINER_UNET,
    vae=VAE,
    texts=(CLIP_L, CLIP_H, CLIP_G),
)


def make_checkpoint(
    path: Path,
    *,
    family: str = "sd1",
    dtype: torch.dtype = torch.float32,
    v_pred: bool = False,
    seed: int = 0,
) -> Path:
    """A whole tiny checkpoint at ``path`` (``.safetensors``): UNet, text encoder(s) and VAE."""
    tensors = checkpoint_tensors(family, dtype=dtype, seed=seed)
    if v_pred:
        tensors["v_pred"] = torch.zeros(0)
    save_file(tensors, str(path))
    return path


def checkpoint_tensors(
    family: str, *, dtype: torch.dtype = torch.float32, seed: int = 0
) -> dict[str, Tensor]:
    """The tensors of a tiny checkpoint under their names in a single file."""
    return {key: tensor.to(dtype) for key, tensor in _family_tensors(family, seed).items()}


@cache
def _family_tensors(family: str, seed: int) -> Mapping[str, Tensor]:
    return parts_tensors(FAMILIES[family], seed=seed)


def parts_tensors(parts: Parts, *, seed: int = 0) -> dict[str, Tensor]:
    """The float32 tensors of a checkpoint under their names in a single file."""
    tensors = _under("model.diffusion_model.", unet_tensors(parts.unet, seed=seed))
    tensors |= _under("first_stage_model.", vae_tensors(parts.vae, seed=seed + 1))
    for i, (prefix, layout) in enumerate(parts.texts.items()):
        tensors |= _under(prefix, text_tensors(layout, seed=seed + 2 + i))
    return tensors


def unet_tensors(layout: UNetLayout, *, seed: int = 0) -> dict[str, Tensor]:
    """A random UNet's tensors under their names in a file of this layout."""
    return random_tensors(build_unet(layout), unet_table(layout), seed)


def vae_tensors(layout: VaeLayout, *, seed: int = 0) -> dict[str, Tensor]:
    """A random VAE's tensors under their names in a file of this layout."""
    return random_tensors(build_vae(layout), vae_table(layout), seed)


def text_tensors(layout: TextLayout, *, seed: int = 0) -> dict[str, Tensor]:
    """A random text encoder's tensors under their names in a file of this layout."""
    return random_tensors(build_text_encoder(layout), text_table(layout), seed)


def random_tensors(network: nn.Module, table: KeyTable, seed: int) -> dict[str, Tensor]:
    """Normalisations near identity, all else small: outputs keep about the size of inputs."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: _random_tensor(key, tensor.shape, generator)
        for key, tensor in network.state_dict().items()
    }
    return as_file_tensors(table, state)


def _random_tensor(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if not shape:
        return noise
    if len(shape) == 1:
        return 0.05 * noise + (1.0 if "norm" in key and key.endswith("weight") else 0.0)
    if "embedding" in key and "time" not in key and "class" not in key:
        return 0.5 * noise
    fan_in = noise[0].numel()
    return noise / fan_in**0.5


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in tensors.items()}

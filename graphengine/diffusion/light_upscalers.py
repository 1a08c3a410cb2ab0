"""Light convolutional upscale models: SPAN and RealPLKSR.

Wan et al. 2023 (arXiv:2311.12770; hongyuanyu/SPAN, Apache-2.0); Lee et al. 2024 (arXiv:2404.11848;
dslisleedh/PLKSR, MIT), in the form in which neosr trains it. Modules are called as in files.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, silu

from graphengine.diffusion.files import TensorFile

SPAN_MARKS = ("block_1.c1_r.sk.weight",)
PLK_MARKS = ("feats.1.channel_mixer.0.weight",)
_SPAN_BLOCKS = 6
_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K's pictures
_RANGE = 255.0
_NORM_GROUPS = 4


@dataclass(frozen=True)
class SpanLayout:
    """``normed``: whether pictures are brought to about zero mean before."""

    width: int
    scale: int
    normed: bool


@dataclass(frozen=True)
class PlkLayout:
    """``kernel``: the side of the large kernels, which act on the first ``part`` channels.

    ``attention``: per element; ``layer_norm``: before each block, instead of a group norm behind.
    """

    width: int
    blocks: int
    kernel: int
    part: int
    scale: int
    attention: bool
    layer_norm: bool


def read_span_layout(tensors: TensorFile) -> SpanLayout | None:
    """The layout of the SPAN in ``tensors``; None if it is none for 3 channels."""
    if SPAN_MARKS[0] not in tensors or tensors.shape("conv_1.sk.weight")[1] != 3:
        return None
    width = tensors.shape("conv_1.sk.weight")[0]
    scale = isqrt(tensors.shape("upsampler.0.weight")[0] // 3)
    return SpanLayout(width, scale, normed="no_norm" not in tensors)


def read_plk_layout(tensors: TensorFile) -> PlkLayout | None:
    """The layout of the RealPLKSR in ``tensors``; None if it is none, or ends in DySample."""
    if PLK_MARKS[0] not in tensors or any(key.startswith("to_img.") for key in tensors):
        return None
    blocks = sum(key.endswith(".channel_mixer.0.weight") for key in tensors)
    part, _, kernel, _ = tensors.shape("feats.1.lk.conv.weight")
    return PlkLayout(
        width=tensors.shape("feats.0.weight")[0],
        blocks=blocks,
        kernel=kernel,
        part=part,
        scale=isqrt(tensors.shape(f"feats.{blocks + 2}.weight")[0] // 3),
        attention="feats.1.attn.f.0.weight" in tensors,
        layer_norm="feats.1.layer_norm.weight" in tensors,
    )


class Span(nn.Module):
    """[B, 3, H, W] → [B, 3, scale · H, scale · W], 0..1."""

    def __init__(self, layout: SpanLayout) -> None:
        super().__init__()
        width = layout.width
        self.scale, self.normed = layout.scale, layout.normed
        self.conv_1 = _Fused(3, width)
        for i in range(_SPAN_BLOCKS):
            self.register_module(f"block_{i + 1}", _SpanBlock(width))
        self.conv_2 = _Fused(width, width)
        self.conv_cat = nn.Conv2d(4 * width, width, kernel_size=1)
        self.upsampler = nn.Sequential(_convolution(width, 3 * layout.scale**2))

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged pictures."""
        if self.normed:
            x = (x - torch.tensor(_MEAN).to(x)[:, None, None]) * _RANGE
        first = x = self.conv_1(x)
        ends, within = [], x
        for i in range(_SPAN_BLOCKS):
            x, within = self.get_submodule(f"block_{i + 1}")(x)
            ends.append(x)
        # The last block's first convolution sees what the one before it gave.
        joined = torch.cat([first, self.conv_2(x), ends[0], within], dim=1)
        return pixel_shuffle(self.upsampler(self.conv_cat(joined)), self.scale)


class _SpanBlock(nn.Module):
    """Attention without parameters: what is strong, up or down, counts more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (_Fused(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The block's result, and what its first convolution gave, activated."""
        first = silu(self.c1_r(x))
        last: Tensor = self.c3_r(silu(self.c2_r(first)))
        return (last + x) * (torch.sigmoid(last) - 0.5), first


class _Fused(nn.Module):
    """A 3 × 3 convolution that was trained as 1 × 1, 3 × 3, 1 × 1 and a skip connection."""

    def __init__(self, before: int, behind: int, gain: int = 2) -> None:
        super().__init__()
        self.sk = nn.Conv2d(before, behind, kernel_size=1)
        self.conv = nn.Sequential(
            nn.Conv2d(before, gain * before, kernel_size=1),
            nn.Conv2d(gain * before, gain * behind, kernel_size=3),
            nn.Conv2d(gain * behind, behind, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        own = dict(self.named_parameters())
        first, middle, last = (own[f"conv.{i}.weight"] for i in range(3))
        inner, within, outer = (own[f"conv.{i}.bias"] for i in range(3))
        outwards = last[..., 0, 0]
        weight = torch.einsum("om,mnhw,ni->oihw", outwards, middle, first[..., 0, 0])
        weight = weight + pad(own["sk.weight"], (1, 1, 1, 1))
        bias = outwards @ (middle.sum(dim=(2, 3)) @ inner + within) + outer + own["sk.bias"]
        return conv2d(x, weight, bias, padding=1)


class RealPlk(nn.Module):
    """[B, 3, H, W] → [B, 3, scale · H, scale · W], 0..1."""

    def __init__(self, layout: PlkLayout) -> None:
        super().__init__()
        self.scale = layout.scale
        self.feats = nn.Sequential(
            _convolution(3, layout.width),
            *(_PlkBlock(layout) for _ in range(layout.blocks)),
            nn.Identity(),  # dropout in training
            _convolution(layout.width, 3 * layout.scale**2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged pictures: what the network adds to the nearest pixels."""
        nearest = x.repeat_interleave(self.scale**2, dim=1)
        return pixel_shuffle(self.feats(x) + nearest, self.scale)


class _PlkBlock(nn.Module):
    def __init__(self, layout: PlkLayout) -> None:
        super().__init__()
        width = layout.width
        self.layer_norm = _ChannelNorm(width) if layout.layer_norm else nn.Identity()
        self.channel_mixer = nn.Sequential(
            _convolution(width, 2 * width), nn.Mish(), _convolution(2 * width, width)
        )
        self.lk = _PartialKernel(layout.part, layout.kernel)
        self.attn = _ElementAttention(width) if layout.attention else nn.Identity()
        self.refine = nn.Conv2d(width, width, kernel_size=1)
        self.norm = nn.Identity() if layout.layer_norm else nn.GroupNorm(_NORM_GROUPS, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.lk(self.channel_mixer(self.layer_norm(x)))
        added: Tensor = self.norm(self.refine(self.attn(y)))
        return x + added


class _PartialKernel(nn.Module):
    def __init__(self, part: int, kernel: int) -> None:
        super().__init__()
        self.part = part
        self.conv = nn.Conv2d(part, part, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv(x[:, : self.part]), x[:, self.part :]], dim=1)


class _ElementAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.f = nn.Sequential(_convolution(width, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.f(x)
        return x * weight


class _ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of each pixel."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def _convolution(before: int, behind: int) -> nn.Conv2d:
    return nn.Conv2d(before, behind, kernel_size=3, padding=1)

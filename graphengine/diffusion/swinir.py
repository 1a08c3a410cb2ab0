"""SwinIR: pictures enlarged or cleaned by a transformer over shifted windows.

Liang et al. 2021 (arXiv:2108.10257; JingyunLiang/SwinIR, Apache-2.0), over Swin: Liu et al. 2021
(arXiv:2103.14030). Every size is read from a file's shapes; modules are called as in files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt, prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, scaled_dot_product_attention

from graphengine.diffusion.files import TensorFile
from graphengine.diffusion.layouts import count_while

MARKS = ("layers.0.residual_group.blocks.0.attn.relative_position_bias_table",)
_BLOCK = "layers.{}.residual_group.blocks.{}."
_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K's pictures, on which all were trained
_ENDS_SLOPE, _UP_SLOPE, _THREE_SLOPE = 0.01, 0.2, 0.2
# Only the models that remove JPEG's traces have windows of 7, and they count to 255.
_JPEG_WINDOW, _JPEG_RANGE = 7, 255.0
_APART = -100.0  # what keeps pixels from looking at others that only the shift brought beside them

Ending = Literal["nearest", "shuffle", "direct", "none"]


@dataclass(frozen=True)
class SwinLayout:
    """``depths``, ``heads``: of each group. ``ups``: how the ending enlarges, step by step.

    ``three``: three convolutions behind each group instead of one. ``width``: behind the groups.
    """

    channels: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    window: int
    hidden: int
    ending: Ending
    ups: tuple[int, ...]
    width: int
    three: bool
    patch_norm: bool

    @property
    def scale(self) -> int:
        """How much larger the result's sides are."""
        return prod(self.ups)


def read_swin_layout(tensors: TensorFile) -> SwinLayout | None:
    """The layout of the SwinIR in ``tensors``; None if it is none for 3 channels."""
    first = "conv_first.weight"
    if MARKS[0] not in tensors or first not in tensors or tensors.shape(first)[1] != 3:
        return None
    channels = tensors.shape(first)[0]
    groups = count_while(tensors, _BLOCK.format("{}", 0) + "norm1.weight")
    depths = tuple(
        count_while(tensors, _BLOCK.format(i, "{}") + "norm1.weight") for i in range(groups)
    )
    table = "attn.relative_position_bias_table"
    places = tensors.shape(MARKS[0])[0]
    ending, ups, width = _read_ending(tensors)
    return SwinLayout(
        channels=channels,
        depths=depths,
        heads=tuple(tensors.shape(_BLOCK.format(i, 0) + table)[1] for i in range(groups)),
        window=(isqrt(places) + 1) // 2,
        hidden=tensors.shape(_BLOCK.format(0, 0) + "mlp.fc1.weight")[0],
        ending=ending,
        ups=ups,
        width=width,
        three="conv_after_body.0.weight" in tensors,
        patch_norm="patch_embed.norm.weight" in tensors,
    )


def _read_ending(tensors: TensorFile) -> tuple[Ending, tuple[int, ...], int]:
    if "conv_up1.weight" in tensors:
        steps = next(i for i in range(1, 8) if f"conv_up{i + 1}.weight" not in tensors)
        return "nearest", (2,) * steps, tensors.shape("conv_up1.weight")[0]
    shuffles = [
        f"upsample.{2 * i}.weight" for i in range(4) if f"upsample.{2 * i}.weight" in tensors
    ]
    if "conv_before_upsample.0.weight" in tensors:
        width = tensors.shape("conv_before_upsample.0.weight")[0]
        return "shuffle", tuple(isqrt(tensors.shape(key)[0] // width) for key in shuffles), width
    if shuffles:
        return "direct", (isqrt(tensors.shape(shuffles[0])[0] // 3),), 3
    return "none", (), 3


class SwinIr(nn.Module):
    """[B, 3, H, W] → [B, 3, scale · H, scale · W], 0..1."""

    def __init__(self, layout: SwinLayout) -> None:
        super().__init__()
        channels, width = layout.channels, layout.width
        self.window, self.scale, self.ending = layout.window, layout.scale, layout.ending
        self.range = _JPEG_RANGE if layout.window == _JPEG_WINDOW else 1.0
        self.conv_first = _convolution(3, channels)
        if layout.patch_norm:
            self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(channels)})
        self.layers = nn.ModuleList(
            _Group(layout, depth, heads)
            for depth, heads in zip(layout.depths, layout.heads, strict=True)
        )
        self.norm = nn.LayerNorm(channels)
        self.conv_after_body = _behind_group(channels, three=layout.three)
        if layout.ending in ("nearest", "shuffle"):
            self.conv_before_upsample = nn.Sequential(
                _convolution(channels, width), nn.LeakyReLU(_ENDS_SLOPE)
            )
        if layout.ending == "nearest":
            for i in range(len(layout.ups)):
                self.register_module(f"conv_up{i + 1}", _convolution(width, width))
            self.conv_hr = _convolution(width, width)
        elif layout.ending != "none":
            inner = channels if layout.ending == "direct" else width
            self.upsample = nn.Sequential(*_shuffles(inner, width, layout.ups))
        if layout.ending != "direct":
            self.conv_last = _convolution(channels if layout.ending == "none" else width, 3)
        self.ups = len(layout.ups)

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged pictures."""
        height, width = (self.scale * side for side in x.shape[-2:])
        mean = torch.tensor(_MEAN).to(x)[:, None, None]
        x = (_padded(x, self.window) - mean) * self.range
        features = self.conv_first(x)
        features = features + self.conv_after_body(self._deep(features))
        y = self._ended(features) if self.ending != "none" else x + self.conv_last(features)
        y = y / self.range + mean
        return y[..., :height, :width]

    def _deep(self, x: Tensor) -> Tensor:
        x = x.movedim(1, -1)
        if hasattr(self, "patch_embed"):
            x = self.patch_embed["norm"](x)
        for group in self.layers:
            x = group(x)
        y: Tensor = self.norm(x)
        return y.movedim(-1, 1)

    def _ended(self, x: Tensor) -> Tensor:
        if self.ending == "direct":
            direct: Tensor = self.upsample(x)
            return direct
        x = self.conv_before_upsample(x)
        if self.ending == "shuffle":
            shuffled: Tensor = self.conv_last(self.upsample(x))
            return shuffled
        for i in range(self.ups):
            convolution = self.get_submodule(f"conv_up{i + 1}")
            x = leaky_relu(convolution(interpolate(x, scale_factor=2.0)), _UP_SLOPE)
        y: Tensor = self.conv_last(leaky_relu(self.conv_hr(x), _UP_SLOPE))
        return y


class _Group(nn.Module):
    """Blocks whose windows lie straight and shifted in turn, and a convolution behind them."""

    def __init__(self, layout: SwinLayout, depth: int, heads: int) -> None:
        super().__init__()
        blocks = nn.ModuleList(
            _Block(layout, heads, layout.window // 2 if i % 2 else 0) for i in range(depth)
        )
        self.residual_group = nn.ModuleDict({"blocks": blocks})
        self.conv = _behind_group(layout.channels, three=layout.three)

    def forward(self, x: Tensor) -> Tensor:
        """[B, H, W, C]."""
        y = x
        for block in self.residual_group["blocks"]:  # type: ignore[attr-defined]
            y = block(y)
        added: Tensor = self.conv(y.movedim(-1, 1))
        return x + added.movedim(1, -1)


class _Block(nn.Module):
    def __init__(self, layout: SwinLayout, heads: int, shift: int) -> None:
        super().__init__()
        channels = layout.channels
        self.window, self.shift = layout.window, shift
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = _WindowAttention(channels, layout.window, heads)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(channels, layout.hidden), "fc2": nn.Linear(layout.hidden, channels)}
        )

    def forward(self, x: Tensor) -> Tensor:
        _, height, width, _ = x.shape
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        windows = _windows(y, self.window)
        y = _joined(self.attn(windows, self._apart(x)), height, width, self.window)
        x = x + torch.roll(y, (self.shift, self.shift), (1, 2))
        hidden = nn.functional.gelu(self.mlp["fc1"](self.norm2(x)))
        added: Tensor = self.mlp["fc2"](hidden)
        return x + added

    def _apart(self, x: Tensor) -> Tensor | None:
        """Which pixels of each window may not see each other: [windows, 1, n, n], or None."""
        if not self.shift:
            return None
        height, width = x.shape[1:3]
        rows, columns = (self._parts(side) for side in (height, width))
        parts = (3 * rows[:, None] + columns[None, :])[None, :, :, None].to(x)
        flat = _windows(parts, self.window)[..., 0]
        return (flat[:, None, :, None] != flat[:, None, None, :]).to(x) * _APART

    def _parts(self, side: int) -> Tensor:
        places = torch.arange(side)
        return (places >= side - self.window).long() + (places >= side - self.shift).long()


class _WindowAttention(nn.Module):
    def __init__(self, channels: int, window: int, heads: int) -> None:
        super().__init__()
        self.window, self.heads = window, heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        """[B · windows, n, C], n pixels a window."""
        count, pixels, channels = x.shape
        query, key, value = (
            self.qkv(x).reshape(count, pixels, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        bias = self.relative_position_bias_table[
            relative_places(self.window).flatten().to(x.device)
        ]
        bias = bias.reshape(pixels, pixels, self.heads).permute(2, 0, 1)[None].to(x)
        if apart is not None:
            bias = bias + apart.repeat(count // len(apart), 1, 1, 1)
        y = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        projected: Tensor = self.proj(y.transpose(1, 2).reshape(count, pixels, channels))
        return projected


def relative_places(window: int) -> Tensor:
    """Which row of the bias table holds for a pixel and another of its window: [n, n]."""
    y, x = (torch.arange(window**2) // window, torch.arange(window**2) % window)
    rows, columns = (p[:, None] - p[None, :] + window - 1 for p in (y, x))
    return rows * (2 * window - 1) + columns


def _windows(x: Tensor, size: int) -> Tensor:
    """[B, H, W, C] → [B · windows, size², C]."""
    batch, height, width, channels = x.shape
    cut = x.reshape(batch, height // size, size, width // size, size, channels)
    return cut.transpose(2, 3).reshape(-1, size**2, channels)


def _joined(windows: Tensor, height: int, width: int, size: int) -> Tensor:
    """The inverse of `_windows`."""
    cut = windows.reshape(-1, height // size, width // size, size, size, windows.shape[-1])
    return cut.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


def _behind_group(channels: int, *, three: bool) -> nn.Module:
    if not three:
        return _convolution(channels, channels)
    narrow = channels // 4
    return nn.Sequential(
        _convolution(channels, narrow),
        nn.LeakyReLU(_THREE_SLOPE),
        nn.Conv2d(narrow, narrow, kernel_size=1),
        nn.LeakyReLU(_THREE_SLOPE),
        _convolution(narrow, channels),
    )


def _shuffles(inner: int, width: int, ups: tuple[int, ...]) -> Iterator[nn.Module]:
    for up in ups:
        yield _convolution(inner, width * up**2)
        yield nn.PixelShuffle(up)


def _convolution(before: int, behind: int) -> nn.Conv2d:
    return nn.Conv2d(before, behind, kernel_size=3, padding=1)


def _padded(x: Tensor, multiple: int) -> Tensor:
    """``x`` with sides that ``multiple`` divides, mirrored at the right and the bottom."""
    down, right = (-side % multiple for side in x.shape[-2:])
    mode = "reflect" if min(x.shape[-2:]) > max(down, right) else "replicate"
    return pad(x, (0, right, 0, down), mode=mode) if down or right else x

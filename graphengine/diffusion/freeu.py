"""FreeU: the decoder's backbone made stronger, the low frequencies of its skip connections weaker.

Si et al. 2023 (arXiv:2309.11497), after the authors' code (ChenyangSi/FreeU, MIT).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.guidance import SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.sockets import Model


@dataclass(frozen=True)
class FreeU(SamplingOption):
    """FreeU as a model's option.

    ``b1``, ``s1``: backbone and skip where the backbone is 4 times the network's base width;
    ``b2``, ``s2``: where it is twice that. ``by_mean``: version 2, where the backbone grows most
    where its mean over the channels is largest.
    """

    b1: float
    b2: float
    s1: float
    s2: float
    by_mean: bool

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Let it act before every residual block of the decoder's two stages, until left."""
        del levels, shape
        hooks = [block.register_forward_pre_hook(stage) for block, stage in self.stages(unet)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def stages(self, unet: nn.Module) -> Iterator[tuple[nn.Module, Stage]]:
        """The decoder's residual blocks that it changes, and how."""
        base = cast("Any", unet).conv_in.out_channels
        factors = {4 * base: (self.b1, self.s1), 2 * base: (self.b2, self.s2)}
        for block, width in decoder_blocks(unet):
            if width in factors:
                yield block, Stage(width, *factors[width], self.by_mean)


@dataclass(frozen=True)
class Stage:
    """A hook before a block whose input is [backbone, skip]: ``width`` channels, then the rest."""

    width: int
    backbone_scale: float
    skip_scale: float
    by_mean: bool

    def __call__(self, _block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *rest = inputs
        backbone, skip = x[:, : self.width], x[:, self.width :]
        scale = _by_mean if self.by_mean else _evenly
        half = self.width // 2
        changed = backbone[:, :half] * scale(backbone, self.backbone_scale)
        skip = scale_low_frequencies(skip, self.skip_scale)
        return torch.cat([changed, backbone[:, half:], skip], dim=1), *rest


def decoder_blocks(unet: nn.Module) -> Iterator[tuple[nn.Module, int]]:
    """Each residual block of the decoder, and how many of its input's channels are backbone."""
    network = cast("Any", unet)
    skips = [network.conv_in.out_channels]
    for level in network.down_blocks:
        skips += [block.out_channels for block in level.resnets]
        if level.downsamplers is not None:
            skips.append(skips[-1])
    for level in network.up_blocks:
        for block in level.resnets:
            yield block, block.in_channels - skips.pop()


def _evenly(_backbone: Tensor, scale: float) -> float:
    return scale


def _by_mean(backbone: Tensor, scale: float) -> Tensor:
    """[B, 1, H, W] from 1 where the mean over the channels is lowest to ``scale`` at the highest.

    An even backbone has no such places and stays as it is.
    """
    mean = backbone.mean(dim=1, keepdim=True)
    low, high = mean.amin(dim=(-2, -1), keepdim=True), mean.amax(dim=(-2, -1), keepdim=True)
    spread = (high - low).clamp(min=torch.finfo(mean.dtype).tiny)
    return 1 + (scale - 1) * ((mean - low) / spread)


def scale_low_frequencies(x: Tensor, scale: float, *, radius: int = 1) -> Tensor:
    """``x``, [B, C, H, W], with the frequencies from -radius to radius - 1 scaled, both ways."""
    frequencies = torch.fft.fft2(x.float())
    filtered = torch.ones_like(frequencies.real[0, 0])
    rows, columns = (_low(side, radius, x.device) for side in x.shape[-2:])
    filtered[rows[:, None] & columns] = scale
    result: Tensor = torch.fft.ifft2(frequencies * filtered).real.to(x.dtype)
    return result


def _low(side: int, radius: int, device: torch.device) -> Tensor:
    """Which of the frequencies of ``side`` points are low, in the transform's order: [side]."""
    steps: Tensor = torch.fft.fftfreq(side, d=1 / side, device=device).round()
    return (steps >= -radius) & (steps < radius)


def add_freeu(
    model: Model, *, b1: float, b2: float, s1: float, s2: float, by_mean: bool = False
) -> Model:
    """``model`` sampled with FreeU, or its second version."""
    return replace(model, options=(*model.options, FreeU(b1, b2, s1, s2, by_mean)))

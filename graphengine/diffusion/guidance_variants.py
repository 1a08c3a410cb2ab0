"""Other ways to use the negative prediction: CFG-Zero*, tangential damping, frequency scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphengine.diffusion.guidance import Look, SamplingOption
from graphengine.sockets import Model


@dataclass(frozen=True)
class CfgZeroStar(SamplingOption):
    """The negative prediction at the scale that brings it nearest to the positive one.

    Fan et al. 2025 (arXiv:2503.18886), eq. 7, on the noise that each prediction sees in x.
    """

    def before_guidance(self, look: Look) -> Look:
        """``uncond`` scaled by <c, u> / <u, u>."""
        if look.uncond is None:
            return look
        cond, uncond = look.x - look.cond, look.x - look.uncond
        scale = _dot(cond, uncond) / _dot(uncond, uncond).clamp(min=1e-8)
        return replace(look, uncond=look.x - uncond * scale)


@dataclass(frozen=True)
class TangentialDamping(SamplingOption):
    """The negative prediction without what is at right angles to what both have in common.

    Kwon et al. 2025 (arXiv:2503.18137), Alg. 1, on the noise that each prediction sees in x.
    """

    def before_guidance(self, look: Look) -> Look:
        """``uncond`` projected onto the first right singular vector of both."""
        if look.uncond is None:
            return look
        pair = torch.stack([look.x - look.cond, look.x - look.uncond], dim=1).flatten(2)
        _, _, directions = torch.linalg.svd(pair, full_matrices=False)
        common = directions[:, :1]
        along = (pair[:, 1:] @ common.transpose(1, 2)) @ common
        return replace(look, uncond=look.x - along.reshape(look.x.shape))


@dataclass(frozen=True)
class FrequencyScaling(SamplingOption):
    """Guidance whose coarse and fine parts have a strength each (FreSca).

    Huang et al. 2025 (arXiv:2504.02154), eq. 6. ``cutoff``: frequencies below it, in both
    directions, are coarse.
    """

    low: float
    high: float
    cutoff: int

    def before_guidance(self, look: Look) -> Look:
        """``cond`` moved so that its difference to ``uncond`` is the scaled one."""
        if look.uncond is None:
            return look
        scaled = scale_frequencies(
            look.cond - look.uncond, low=self.low, high=self.high, cutoff=self.cutoff
        )
        return replace(look, cond=look.uncond + scaled)


def scale_frequencies(x: Tensor, *, low: float, high: float, cutoff: int) -> Tensor:
    """``x``, [B, C, H, W], with its frequencies below ``cutoff`` and the others scaled."""
    spectrum = torch.fft.fft2(x)
    rows, columns = (
        (torch.fft.fftfreq(side, d=1 / side, device=x.device).round() + 0.5).abs() < cutoff
        for side in x.shape[-2:]
    )
    scales = torch.where(rows[:, None] & columns, low, high)
    scaled: Tensor = torch.fft.ifft2(spectrum * scales).real
    return scaled


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """[B, 1, 1, 1]."""
    return (a * b).sum(dim=(1, 2, 3), keepdim=True)


def add_option(model: Model, option: SamplingOption) -> Model:
    """``model`` sampled with one option more."""
    return replace(model, options=(*model.options, option))

"""Other ways to use the negative prediction: CFG-Zero*, tangential damping, frequencies, norms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphengine.diffusion.guidance import Look, SamplingOption, cfg
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


@dataclass(frozen=True)
class CfgNorm(SamplingOption):
    """The guided prediction no longer, at each place, than the positive one, then ``strength`` ×.

    Deng et al. 2025 (BAGEL, arXiv:2505.14683), the channel-wise renormalisation.
    """

    strength: float

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        """``denoised`` shortened over its channels."""
        wanted, got = (
            torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in (look.cond, denoised)
        )
        shortened: Tensor = denoised * (wanted / (got + 1e-8)).clamp(max=1.0)
        return shortened * self.strength


@dataclass(frozen=True)
class RenormCfg(SamplingOption):
    """Guidance below the noise level ``truncation`` only, its result at most so long.

    Qin et al. 2025 (Lumina-Image 2.0, arXiv:2503.21758), section 3.4. ``limit``: how many times
    as long as the positive prediction; 0 = any length.
    """

    truncation: float
    limit: float

    def combine(self, look: Look) -> Tensor | None:
        """CFG's prediction, shortened as a whole; above ``truncation`` the positive one."""
        if look.uncond is None or float(look.sigma) >= self.truncation:
            return look.cond
        guided = cfg(look.cond, look.uncond, look.scale)
        if self.limit == 0:
            return guided
        most, got = (
            torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) for x in (look.cond, guided)
        )
        shortened: Tensor = guided * (self.limit * most / got.clamp(min=1e-8)).clamp(max=1.0)
        return shortened


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

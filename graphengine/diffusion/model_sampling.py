"""Noise levels of a model and the reading of its network's output, after Karras et al. 2022.

Everything outside this module sees a model as ``(x, sigma) → denoised``. Here live the tables of
noise levels, the translation between sigma and the network's timestep, and the parametrisations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import Tensor

from graphengine.sockets import Sampling

# Stable Diffusion's training (Rombach et al. 2022, configs/stable-diffusion/v1-inference.yaml).
TRAINING_STEPS = 1000
BETA_START = 0.00085
BETA_END = 0.012
# The last cumulative product after rescaling: 0 in Lin et al. 2023, kept positive for finite sigma.
ZERO_SNR_LAST_ALPHA = 4.8973451890853435e-08
LCM_LEVELS = 50
BEFORE_EVERYTHING = 999999999.9


@dataclass(frozen=True)
class NoisePath:
    """How signal and noise are mixed at level sigma: x = alpha(sigma)·x0 + sigma·noise."""

    flow: bool = False

    def alpha(self, sigma: Tensor) -> Tensor:
        """The signal's share: 1 where only noise is added, 1 - sigma on a straight path."""
        return 1 - sigma if self.flow else torch.ones_like(sigma)

    def log_snr(self, sigma: Tensor) -> Tensor:
        """lambda = log(alpha / sigma), half the log of the signal-to-noise ratio."""
        return sigma.logit().neg() if self.flow else sigma.log().neg()

    def sigma_of(self, log_snr: Tensor) -> Tensor:
        """The level at which ``log_snr`` holds; the inverse of the above."""
        return log_snr.neg().sigmoid() if self.flow else log_snr.neg().exp()


@dataclass(frozen=True, eq=False)
class ModelSampling:
    """One model's noise levels and parametrisation.

    ``table``: [N] float32 on the CPU, ascending: the levels that schedules pick from.
    """

    sampling: Sampling
    table: Tensor
    _timesteps: _Timesteps
    _log_table: Tensor = field(repr=False)

    @property
    def sigma_min(self) -> float:
        return float(self.table[0])

    @property
    def sigma_max(self) -> float:
        return float(self.table[-1])

    @property
    def path(self) -> NoisePath:
        return NoisePath(flow=self.sampling.prediction == "flow")

    def timestep(self, sigma: Tensor) -> Tensor:
        """What the network is told for ``sigma``: same shape, float32."""
        return self._timesteps.of_sigma(self, sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level of a (possibly fractional) timestep: same shape, float32."""
        return self._timesteps.to_sigma(self, timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """The level at which ``percent`` (0..1) of the denoising is done."""
        if percent <= 0.0:
            return BEFORE_EVERYTHING if not self.path.flow else 1.0
        if percent >= 1.0:
            return 0.0
        return self._timesteps.of_percent(self, percent)

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """``x`` as the network wants it: [B, C, H, W], scaled to about unit variance."""
        return _PARAMETRISATIONS[self.sampling.prediction].scale_input(x, sigma)

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the network's ``output`` at (``x``, ``sigma``) means."""
        return _PARAMETRISATIONS[self.sampling.prediction].denoised(self, x, output, sigma)

    def add_noise(
        self, latent: Tensor, noise: Tensor, sigma: Tensor, *, from_the_top: bool = False
    ) -> Tensor:
        """``latent`` under ``noise`` of level ``sigma``.

        ``from_the_top``: the noise gets the variance that training saw there, 1 + sigma².
        """
        if self.path.flow:
            return sigma * noise + (1 - sigma) * latent
        if from_the_top:
            return noise * torch.sqrt(1.0 + sigma**2) + latent
        return noise * sigma + latent

    def remove_scale(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The latent to hand out after a sampling that stopped at ``sigma``."""
        return x / (1 - sigma) if self.path.flow else x

    def is_max(self, sigma: float) -> bool:
        """Whether ``sigma`` is the model's highest level, within 1e-5."""
        return sigma > self.sigma_max or math.isclose(sigma, self.sigma_max, rel_tol=1e-5)


@lru_cache(maxsize=32)
def model_sampling(sampling: Sampling) -> ModelSampling:
    """The noise levels and parametrisation that ``sampling`` describes."""
    if sampling.own is not None:
        own: ModelSampling = sampling.own
        return own
    levels, timesteps = _levels(sampling)
    return ModelSampling(sampling, levels.float(), timesteps, levels.log().float())


# --- noise levels ---


def _levels(sampling: Sampling) -> tuple[Tensor, _Timesteps]:
    """The table of levels, in the precision in which their logs are taken, and their numbering.

    A level between two entries lies on the line between their logs. One unit in its last place is
    enough for another Brownian path, so it matters that SD's logs are those of float64 levels.
    """
    if sampling.levels == "discrete":
        return _discrete_table(sampling), _DISCRETE
    if sampling.levels == "lcm":
        stride = TRAINING_STEPS // LCM_LEVELS
        return _discrete_table(sampling)[stride - 1 :: stride].float(), _LCM
    if sampling.levels == "flow":
        return _flow_table(sampling.shift), _FLOW
    low, high = _continuous_range(sampling)
    table = torch.linspace(math.log(low), math.log(high), TRAINING_STEPS).exp()
    return table, _ATAN if sampling.levels == "continuous_v" else _QUARTER_LOG


def _discrete_table(sampling: Sampling) -> Tensor:
    """The 1000 levels of Stable Diffusion's scaled-linear betas: [1000] float64, ascending."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TRAINING_STEPS, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1.0 - betas, dim=0)
    if sampling.zero_terminal_snr:
        alphas = zero_terminal_snr(alphas)
    return torch.sqrt((1 - alphas) / alphas)


def zero_terminal_snr(alphas: Tensor) -> Tensor:
    """Cumulative products rescaled to end at (nearly) pure noise: Lin et al. 2023, Alg. 1."""
    roots = alphas.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    rescaled = ((roots - last) * (first / (first - last))) ** 2
    rescaled[-1] = ZERO_SNR_LAST_ALPHA
    return rescaled


def _flow_table(shift: float) -> Tensor:
    times = torch.arange(1, TRAINING_STEPS + 1, dtype=torch.float32) / TRAINING_STEPS
    return _shifted(times, shift)


def _shifted(time: Tensor, shift: float) -> Tensor:
    """Time moved towards the noisy end: Esser et al. 2024 (arXiv:2403.03206), eq. 23."""
    return shift * time / (1 + (shift - 1) * time)


def _continuous_range(sampling: Sampling) -> tuple[float, float]:
    low = 0.002 if sampling.sigma_min is None else sampling.sigma_min
    high = 120.0 if sampling.sigma_max is None else sampling.sigma_max
    return low, high


@dataclass(frozen=True)
class _Timesteps:
    """One convention of numbering noise levels."""

    of_sigma: Callable[[ModelSampling, Tensor], Tensor]
    to_sigma: Callable[[ModelSampling, Tensor], Tensor]
    of_percent: Callable[[ModelSampling, float], float]


def _nearest(levels: ModelSampling, sigma: Tensor) -> Tensor:
    """The index of the nearest table entry in log space, float32."""
    log_table = levels._log_table.to(sigma.device)
    distances = sigma.log() - log_table.reshape(-1, *[1] * sigma.ndim)
    return distances.abs().argmin(dim=0).to(torch.float32)


def _interpolated(levels: ModelSampling, index: Tensor) -> Tensor:
    """The level at a fractional table index, linear in log sigma."""
    log_table = levels._log_table.to(index.device)
    index = index.float().clamp(min=0, max=len(log_table) - 1)
    low, high, fraction = index.floor().long(), index.ceil().long(), index.frac()
    return ((1 - fraction) * log_table[low] + fraction * log_table[high]).exp()


def _discrete_percent(levels: ModelSampling, percent: float) -> float:
    return float(levels.sigma(torch.tensor((1.0 - percent) * (TRAINING_STEPS - 1))))


def _log_percent(levels: ModelSampling, percent: float) -> float:
    low, high = math.log(levels.sigma_min), math.log(levels.sigma_max)
    return math.exp((1.0 - percent) * (high - low) + low)


def _flow_percent(levels: ModelSampling, percent: float) -> float:
    return float(_shifted(torch.tensor(1.0 - percent), levels.sampling.shift))


_STRIDE = TRAINING_STEPS // LCM_LEVELS
_DISCRETE = _Timesteps(_nearest, _interpolated, _discrete_percent)
_LCM = _Timesteps(
    lambda levels, sigma: _nearest(levels, sigma) * _STRIDE + (_STRIDE - 1),
    lambda levels, t: _interpolated(levels, (t.float() - (_STRIDE - 1)) / _STRIDE),
    _discrete_percent,
)
# Karras et al. 2022, Table 1: c_noise = ln(sigma) / 4.
_QUARTER_LOG = _Timesteps(
    lambda _, sigma: 0.25 * sigma.log(), lambda _, t: (t / 0.25).exp(), _log_percent
)
_ATAN = _Timesteps(
    lambda _, sigma: sigma.atan() / math.pi * 2,
    lambda _, t: (t * math.pi / 2).tan(),
    _log_percent,
)
_FLOW = _Timesteps(
    lambda _, sigma: sigma * TRAINING_STEPS,
    lambda levels, t: _shifted(t / TRAINING_STEPS, levels.sampling.shift),
    _flow_percent,
)


# --- parametrisations ---


@dataclass(frozen=True)
class _Parametrisation:
    scale_input: Callable[[Tensor, Tensor], Tensor]
    denoised: Callable[[ModelSampling, Tensor, Tensor, Tensor], Tensor]


def _unit_variance(x: Tensor, sigma: Tensor, sigma_data: float = 1.0) -> Tensor:
    """c_in of Karras et al. 2022, Table 1."""
    return x / (sigma**2 + sigma_data**2) ** 0.5


def _from_eps(_: ModelSampling, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    return x - output * sigma


def _from_v(_: ModelSampling, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    """Salimans & Ho 2022 (arXiv:2202.00512), appendix D, in sigma."""
    return x / (sigma**2 + 1.0) - output * sigma / (sigma**2 + 1.0) ** 0.5


def _from_x0(_: ModelSampling, _x: Tensor, output: Tensor, _sigma: Tensor) -> Tensor:
    return output


def _from_lcm(levels: ModelSampling, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    """Boundary condition of consistency models: Luo et al. 2023 (arXiv:2310.04378)."""
    scaled = levels.timestep(sigma) * 10.0
    skip = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
    out = scaled / (scaled**2 + LCM_SIGMA_DATA**2) ** 0.5
    return out * (x - sigma * output) + skip * x


def _from_edm(_: ModelSampling, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    """c_skip and c_out of Karras et al. 2022, Table 1."""
    total = sigma**2 + EDM_SIGMA_DATA**2
    return x * EDM_SIGMA_DATA**2 / total + output * sigma * EDM_SIGMA_DATA / total**0.5


LCM_SIGMA_DATA = 0.5
EDM_SIGMA_DATA = 0.5
_PARAMETRISATIONS: Mapping[str, _Parametrisation] = MappingProxyType(
    {
        "eps": _Parametrisation(_unit_variance, _from_eps),
        "v": _Parametrisation(_unit_variance, _from_v),
        "x0": _Parametrisation(_unit_variance, _from_x0),
        "lcm": _Parametrisation(_unit_variance, _from_lcm),
        "edm": _Parametrisation(
            lambda x, sigma: _unit_variance(x, sigma, EDM_SIGMA_DATA), _from_edm
        ),
        "edm_playground": _Parametrisation(
            lambda x, sigma: _unit_variance(x, sigma, EDM_SIGMA_DATA), _from_edm
        ),
        "img_to_img": _Parametrisation(lambda x, _: x, _from_x0),
        "flow": _Parametrisation(lambda x, _: x, _from_eps),
    }
)

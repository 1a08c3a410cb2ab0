"""ComfyUI's ``comfy.k_diffusion.sampling``: our methods as functions, and what they are made of.

``sample_NAME(model, x, sigmas, extra_args, callback, disable, **options)`` is there for each of
our methods; what a plugin sets here beside them is found by its name too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from graphengine.comfy.host.sampler_methods import NamedMethod
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy.k_diffusion import utils
from graphengine.comfy.modules.comfy.k_diffusion.utils import append_zero
from graphengine.diffusion import schedules
from graphengine.diffusion.noise import SamplerNoise
from graphengine.diffusion.samplers import ALL_SAMPLERS

__all__ = ["append_zero", "utils"]
globals().update({f"sample_{name}": NamedMethod(name) for name in ALL_SAMPLERS})


def get_sigmas_karras(
    n: int, sigma_min: float, sigma_max: float, rho: float = 7.0, device: Any = "cpu"
) -> Any:
    """Karras et al. 2022, eq. 5."""
    return schedules.karras_sigmas(n, sigma_min, sigma_max, rho=rho).to(device)


def get_sigmas_exponential(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu") -> Any:
    """Evenly spaced in log sigma."""
    return schedules.exponential_sigmas(n, sigma_min, sigma_max).to(device)


def get_sigmas_polyexponential(
    n: int, sigma_min: float, sigma_max: float, rho: float = 1.0, device: Any = "cpu"
) -> Any:
    """A power of what is evenly spaced in log sigma."""
    return schedules.polyexponential_sigmas(n, sigma_min, sigma_max, rho=rho).to(device)


def get_sigmas_vp(
    n: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3, device: Any = "cpu"
) -> Any:
    """The variance-preserving schedule."""
    return schedules.vp_sigmas(n, beta_d=beta_d, beta_min=beta_min, eps_s=eps_s).to(device)


def to_d(x: Any, sigma: Any, denoised: Any) -> Any:
    """dx/dsigma: Karras et al. 2022, eq. 3."""
    return (x - denoised) / utils.append_dims(torch.as_tensor(sigma), x.ndim)


def get_ancestral_step(sigma_from: Any, sigma_to: Any, eta: float = 1.0) -> tuple[Any, Any]:
    """How far to step down and how much fresh noise to add."""
    from graphengine.diffusion.samplers.steps import ancestral_split

    return ancestral_split(torch.as_tensor(sigma_from), torch.as_tensor(sigma_to), eta)


def default_noise_sampler(x: Any, seed: int | None = None) -> Callable[[Any, Any], Any]:
    """Fresh noise at each call: (sigma, sigma_next) → like x."""
    if seed is not None:
        return SamplerNoise(seed).independent(x)
    return lambda _sigma, _sigma_next: torch.randn_like(x)


class BrownianTreeNoiseSampler:
    """Noise of one path, so that step sizes share it: (sigma, sigma_next) → like x."""

    def __init__(
        self,
        x: Any,
        sigma_min: float,
        sigma_max: float,
        seed: Any = None,
        transform: Any = None,
        cpu: bool = False,
    ) -> None:
        del transform
        limits = torch.tensor([float(sigma_min), float(sigma_max)])
        first = seed[0] if isinstance(seed, list | tuple) else seed
        drawn = int(torch.randint(2**63 - 1, ())) if first is None else int(first)
        self._draw = SamplerNoise(drawn).brownian(x, limits, on_device=not cpu)

    def __call__(self, sigma: Any, sigma_next: Any) -> Any:
        level, following = (torch.as_tensor(each).detach().cpu() for each in (sigma, sigma_next))
        return self._draw(level, following)


def trange(*args: int, disable: Any = None, **kwargs: Any) -> Iterable[int]:
    """A range: clients are told of progress in another way."""
    del disable, kwargs
    return range(*args)


def __getattr__(name: str) -> Any:
    return missing("comfy.k_diffusion.sampling", name)

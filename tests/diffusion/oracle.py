"""diffusers' schedulers as an independent implementation of some samplers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from graphengine.diffusion.noise import SamplerNoise, StepNoise
from graphengine.diffusion.samplers.unipc import LAST_SIGMA

Denoise = Callable[[Tensor, Tensor], Tensor]
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
MULTISTEP = {"solver_order": 2, "final_sigmas_type": "zero"}


@dataclass(frozen=True)
class Oracle:
    """A scheduler of diffusers and its options; ``vp``: it works on x / sqrt(1 + sigma²)."""

    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)
    vp: bool = False


# With Karras' levels, which both sides compute alike.
ORACLES: Mapping[str, Oracle] = {
    "euler": Oracle("EulerDiscreteScheduler"),
    "heun": Oracle("HeunDiscreteScheduler"),
    "dpm_2": Oracle("KDPM2DiscreteScheduler"),
    "lms": Oracle("LMSDiscreteScheduler"),
    "dpmpp_2m": Oracle("DPMSolverMultistepScheduler", MULTISTEP, vp=True),
    "dpmpp_2m_sde": Oracle(
        "DPMSolverMultistepScheduler",
        MULTISTEP | {"algorithm_type": "sde-dpmsolver++"},
        vp=True,
    ),
    "res_multistep": Oracle(
        "DPMSolverMultistepScheduler", MULTISTEP | {"solver_type": "heun"}, vp=True
    ),
    "uni_pc": Oracle("UniPCMultistepScheduler", {"solver_order": 3, "solver_type": "bh1"}, vp=True),
    "uni_pc_bh2": Oracle(
        "UniPCMultistepScheduler", {"solver_order": 3, "solver_type": "bh2"}, vp=True
    ),
}


class ListedNoise(SamplerNoise):
    """The same draws for both sides, one after the other."""

    def brownian(self, x: Tensor, sigmas: Tensor, *, on_device: bool = False) -> StepNoise:
        """Independent draws where the sampler would follow a Brownian path."""
        return self.independent(x)


def by_diffusers(
    name: str,
    denoise: Denoise,
    x: Tensor,
    steps: int,
    seed: int,
    *,
    sigmas: Tensor | None = None,
) -> Tensor:
    """Where diffusers' scheduler for a sampler ends from ``x`` over Karras' levels, or these."""
    import diffusers

    oracle = ORACLES[name]
    scheduler = getattr(diffusers, oracle.scheduler)(
        **BETAS, use_karras_sigmas=True, **oracle.options
    )
    scheduler.set_timesteps(steps)
    if sigmas is not None:
        scheduler.sigmas = sigmas.clone()
    if name.startswith("uni_pc"):
        scheduler.sigmas[-1] = LAST_SIGMA
    noises = _noises(x, seed)
    if oracle.vp:
        x = x / (1 + float(scheduler.sigmas[0]) ** 2) ** 0.5
    for t in scheduler.timesteps:
        x_sigma, sigma = _at(scheduler, x, t, vp=oracle.vp)
        eps = (x_sigma - denoise(x_sigma, sigma)) / sigma
        more: dict[str, Any] = {}
        if name == "dpmpp_2m_sde":
            more = {"variance_noise": next(noises)}
        elif name == "lms":  # our last step returns the denoised latent: order 1
            more = {"order": 1 if t == scheduler.timesteps[-1] else 4}
        x = scheduler.step(eps, t, x, **more).prev_sample
    return x


def _at(scheduler: Any, x: Tensor, t: Tensor, *, vp: bool) -> tuple[Tensor, Tensor]:
    """x as the ordinary model of noise sees it, and its level."""
    scheduler.scale_model_input(x, t)
    if scheduler.step_index is None:
        scheduler._init_step_index(t)
    inner = getattr(scheduler, "state_in_first_order", True) is False
    levels = scheduler.sigmas_interpol if inner and hasattr(scheduler, "sigmas_interpol") else None
    sigma = (scheduler.sigmas if levels is None else levels)[scheduler.step_index]
    return (x * (1 + sigma**2) ** 0.5 if vp else x), sigma


def _noises(x: Tensor, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(x.size(), generator=generator)

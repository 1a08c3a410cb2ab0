"""The sampling methods by name.

``SAMPLERS[name](run, x, sigmas, **options)``; see ``samplers.steps`` for the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from graphengine.diffusion.samplers.consistency import ddpm, lcm
from graphengine.diffusion.samplers.dpmpp import (
    dpmpp_2m,
    dpmpp_2m_cfg_pp,
    dpmpp_2s_ancestral,
    dpmpp_2s_ancestral_cfg_pp,
)
from graphengine.diffusion.samplers.euler import (
    euler,
    euler_ancestral,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
)
from graphengine.diffusion.samplers.multistep import ipndm, lms
from graphengine.diffusion.samplers.second_order import dpm_2, dpm_2_ancestral, heun, heunpp2
from graphengine.diffusion.samplers.steps import Run, SamplerFunction, Step

SAMPLERS: Mapping[str, SamplerFunction] = MappingProxyType(
    {
        "euler": euler,
        "euler_cfg_pp": euler_cfg_pp,
        "euler_ancestral": euler_ancestral,
        "euler_ancestral_cfg_pp": euler_ancestral_cfg_pp,
        "heun": heun,
        "heunpp2": heunpp2,
        "dpm_2": dpm_2,
        "dpm_2_ancestral": dpm_2_ancestral,
        "lms": lms,
        "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
        "dpmpp_2s_ancestral_cfg_pp": dpmpp_2s_ancestral_cfg_pp,
        "dpmpp_2m": dpmpp_2m,
        "dpmpp_2m_cfg_pp": dpmpp_2m_cfg_pp,
        "ddpm": ddpm,
        "lcm": lcm,
        "ipndm": ipndm,
        "ddim": euler,
    }
)

__all__ = ["SAMPLERS", "Run", "SamplerFunction", "Step"]

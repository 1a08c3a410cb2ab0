"""The sampling methods by name.

``SAMPLERS[name](run, x, sigmas, **options)``; see ``samplers.steps`` for the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from graphengine.diffusion.samplers.consistency import ddpm, lcm, lcm_upscale
from graphengine.diffusion.samplers.deis import deis
from graphengine.diffusion.samplers.dpm_solver import dpm_adaptive, dpm_fast
from graphengine.diffusion.samplers.dpmpp import (
    dpmpp_2m,
    dpmpp_2m_cfg_pp,
    dpmpp_2s_ancestral,
    dpmpp_2s_ancestral_cfg_pp,
)
from graphengine.diffusion.samplers.dpmpp_sde import (
    dpmpp_2m_sde,
    dpmpp_2m_sde_heun,
    dpmpp_3m_sde,
    dpmpp_sde,
)
from graphengine.diffusion.samplers.er_sde import er_sde
from graphengine.diffusion.samplers.euler import (
    euler,
    euler_ancestral,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
)
from graphengine.diffusion.samplers.gradient_estimation import (
    gradient_estimation,
    gradient_estimation_cfg_pp,
)
from graphengine.diffusion.samplers.multistep import ipndm, ipndm_v, lms
from graphengine.diffusion.samplers.res_multistep import (
    res_multistep,
    res_multistep_ancestral,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from graphengine.diffusion.samplers.sa_solver import sa_solver, sa_solver_pece
from graphengine.diffusion.samplers.second_order import dpm_2, dpm_2_ancestral, heun, heunpp2
from graphengine.diffusion.samplers.seeds import seeds_2, seeds_3
from graphengine.diffusion.samplers.steps import Run, SamplerFunction, Step
from graphengine.diffusion.samplers.unipc import uni_pc, uni_pc_bh2

# Names and order are the field's. "_gpu": the Brownian path is drawn on x's device.
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
        "dpm_fast": dpm_fast,
        "dpm_adaptive": dpm_adaptive,
        "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
        "dpmpp_2s_ancestral_cfg_pp": dpmpp_2s_ancestral_cfg_pp,
        "dpmpp_sde": dpmpp_sde,
        "dpmpp_sde_gpu": partial(dpmpp_sde, noise_on_device=True),
        "dpmpp_2m": dpmpp_2m,
        "dpmpp_2m_cfg_pp": dpmpp_2m_cfg_pp,
        "dpmpp_2m_sde": dpmpp_2m_sde,
        "dpmpp_2m_sde_gpu": partial(dpmpp_2m_sde, noise_on_device=True),
        "dpmpp_2m_sde_heun": dpmpp_2m_sde_heun,
        "dpmpp_2m_sde_heun_gpu": partial(dpmpp_2m_sde_heun, noise_on_device=True),
        "dpmpp_3m_sde": dpmpp_3m_sde,
        "dpmpp_3m_sde_gpu": partial(dpmpp_3m_sde, noise_on_device=True),
        "ddpm": ddpm,
        "lcm": lcm,
        "ipndm": ipndm,
        "ipndm_v": ipndm_v,
        "deis": deis,
        "res_multistep": res_multistep,
        "res_multistep_cfg_pp": res_multistep_cfg_pp,
        "res_multistep_ancestral": res_multistep_ancestral,
        "res_multistep_ancestral_cfg_pp": res_multistep_ancestral_cfg_pp,
        "gradient_estimation": gradient_estimation,
        "gradient_estimation_cfg_pp": gradient_estimation_cfg_pp,
        "er_sde": er_sde,
        "seeds_2": seeds_2,
        "seeds_3": seeds_3,
        "sa_solver": sa_solver,
        "sa_solver_pece": sa_solver_pece,
        # Eta 0 of DDIM is Euler's step in sigma; inpainting treats them differently.
        "ddim": euler,
        "uni_pc": uni_pc,
        "uni_pc_bh2": uni_pc_bh2,
    }
)

# Beside those that are chosen by name, what only a node of its own makes.
ALL_SAMPLERS: Mapping[str, SamplerFunction] = MappingProxyType(
    {**SAMPLERS, "lcm_upscale": lcm_upscale}
)

__all__ = ["ALL_SAMPLERS", "SAMPLERS", "Run", "SamplerFunction", "Step"]

"""Samplers that add fresh noise each step, with their options."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Float, Sampler, node

CATEGORY = "sampling/custom_sampling/samplers"


@node("SamplerEulerAncestral", title="SamplerEulerAncestral", category=CATEGORY)
def euler_ancestral(
    *,
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
) -> Sampler:
    """Euler steps with fresh noise in each."""
    return Sampler("euler_ancestral", (("eta", eta), ("s_noise", s_noise)))


@node("SamplerEulerAncestralCFGPP", title="SamplerEulerAncestralCFG++", category=CATEGORY)
def euler_ancestral_cfg_pp(
    *,
    eta: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
) -> Sampler:
    """Euler steps with fresh noise, guided by CFG++; use a CFG scale of 1 to 2."""
    return Sampler("euler_ancestral_cfg_pp", (("eta", eta), ("s_noise", s_noise)))


@node("SamplerDPMPP_2S_Ancestral", title="SamplerDPMPP_2S_Ancestral", category=CATEGORY)
def dpmpp_2s_ancestral(
    *,
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
) -> Sampler:
    """DPM-Solver++ in single steps of second order with fresh noise."""
    return Sampler("dpmpp_2s_ancestral", (("eta", eta), ("s_noise", s_noise)))


@node("SamplerDPMPP_SDE", title="SamplerDPMPP_SDE", category=CATEGORY)
def dpmpp_sde(
    *,
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
    r: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="Where in the step to look again.")
    ] = 0.5,
    noise_device: Annotated[
        Literal["gpu", "cpu"],
        Choice(help="Where the noise is drawn; only cpu gives every machine the same."),
    ] = "gpu",
) -> Sampler:
    """Stochastic DPM-Solver++ that looks twice a step."""
    name = _on(noise_device, "dpmpp_sde")
    return Sampler(name, (("eta", eta), ("s_noise", s_noise), ("r", r)))


@node("SamplerDPMPP_2M_SDE", title="SamplerDPMPP_2M_SDE", category=CATEGORY)
def dpmpp_2m_sde(
    *,
    solver_type: Annotated[
        Literal["midpoint", "heun"], Choice(help="How the second order is weighed.")
    ] = "midpoint",
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
    noise_device: Annotated[
        Literal["gpu", "cpu"],
        Choice(help="Where the noise is drawn; only cpu gives every machine the same."),
    ] = "gpu",
) -> Sampler:
    """Stochastic DPM-Solver++ of second order."""
    name = _on(noise_device, "dpmpp_2m_sde")
    return Sampler(name, (("solver_type", solver_type), ("eta", eta), ("s_noise", s_noise)))


@node("SamplerDPMPP_3M_SDE", title="SamplerDPMPP_3M_SDE", category=CATEGORY)
def dpmpp_3m_sde(
    *,
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
    noise_device: Annotated[
        Literal["gpu", "cpu"],
        Choice(help="Where the noise is drawn; only cpu gives every machine the same."),
    ] = "gpu",
) -> Sampler:
    """Stochastic DPM-Solver++ of third order."""
    name = _on(noise_device, "dpmpp_3m_sde")
    return Sampler(name, (("eta", eta), ("s_noise", s_noise)))


def _on(device: str, name: str) -> str:
    return f"{name}_gpu" if device == "gpu" else name

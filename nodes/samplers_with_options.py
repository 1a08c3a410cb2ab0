"""Samplers with options of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Bool, Choice, Float, Help, Int, Model, Sampler, node

CATEGORY = "sampling/custom_sampling/samplers"


@node("SamplerLMS", title="SamplerLMS", category=CATEGORY)
def lms(
    *,
    order: Annotated[int, Int(ge=1, le=100, help="How many earlier steps to use.")] = 4,
) -> Sampler:
    """Linear multistep: reuses the directions of earlier steps."""
    return Sampler("lms", (("order", order),))


@node("SamplerDPMAdaptative", title="SamplerDPMAdaptative", category=CATEGORY)
def dpm_adaptive(
    *,
    order: Annotated[int, Int(ge=2, le=3, help="3 looks more often and steps farther.")] = 3,
    rtol: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="The relative error to allow.")
    ] = 0.05,
    atol: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="The absolute error to allow.")
    ] = 0.0078,
    h_init: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="The first step, in log sigma.")
    ] = 0.05,
    pcoeff: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="Step control: the proportional part.")
    ] = 0.0,
    icoeff: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="Step control: the integral part.")
    ] = 1.0,
    dcoeff: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="Step control: the differential part.")
    ] = 0.0,
    accept_safety: Annotated[
        float,
        Float(
            ge=0.0,
            le=100.0,
            step=0.01,
            help="Repeat a step that should have been smaller than this share of itself.",
        ),
    ] = 0.81,
    eta: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 0.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
) -> Sampler:
    """DPM-Solver that chooses its steps by their error; the number of steps has no effect."""
    options = {
        "order": order,
        "rtol": rtol,
        "atol": atol,
        "h_init": h_init,
        "pcoeff": pcoeff,
        "icoeff": icoeff,
        "dcoeff": dcoeff,
        "accept_safety": accept_safety,
        "eta": eta,
        "s_noise": s_noise,
    }
    return Sampler("dpm_adaptive", tuple(options.items()))


@node("SamplerER_SDE", title="SamplerER_SDE", category=CATEGORY)
def er_sde(
    *,
    solver_type: Annotated[
        Literal["ER-SDE", "Reverse-time SDE", "ODE"],
        Choice(help="How noise is scaled along the way; ODE adds none."),
    ] = "ER-SDE",
    max_stage: Annotated[int, Int(ge=1, le=3, help="The highest order.")] = 3,
    eta: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.01, help="How much fresh noise, for Reverse-time SDE."),
    ] = 1.0,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
) -> Sampler:
    """Extended reverse-time SDE of up to third order."""
    options = (
        ("solver_type", solver_type),
        ("max_stage", max_stage),
        ("eta", eta),
        ("s_noise", s_noise),
    )
    return Sampler("er_sde", options)


@node("SamplerSASolver", title="SamplerSASolver", category=CATEGORY)
def sa_solver(
    *,
    model: Annotated[Model, Help("The model; its own noise levels are used when sampling.")],
    eta: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="How much fresh noise: 0 = none, 1 = full.")
    ] = 1.0,
    sde_start_percent: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.001, help="Add noise from this part of the run on.")
    ] = 0.2,
    sde_end_percent: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.001, help="Add noise up to this part of the run.")
    ] = 0.8,
    s_noise: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the fresh noise.")
    ] = 1.0,
    predictor_order: Annotated[int, Int(ge=1, le=6, help="Earlier steps to predict from.")] = 3,
    corrector_order: Annotated[int, Int(ge=0, le=6, help="Steps to correct from; 0 = none.")] = 4,
    use_pece: Annotated[bool, Bool(help="Look again after each correction.")] = False,
    simple_order_2: Annotated[bool, Bool(help="Simpler weights at second order.")] = False,
) -> Sampler:
    """SA-Solver: predicts and corrects, with noise in a part of the run."""
    del model
    options = {
        "eta": eta,
        "sde_start_percent": sde_start_percent,
        "sde_end_percent": sde_end_percent,
        "s_noise": s_noise,
        "predictor_order": predictor_order,
        "corrector_order": corrector_order,
        "use_pece": use_pece,
        "simple_order_2": simple_order_2,
    }
    return Sampler("sa_solver", tuple(options.items()))


@node("SamplerLCMUpscale", category=CATEGORY, search=("lcm", "hires fix"))
def lcm_upscale(
    *,
    scale_ratio: Annotated[
        float, Float(ge=0.1, le=20.0, step=0.01, help="How many times as large the result is.")
    ] = 1.0,
    scale_steps: Annotated[
        int, Int(ge=-1, le=1000, help="Behind how many steps it grows; -1 = half of them.")
    ] = -1,
    upscale_method: Annotated[
        Literal["bislerp", "nearest-exact", "bilinear", "area", "bicubic"],
        Choice(help="How the latent is enlarged."),
    ] = "bislerp",
) -> Sampler:
    """LCM that enlarges the latent while it samples; for whole pictures, without masks."""
    options = {
        "scale_ratio": scale_ratio,
        "scale_steps": scale_steps,
        "upscale_method": upscale_method,
    }
    return Sampler("lcm_upscale", tuple(options.items()))

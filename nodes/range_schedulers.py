"""Noise levels over a range that is given by hand."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Int, Sigmas, node

CATEGORY = "sampling/custom_sampling/schedulers"
# The range of Stable Diffusion 1.x, 2.x and SDXL.
SIGMA_MAX, SIGMA_MIN = 14.614642, 0.0291675


@node("KarrasScheduler", title="KarrasScheduler", category=CATEGORY)
def karras_scheduler(
    *,
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    sigma_max: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The first noise level.")
    ] = SIGMA_MAX,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The last noise level before 0.")
    ] = SIGMA_MIN,
    rho: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="Higher: more steps at little noise.")
    ] = 7.0,
) -> Sigmas:
    """Noise levels after Karras et al.: finer towards the end."""
    from graphengine.diffusion.schedules import karras_sigmas

    return Sigmas(karras_sigmas(steps, sigma_min, sigma_max, rho=rho))


@node("ExponentialScheduler", title="ExponentialScheduler", category=CATEGORY)
def exponential_scheduler(
    *,
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    sigma_max: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The first noise level.")
    ] = SIGMA_MAX,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The last noise level before 0.")
    ] = SIGMA_MIN,
) -> Sigmas:
    """Noise levels that fall by the same factor each step."""
    from graphengine.diffusion.schedules import exponential_sigmas

    return Sigmas(exponential_sigmas(steps, sigma_min, sigma_max))


@node("PolyexponentialScheduler", title="PolyexponentialScheduler", category=CATEGORY)
def polyexponential_scheduler(
    *,
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    sigma_max: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The first noise level.")
    ] = SIGMA_MAX,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The last noise level before 0.")
    ] = SIGMA_MIN,
    rho: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.01, help="1 is exponential; higher: finer at the end."),
    ] = 1.0,
) -> Sigmas:
    """Noise levels that fall by a factor which changes along the way."""
    from graphengine.diffusion.schedules import polyexponential_sigmas

    return Sigmas(polyexponential_sigmas(steps, sigma_min, sigma_max, rho=rho))


@node("LaplaceScheduler", title="LaplaceScheduler", category=CATEGORY)
def laplace_scheduler(
    *,
    steps: Annotated[int, Int(ge=1, le=10000, help="How many noise levels.")] = 20,
    sigma_max: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="No level above this.")
    ] = SIGMA_MAX,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="No level below this.")
    ] = SIGMA_MIN,
    mu: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.1, help="Where the levels crowd, as log sigma.")
    ] = 0.0,
    beta: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.1, help="How widely they spread around it.")
    ] = 0.5,
) -> Sigmas:
    """Noise levels that crowd around the middle (Laplace distribution)."""
    from graphengine.diffusion.schedules import laplace_sigmas

    return Sigmas(laplace_sigmas(steps, sigma_min, sigma_max, mu=mu, beta=beta))


@node("VPScheduler", title="VPScheduler", category=CATEGORY)
def vp_scheduler(
    *,
    steps: Annotated[int, Int(ge=1, le=10000, help="How often noise is removed.")] = 20,
    beta_d: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="How fast the noise rate grows.")
    ] = 19.9,
    beta_min: Annotated[
        float, Float(ge=0.0, le=5000.0, step=0.01, help="The noise rate at the beginning.")
    ] = 0.1,
    eps_s: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.0001, help="The smallest time, above 0.")
    ] = 0.001,
) -> Sigmas:
    """Noise levels of the continuous variance-preserving process."""
    from graphengine.diffusion.schedules import vp_sigmas

    return Sigmas(vp_sigmas(steps, beta_d=beta_d, beta_min=beta_min, eps_s=eps_s))

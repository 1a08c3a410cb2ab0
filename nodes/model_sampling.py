"""How a model's output is read and which noise levels it knows."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Bool, Choice, Float, Help, Model, node


@node(
    "ModelSamplingDiscrete",
    title="ModelSamplingDiscrete",
    category="advanced/model",
    search=("lcm", "v prediction", "zsnr"),
)
def model_sampling_discrete(
    *,
    model: Annotated[Model, Help("The model to sample otherwise.")],
    sampling: Annotated[
        Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"],
        Choice(help="What the model was trained to predict; lcm for LCM models and LCM LoRAs."),
    ] = "eps",
    zsnr: Annotated[
        bool, Bool(help="For models trained down to pure noise (zero terminal SNR).")
    ] = False,
) -> Model:
    """Say what a model with 1000 noise levels predicts: noise, v, or in LCM's few steps."""
    from graphengine.diffusion.sampling_mode import discrete

    return discrete(model, sampling, zero_terminal_snr=zsnr)


@node(
    "ModelSamplingContinuousEDM",
    title="ModelSamplingContinuousEDM",
    category="advanced/model",
    search=("edm",),
)
def model_sampling_continuous_edm(
    *,
    model: Annotated[Model, Help("The model to sample otherwise.")],
    sampling: Annotated[
        Literal["v_prediction", "edm", "edm_playground_v2.5", "eps"],
        Choice(help="What the model was trained to predict; edm_playground_v2.5 for that model."),
    ] = "v_prediction",
    sigma_max: Annotated[
        float, Float(ge=0.0, le=1000.0, step=0.001, help="The highest noise level.")
    ] = 120.0,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=1000.0, step=0.001, help="The lowest noise level.")
    ] = 0.002,
) -> Model:
    """Sample a model that knows any noise level in a range (EDM)."""
    from graphengine.diffusion.sampling_mode import continuous

    return continuous(model, sampling, sigma_min=sigma_min, sigma_max=sigma_max)


@node(
    "ModelSamplingContinuousV",
    title="ModelSamplingContinuousV",
    category="advanced/model",
    search=("v prediction",),
)
def model_sampling_continuous_v(
    *,
    model: Annotated[Model, Help("The model to sample otherwise.")],
    sampling: Annotated[
        Literal["v_prediction"], Choice(help="What the model was trained to predict.")
    ] = "v_prediction",
    sigma_max: Annotated[
        float, Float(ge=0.0, le=1000.0, step=0.001, help="The highest noise level.")
    ] = 500.0,
    sigma_min: Annotated[
        float, Float(ge=0.0, le=1000.0, step=0.001, help="The lowest noise level.")
    ] = 0.03,
) -> Model:
    """Sample a model that numbers noise levels by an angle (continuous v)."""
    from graphengine.diffusion.sampling_mode import continuous

    return continuous(model, sampling, sigma_min=sigma_min, sigma_max=sigma_max, by_angle=True)

"""Changes of how a model is sampled, as new values: parametrisation, noise levels, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from graphengine.diffusion.architectures import playground
from graphengine.diffusion.guidance import RescaleCfg
from graphengine.errors import InputError
from graphengine.sockets import Model, Sampling

Prediction = Literal["eps", "v", "x0", "lcm", "edm", "edm_playground", "img_to_img"]
_PREDICTIONS: Mapping[str, Prediction] = MappingProxyType(
    {
        "eps": "eps",
        "v_prediction": "v",
        "lcm": "lcm",
        "x0": "x0",
        "img_to_img": "img_to_img",
        "edm": "edm",
        "edm_playground_v2.5": "edm_playground",
    }
)


def discrete(model: Model, sampling: str, *, zero_terminal_snr: bool) -> Model:
    """``model`` over the 1000 levels of Stable Diffusion, or LCM's 50 of them.

    ``sampling``: eps, v_prediction, lcm, x0 or img_to_img.
    """
    prediction = _PREDICTIONS[sampling]
    mode = Sampling(
        prediction,
        "lcm" if prediction == "lcm" else "discrete",
        zero_terminal_snr=zero_terminal_snr,
    )
    return replace(model, sampling=mode)


def continuous(
    model: Model, sampling: str, *, sigma_min: float, sigma_max: float, by_angle: bool = False
) -> Model:
    """``model`` over any level between the two, which must be above 0 and in order.

    ``sampling``: v_prediction, edm, edm_playground_v2.5 (with that model's latents) or eps.
    """
    if not 0 < sigma_min < sigma_max:
        raise InputError("sigma_range", sigma_min=sigma_min, sigma_max=sigma_max)
    mode = Sampling(
        _PREDICTIONS[sampling],
        "continuous_v" if by_angle else "continuous",
        sigma_min=sigma_min,
        sigma_max=sigma_max,
    )
    family = playground(model.family) if mode.prediction == "edm_playground" else model.family
    return replace(model, sampling=mode, family=family)


def rescale_cfg(model: Model, multiplier: float) -> Model:
    """``model`` whose guided predictions keep more of the spread of the conditional ones."""
    return replace(model, options=(*model.options, RescaleCfg(multiplier)))

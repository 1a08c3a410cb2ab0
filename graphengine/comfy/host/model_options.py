"""Functions that plugins hang onto a model, as options of our sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from graphengine.diffusion.guidance import Look, NetworkCall, Predict, SamplingOption


@dataclass(frozen=True)
class CfgFunction(SamplingOption):
    """Combines the predictions: it gets and gives them as differences from x."""

    function: Callable[[dict[str, Any]], Tensor]

    @property
    def needs_uncond(self) -> bool:
        return True

    def combine(self, look: Look) -> Tensor | None:
        if look.uncond is None:
            return None
        given = {
            **_shared(look),
            "cond": look.x - look.cond,
            "uncond": look.x - look.uncond,
            "cond_scale": look.scale,
            "timestep": _sigmas(look),
        }
        return look.x - self.function(given)


@dataclass(frozen=True)
class PostCfgFunction(SamplingOption):
    """Changes the guided prediction."""

    function: Callable[[dict[str, Any]], Tensor]

    @property
    def needs_uncond(self) -> bool:
        return True

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        return self.function({**_shared(look), "denoised": denoised, "cond_scale": look.scale})


@dataclass(frozen=True)
class PreCfgFunction(SamplingOption):
    """Changes both predictions before they are combined."""

    function: Callable[[dict[str, Any]], list[Tensor]]

    @property
    def needs_uncond(self) -> bool:
        return True

    def before_guidance(self, look: Look) -> Look:
        conds = [look.cond, look.uncond]
        given = {
            **_shared(look),
            "conds": conds,
            "conds_out": conds,
            "cond_scale": look.scale,
            "timestep": _sigmas(look),
        }
        cond, uncond = self.function(given)
        return replace(look, cond=cond, uncond=uncond)


@dataclass(frozen=True)
class UnetWrapper(SamplingOption):
    """Stands around each call of the network."""

    function: Callable[[Callable[..., Tensor], dict[str, Any]], Tensor]

    def around_call(self, call: NetworkCall, predict: Predict) -> Tensor:
        rest: dict[str, Any] = {"c_crossattn": call.context, "transformer_options": {}}
        if call.y is not None:
            rest["y"] = call.y

        def apply(x: Tensor, t: Tensor, **c: Any) -> Tensor:
            sigma = t.flatten()[0].to(call.sigma)
            context = c.get("c_crossattn", call.context)
            return predict(replace(call, x=x, sigma=sigma, context=context, y=c.get("y", call.y)))

        given = {
            "input": call.x,
            "timestep": call.sigma.to(call.x.device).expand(len(call.x)),
            "c": rest,
            "cond_or_uncond": list(call.sides),
        }
        return self.function(apply, given)


def _shared(look: Look) -> dict[str, Any]:
    return {
        "input": look.x,
        "sigma": _sigmas(look),
        "cond_denoised": look.cond,
        "uncond_denoised": look.uncond,
        "model": None,
        "model_options": {"transformer_options": {}},
    }


def _sigmas(look: Look) -> Tensor:
    """The level once for each picture: [B]."""
    return look.sigma.to(look.x.device).expand(len(look.x))

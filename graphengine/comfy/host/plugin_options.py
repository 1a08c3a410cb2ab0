"""What plugins hang onto a model, their ``model_options``, as one option of our sampling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from graphengine.comfy.host import block_patches, looking
from graphengine.comfy.host.base_model import BaseModel
from graphengine.diffusion.guidance import Look, NetworkCall, Predict, SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling


@dataclass(frozen=True, eq=False)
class PluginOptions(SamplingOption):
    """A model's ``model_options`` as ComfyUI's samplers read them; nothing is copied out of them.

    ``model``: whose they are, for functions that ask it again.
    """

    model_options: Mapping[str, Any]
    model: BaseModel

    @property
    def needs_uncond(self) -> bool:
        return bool(self.model_options.get("disable_cfg1_optimization"))

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Let functions act in this sampling's network, until left."""
        del levels, shape
        with block_patches.attached(unet):
            yield

    def around_call(self, call: NetworkCall, predict: Predict) -> Tensor:
        """Stand around a call of the network; its blocks see the ``transformer_options``."""
        with block_patches.present(self.model_options.get("transformer_options")):
            for around in self._wrappers():
                predict = partial(_executed, around, predict)
            wrapper = self.model_options.get("model_function_wrapper")
            return predict(call) if wrapper is None else self._wrapped(wrapper, call, predict)

    def _wrappers(self) -> list[Any]:
        """Functions around each call of the network, the outermost last."""
        by_key = self.model_options.get("wrappers", {}).get("apply_model", {})
        return [function for functions in by_key.values() for function in functions][::-1]

    def before_guidance(self, look: Look) -> Look:
        """Predict by another function, or change both predictions before they are combined."""
        replaced = self.model_options.get("sampler_calc_cond_batch_function")
        functions = self.model_options.get("sampler_pre_cfg_function", ())
        if replaced is None and not functions:
            return look
        shared, conds = self._shared(look), looking.sides_of(look)
        if replaced is not None:
            wanted = [conds[0], None if look.uncond is None else conds[1]]
            found = replaced({**shared, "conds": wanted})
            look = _with_predictions(look, found)
        for function in functions:
            told = [look.cond, _or_zeros(look)]
            given = {**shared, "conds": conds, "conds_out": told, "cond_scale": look.scale}
            look = _with_predictions(look, function({**given, "timestep": shared["sigma"]}))
        return look

    def combine(self, look: Look) -> Tensor | None:
        """The predictions by a plugin's rule, which gets and gives them as differences from x."""
        function = self.model_options.get("sampler_cfg_function")
        if function is None:
            return None
        uncond = _or_zeros(look)
        given = {
            **self._shared(look),
            "cond": look.x - look.cond,
            "uncond": look.x - uncond,
            "cond_denoised": look.cond,
            "uncond_denoised": uncond,
            "cond_scale": look.scale,
            "timestep": look.sigma.to(look.x.device).expand(len(look.x)),
        }
        combined: Tensor = look.x - function(given)
        return combined

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        """The guided prediction, changed further."""
        functions = self.model_options.get("sampler_post_cfg_function", ())
        if not functions:
            return denoised
        cond, uncond = looking.sides_of(look)
        given = {
            **self._shared(look),
            "cond": cond,
            "uncond": uncond,
            "cond_denoised": look.cond,
            "uncond_denoised": _or_zeros(look),
            "cond_scale": look.scale,
        }
        for function in functions:
            denoised = function({**given, "denoised": denoised})
        return denoised

    def denoise_mask(
        self, mask: Tensor, sigma: Tensor, sigmas: Tensor, levels: ModelSampling
    ) -> Tensor:
        """The inpaint mask, changed by a plugin."""
        del levels
        function = self.model_options.get("denoise_mask_function")
        if function is None:
            return mask
        level = sigma.to(mask.device).reshape(1)
        about = {"model": self.model, "sigmas": sigmas.to(mask.device)}
        changed: Tensor = function(level, mask, extra_options=about)
        return changed

    def _wrapped(self, wrapper: Any, call: NetworkCall, predict: Predict) -> Tensor:
        given = {
            "input": call.x,
            "timestep": call.sigma.to(call.x.device).expand(len(call.x)),
            "c": _told(call),
            "cond_or_uncond": list(call.sides),
        }
        answer: Tensor = wrapper(partial(_asked, call, predict), given)
        return answer

    def _shared(self, look: Look) -> dict[str, Any]:
        return {
            "input": look.x,
            "sigma": look.sigma.to(look.x.device).expand(len(look.x)),
            "model": self.model.looking(look.guided),
            "model_options": dict(self.model_options),
        }


def _told(call: NetworkCall) -> dict[str, Any]:
    """What a plugin gets beside the latent and its level."""
    told = {"c_crossattn": call.context, "transformer_options": block_patches.about_call(call)}
    return told if call.y is None else {**told, "y": call.y}


def _asked(call: NetworkCall, predict: Predict, x: Tensor, t: Tensor, **c: Any) -> Tensor:
    """The answer to a call as a plugin has changed it."""
    changed = replace(
        call,
        x=x,
        sigma=t.flatten()[0].to(call.sigma),
        sides=looking.sides_for(call, x),
        context=c.get("c_crossattn", call.context),
        y=c.get("y", call.y),
    )
    with block_patches.present(c.get("transformer_options")):
        return predict(changed)


def _executed(around: Any, predict: Predict, call: NetworkCall) -> Tensor:
    """The answer of a function that stands around a call: (executor, x, sigma, c_concat, …)."""

    def executor(
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Tensor:
        del c_concat, control
        words = call.context if c_crossattn is None else c_crossattn
        given = {"c_crossattn": words, "transformer_options": transformer_options, **more}
        return _asked(call, predict, x, t, **given)

    told = _told(call)
    level = call.sigma.to(call.x.device).expand(len(call.x))
    words, options = told.pop("c_crossattn"), told.pop("transformer_options")
    answer: Tensor = around(executor, call.x, level, None, words, None, options, **told)
    return answer


def _or_zeros(look: Look) -> Tensor:
    """The unconditional prediction; zeros where it was left out, as ComfyUI gives it."""
    return torch.zeros_like(look.x) if look.uncond is None else look.uncond


def _with_predictions(look: Look, found: Any) -> Look:
    uncond = None if look.uncond is None or len(found) < 2 else found[1]
    return replace(look, cond=found[0], uncond=uncond)

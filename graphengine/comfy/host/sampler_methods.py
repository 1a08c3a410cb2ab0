"""Sampling methods that cross between ours and ComfyUI's: ``f(model, x, sigmas, extra_args, …)``.

A plugin's method becomes one of ours by being called with a model as it expects it; ours become
functions like those of k-diffusion by asking whatever model they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphengine import sockets
from graphengine.diffusion.denoiser import Guided
from graphengine.diffusion.inpaint import Inpainting
from graphengine.diffusion.model_sampling import ModelSampling, model_sampling
from graphengine.diffusion.noise import SamplerNoise, StepNoise
from graphengine.diffusion.samplers import ALL_SAMPLERS
from graphengine.diffusion.samplers.steps import Callback, Denoise, Run, Step

Method = Callable[..., Tensor]
"""As k-diffusion has it: (model, x, sigmas, extra_args, callback, disable, **options)."""


class Sampler:
    """The base of plugins' own samplers."""

    def sample(self, *args: Any, **kwargs: Any) -> Any:
        """Derived classes sample here."""
        raise NotImplementedError(f"{type(self).__name__} has no sample()")

    def max_denoise(self, model_wrap: Any, sigmas: Any) -> bool:
        """Whether sampling begins at the model's highest level."""
        return bool(float(sigmas[0]) >= float(model_wrap.inner_model.model_sampling.sigma_max))


class KSAMPLER(Sampler):
    """A method with its options."""

    def __init__(
        self,
        sampler_function: Method,
        extra_options: Mapping[str, Any] | None = None,
        inpaint_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.sampler_function = sampler_function
        self.extra_options = dict(extra_options or {})
        self.inpaint_options = dict(inpaint_options or {})


def hosted_sampler(sampler: sockets.Sampler) -> KSAMPLER:
    """Our method as an object that plugins know."""
    plugin = getattr(sampler.own, "plugin", None)
    if isinstance(plugin, KSAMPLER):
        return plugin
    return KSAMPLER(function_named(sampler.name), dict(sampler.options))


def sampler_of(value: Any) -> sockets.Sampler:
    """A plugin's method as one of ours; TypeError for an object that is called in another way."""
    function = getattr(value, "sampler_function", None)
    if function is None:
        raise TypeError(f"{type(value).__name__} has no sampler_function")
    if isinstance(function, NamedMethod):
        return sockets.Sampler(function.sampler, tuple(value.extra_options.items()))
    name = getattr(function, "__name__", type(function).__name__)
    return sockets.Sampler(name, own=_PluginMethod(value))


@dataclass(frozen=True, eq=False)
class NamedMethod:
    """One of our methods, called as k-diffusion's are."""

    sampler: str

    @property
    def __name__(self) -> str:  # what plugins show of a function
        return f"sample_{self.sampler}"

    def __call__(
        self,
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: Mapping[str, Any] | None = None,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        disable: bool | None = None,
        noise_sampler: Callable[..., Tensor] | None = None,
        **options: Any,
    ) -> Tensor:
        del disable
        extra = dict(extra_args or {})
        levels = sigmas.float().cpu()
        run = Run(
            _Asked(model, extra),
            _levels_behind(model),
            _Noise(int(extra.get("seed") or 0), noise_sampler),
            None if callback is None else _told(callback),
        )
        given = {name: value for name, value in options.items() if value is not None}
        return ALL_SAMPLERS[self.sampler](run, x, levels, **given)


def function_named(name: str) -> NamedMethod:
    """One of our methods as a function of k-diffusion's kind; KeyError if there is none."""
    if name not in ALL_SAMPLERS:
        raise KeyError(name)
    return NamedMethod(name)


def named_sampler(name: str) -> sockets.Sampler:
    """A method by name: ours, or one that a plugin has put among k-diffusion's."""
    if name in ALL_SAMPLERS:
        return sockets.Sampler(name)
    from graphengine.comfy.modules.comfy.k_diffusion import sampling

    function = vars(sampling).get(f"sample_{name}")
    return sockets.Sampler(name) if function is None else sampler_of(KSAMPLER(function))


class SamplerModel:
    """The guided model as a plugin's method sees it: (x, sigma) → denoised."""

    def __init__(self, run: Run, sigmas: Tensor) -> None:
        self.run, self.sigmas = run, sigmas

    def __call__(self, x: Tensor, sigma: Any, **extra: Any) -> Tensor:
        level = torch.as_tensor(sigma).detach().flatten()[0].cpu().float()
        return self._denoise(extra.get("model_options"))(x, level)

    @property
    def inner_model(self) -> Any:
        """What is below: here the same, whose own ``inner_model`` is the base model."""
        return Below(guided_in(self.run.denoise))

    @property
    def model_patcher(self) -> Any:
        """The model as it is sampled."""
        return self.inner_model.model_patcher

    def _denoise(self, options: Mapping[str, Any] | None) -> Denoise:
        """The denoiser, with other ``model_options`` than the model's if a method brings them."""
        guided = guided_in(self.run.denoise)
        if not options or dict(options) == _options_of(guided):
            return self.run.denoise
        from graphengine.comfy.host.base_model import BaseModel
        from graphengine.comfy.host.plugin_options import PluginOptions

        own = PluginOptions(options, BaseModel.of(model_behind(guided)))
        others = (each for each in guided.options if not isinstance(each, PluginOptions))
        changed = (*others, own)
        network = replace(guided.network, options=changed)
        return with_guided(self.run.denoise, replace(guided, network=network, options=changed))


@dataclass(frozen=True, eq=False)
class Below:
    """What lies below a model that is sampled: its patcher, its base model, its conditions."""

    guided: Guided

    @property
    def model_patcher(self) -> Any:
        """The model as it is sampled."""
        from graphengine.comfy.host.model_patcher import ModelPatcher

        return ModelPatcher(model_behind(self.guided))

    @property
    def inner_model(self) -> Any:
        """The base model, which can be asked."""
        from graphengine.comfy.host.base_model import BaseModel

        return BaseModel.of(model_behind(self.guided)).looking(self.guided)

    @property
    def model_sampling(self) -> Any:
        """Its noise levels."""
        return self.inner_model.model_sampling

    @property
    def conds(self) -> dict[str, Any]:
        """The conditions by name."""
        from graphengine.comfy.host.looking import conds_of

        names = ("positive", "negative")
        count = min(len(names), len(self.guided.groups))
        return {names[side]: conds_of(self.guided, side) for side in range(count)}

    @property
    def cfg(self) -> float:
        """The scale of guidance."""
        return float(self.guided.scales[0]) if self.guided.scales else 1.0


def guided_in(denoise: Any) -> Guided:
    """The guided model behind a denoiser, whatever lies around it."""
    return denoise if isinstance(denoise, Guided) else guided_in(denoise.inner)


def with_guided(denoise: Any, guided: Guided) -> Denoise:
    """The same denoiser around another guided model."""
    if isinstance(denoise, Inpainting):
        return replace(denoise, inner=with_guided(denoise.inner, guided))
    return guided


def model_behind(guided: Guided) -> sockets.Model:
    """The model that a guided one was made of."""
    if guided.model is None:
        raise AttributeError("the model that is sampled is not known here")
    return guided.model


@dataclass(frozen=True, eq=False)
class _PluginMethod:
    """A plugin's method as one of ours."""

    plugin: Any

    def __call__(self, run: Run, x: Tensor, sigmas: Tensor) -> Tensor:
        guided = guided_in(run.denoise)
        extra = {"model_options": _options_of(guided), "seed": run.noise.seed}
        done: Tensor = self.plugin.sampler_function(
            SamplerModel(run, sigmas),
            x,
            sigmas.to(x.device),
            extra_args=extra,
            callback=_reporter(run, sigmas),
            disable=True,
            **self.plugin.extra_options,
        )
        return done


@dataclass(frozen=True, eq=False)
class _Asked:
    """Whatever model a method was given, asked as ours."""

    model: Any
    extra: Mapping[str, Any]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        denoised: Tensor = self.model(x, sigma.to(x.device).expand(len(x)), **self.extra)
        return denoised

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the unconditional one, which is caught on its way."""
        from graphengine.comfy.host.model_patcher import appended

        seen: list[Tensor] = []

        def catch(told: Mapping[str, Any]) -> Tensor:
            seen[:] = [told["uncond_denoised"]]
            denoised: Tensor = told["denoised"]
            return denoised

        options = self.extra.get("model_options", {})
        changed = appended(options, "sampler_post_cfg_function", catch, both=True)
        asked = _Asked(self.model, {**self.extra, "model_options": changed})
        denoised = asked(x, sigma)
        return denoised, seen[0] if seen else denoised


@dataclass(frozen=True)
class _Noise(SamplerNoise):
    """The usual noise, or that of a function that a plugin brings."""

    function: StepNoise | None = None

    def independent(self, x: Tensor) -> StepNoise:
        return self.function or super().independent(x)

    def brownian(self, x: Tensor, sigmas: Tensor, *, on_device: bool = False) -> StepNoise:
        return self.function or super().brownian(x, sigmas, on_device=on_device)


def _levels_behind(model: Any) -> ModelSampling:
    """The noise levels of a model that a method was given; Stable Diffusion's if it hides them."""
    if isinstance(model, SamplerModel):
        return model.run.levels
    below = getattr(model, "inner_model", None)
    if isinstance(below, Below):
        return below.guided.network.levels
    return model_sampling(sockets.Sampling()) if below is None else _levels_behind(below)


def _options_of(guided: Guided) -> dict[str, Any]:
    hung = (getattr(option, "model_options", None) for option in reversed(guided.options))
    return dict(next((each for each in hung if each is not None), {"transformer_options": {}}))


def _reporter(run: Run, sigmas: Tensor) -> Callable[[Mapping[str, Any]], None]:
    def report(told: Mapping[str, Any]) -> None:
        run.report(min(int(told["i"]), len(sigmas) - 2), sigmas, told["x"], told["denoised"])

    return report


def _told(callback: Callable[[dict[str, Any]], Any]) -> Callback:
    def tell(step: Step) -> None:
        sigma = torch.tensor(step.sigma)
        callback(
            {
                "x": step.x,
                "i": step.index,
                "sigma": sigma,
                "sigma_hat": sigma,
                "denoised": step.denoised,
            }
        )

    return tell

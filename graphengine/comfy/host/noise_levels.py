"""Noise levels as plugins know them: objects that they read, derive from and give a model.

An object of ComfyUI's ``model_sampling`` is a class of levels with a class of parametrisation:
``class Mine(ModelSamplingDiscrete, V_PREDICTION)``. What a plugin does not override is ours.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from graphengine import sockets
from graphengine.diffusion import model_sampling as ours
from graphengine.diffusion.model_sampling import ModelSampling


class Parametrisation:
    """How a network's output is read; levels are [B], latents [B, C, H, W]."""

    PREDICTION = "eps"
    sigma_data = 1.0

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """A latent as the network wants it."""
        return self._own.network_input(noise, _by_row(sigma, noise))

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Any:
        """The clean latent that an output means."""
        return self._own.denoised(model_input, model_output, _by_row(sigma, model_output))

    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False
    ) -> Tensor:
        """A latent under noise."""
        level = _by_row(sigma, noise)
        return self._own.add_noise(latent_image, noise, level, from_the_top=max_denoise)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """The latent to hand out after sampling."""
        return self._own.remove_scale(latent, _by_row(sigma, latent))

    @property
    def _own(self) -> ModelSampling:
        """Levels of ours with this parametrisation; those that LCM asks for are the object's."""
        prediction = cast("Any", self.PREDICTION)
        levels = "flow" if self.PREDICTION == "flow" else "discrete"
        return ours.model_sampling(sockets.Sampling(prediction, cast("Any", levels)))


class EPS(Parametrisation):
    """The network predicts the noise."""


class V_PREDICTION(EPS):
    """The network predicts v."""

    PREDICTION = "v"


class EDM(V_PREDICTION):
    """Karras et al. 2022 with sigma_data 0.5."""

    PREDICTION = "edm"
    sigma_data = 0.5


class X0(EPS):
    """The network predicts the clean latent."""

    PREDICTION = "x0"


class IMG_TO_IMG(X0):
    """As X0, with a latent that is not scaled."""

    PREDICTION = "img_to_img"


class CONST(Parametrisation):
    """Flow matching."""

    PREDICTION = "flow"


class Levels(nn.Module):
    """Noise levels; ``model_config`` is that of a model, or None."""

    LEVELS = "discrete"
    sigmas: Tensor
    log_sigmas: Tensor

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__()
        self.num_timesteps = ours.TRAINING_STEPS
        self.linear_start, self.linear_end = ours.BETA_START, ours.BETA_END
        self.zsnr = bool(zsnr)
        self.shift, self.multiplier = 1.0, 1000.0
        self._range: tuple[float, float] | None = None
        described = getattr(model_config, "description", None)
        self._began = None if described is None else described.sampling
        self._show()

    def set_parameters(self, *args: Any, **given: Any) -> None:
        """Other limits (``sigma_min``, ``sigma_max``), or another shift of a flow."""
        low, high = ours._continuous_range(sockets.Sampling())
        if self.LEVELS == "flow":
            self.shift = float(given.get("shift", args[0] if args else 1.0))
            self.multiplier = float(given.get("multiplier", self.multiplier))
        else:
            positional = dict(zip(("sigma_min", "sigma_max", "sigma_data"), args, strict=False))
            given = {**positional, **given}
            self._range = (
                float(given.get("sigma_min", low)),
                float(given.get("sigma_max", high)),
            )
            if "sigma_data" in given:
                self.sigma_data = float(given["sigma_data"])
        self._show()

    def set_sigmas(self, sigmas: Tensor) -> None:
        """Take these levels: [N], ascending."""
        self.register_buffer("sigmas", sigmas.float(), persistent=False)
        self.register_buffer("log_sigmas", sigmas.log().float(), persistent=False)

    @property
    def sampling(self) -> sockets.Sampling:
        """What it says, as a description of ours."""
        if self.follows_ours:
            return self._described()
        return sockets.Sampling(own=PluginLevels.of(self))

    @property
    def follows_ours(self) -> bool:
        """Whether nothing of it was overridden or set to levels that only it knows."""
        own = {name for cls in type(self).__mro__ if _is_foreign(cls) for name in vars(cls)}
        kept = torch.equal(self.sigmas, ours.model_sampling(self._described()).table)
        return kept and not own & _OVERRIDABLE

    @property
    def levels(self) -> ModelSampling:
        """The levels as our schedules know them."""
        return ours.model_sampling(self.sampling)

    @property
    def sigma_min(self) -> Tensor:
        """The lowest one."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The highest one."""
        return self.sigmas[-1]

    def timestep(self, sigma: Any) -> Tensor:
        """What the network is told for a level."""
        return self._table.timestep(torch.as_tensor(sigma))

    def sigma(self, timestep: Any) -> Tensor:
        """The level of a timestep."""
        return self._table.sigma(torch.as_tensor(timestep))

    def percent_to_sigma(self, percent: float) -> float:
        """The level at which so much of the denoising is done."""
        return self._table.percent_to_sigma(percent)

    @property
    def _table(self) -> ModelSampling:
        base = ours.model_sampling(self._described())
        return ModelSampling(base.sampling, self.sigmas, base._timesteps, self.log_sigmas)

    def _described(self) -> sockets.Sampling:
        if self._began is not None and type(self) in _CLASSES.values():
            began: sockets.Sampling = self._began
            return began
        low, high = self._range or (None, None)
        return sockets.Sampling(
            prediction=getattr(self, "PREDICTION", "eps"),
            levels=cast("Any", self.LEVELS),
            zero_terminal_snr=self.zsnr,
            sigma_min=low,
            sigma_max=high,
            shift=self.shift,
        )

    def _show(self) -> None:
        table = ours.model_sampling(self._described())
        self.register_buffer("sigmas", table.table, persistent=False)
        self.register_buffer("log_sigmas", table._log_table, persistent=False)


class ModelSamplingDiscrete(Levels):
    """The 1000 levels of Stable Diffusion."""


class ModelSamplingContinuousEDM(Levels):
    """Any level between two."""

    LEVELS = "continuous"


class ModelSamplingContinuousV(Levels):
    """Any level between two, told as an angle."""

    LEVELS = "continuous_v"


class ModelSamplingDiscreteFlow(Levels):
    """The levels of a flow."""

    LEVELS = "flow"


class _Reads(Protocol):
    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor: ...
    def calculate_denoised(self, sigma: Tensor, output: Tensor, x: Tensor) -> Tensor: ...
    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent: Tensor, max_denoise: bool
    ) -> Tensor: ...
    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class PluginLevels(ModelSampling):
    """Levels and parametrisation that a plugin's object computes."""

    plugin: Any = None

    @classmethod
    def of(cls, plugin: Levels) -> PluginLevels:
        """Those of an object; raises TypeError if it has no parametrisation."""
        if not hasattr(plugin, "calculate_denoised"):
            raise TypeError(f"{type(plugin).__name__} has no calculate_denoised()")
        base = plugin._table
        return cls(base.sampling, plugin.sigmas.cpu(), base._timesteps, base._log_table, plugin)

    def timestep(self, sigma: Tensor) -> Tensor:
        return torch.as_tensor(self.plugin.timestep(sigma)).float().reshape(sigma.shape)

    def sigma(self, timestep: Tensor) -> Tensor:
        return torch.as_tensor(self.plugin.sigma(timestep)).float().reshape(timestep.shape)

    def percent_to_sigma(self, percent: float) -> float:
        return float(self.plugin.percent_to_sigma(percent))

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._reads.calculate_input(_rows(sigma, x), x)

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        return self._reads.calculate_denoised(_rows(sigma, x), output, x)

    def add_noise(
        self, latent: Tensor, noise: Tensor, sigma: Tensor, *, from_the_top: bool = False
    ) -> Tensor:
        return self._reads.noise_scaling(_rows(sigma, noise), noise, latent, from_the_top)

    def remove_scale(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._reads.inverse_noise_scaling(_rows(sigma, x), x)

    @property
    def _reads(self) -> _Reads:
        return cast("_Reads", self.plugin)


def levels_of(sampling: sockets.Sampling) -> Any:
    """A model's levels as an object that plugins know."""
    if sampling.own is not None:
        return sampling.own.plugin
    kind = "discrete" if sampling.levels == "lcm" else sampling.levels
    base = {cls.LEVELS: cls for cls in _LEVELS}[kind]
    name = f"{base.__name__} {sampling.prediction}"
    if name not in _CLASSES:
        reading = _PARAMETRISATIONS[sampling.prediction]
        _CLASSES[name] = type("ModelSampling", (base, reading), {})
    described = SimpleNamespace(sampling=sampling)
    return _CLASSES[name](SimpleNamespace(description=described))


_LEVELS = (
    ModelSamplingDiscrete,
    ModelSamplingContinuousEDM,
    ModelSamplingContinuousV,
    ModelSamplingDiscreteFlow,
)


class LCM(EPS):
    """The network predicts noise, read by consistency's boundary condition."""

    PREDICTION = "lcm"


_PARAMETRISATIONS: dict[str, type[Parametrisation]] = {
    "eps": EPS,
    "v": V_PREDICTION,
    "edm": EDM,
    "edm_playground": EDM,
    "x0": X0,
    "img_to_img": IMG_TO_IMG,
    "flow": CONST,
    "lcm": LCM,
}
_CLASSES: dict[str, type[Levels]] = {}
"""Classes made of the two above, by what they are made of."""
_OVERRIDABLE = frozenset(
    (
        "timestep",
        "sigma",
        "percent_to_sigma",
        "calculate_input",
        "calculate_denoised",
        "noise_scaling",
        "inverse_noise_scaling",
    )
)


def _is_foreign(cls: type) -> bool:
    return inspect.getmodule(cls) is not inspect.getmodule(Levels) and cls not in nn.Module.__mro__


def _by_row(sigma: Tensor, like: Tensor) -> Tensor:
    """Levels [B] so that they can be multiplied with latents."""
    if sigma.ndim == 0 or not math.prod(sigma.shape):
        return sigma
    return sigma.reshape(sigma.shape[:1] + (1,) * (like.ndim - 1)).to(like.device)


def _rows(sigma: Tensor, like: Tensor) -> Tensor:
    """A level once for each latent of a batch: [B]."""
    return sigma.to(like.device).expand(len(like))

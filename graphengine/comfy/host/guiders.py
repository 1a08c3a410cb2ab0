"""Guiders as ComfyUI's nodes know them, also those that plugins derive and combine themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from graphengine import sockets
from graphengine.comfy.host import looking
from graphengine.comfy.host.crossing import to_ours
from graphengine.comfy.host.model_patcher import ModelPatcher
from graphengine.diffusion.denoiser import Guided

_NAMES: Mapping[str, tuple[str, ...]] = {
    "basic": ("positive",),
    "cfg": ("positive", "negative"),
    "dual_cfg": ("positive", "middle", "negative"),
    "dual_cfg_nested": ("positive", "middle", "negative"),
    "perp_neg": ("positive", "negative", "empty_negative_prompt"),
}


class CFGGuider:
    """A model with conditions by name and a scale. Derive it and override ``predict_noise``."""

    def __init__(self, model_patcher: ModelPatcher) -> None:
        self.model_patcher = model_patcher
        self.model_options = model_patcher.model_options
        self.original_conds: dict[str, Any] = {}
        self.conds: dict[str, Any] = {}
        self.cfg = 1.0
        self.inner_model: Any = None

    def set_conds(self, positive: Any, negative: Any) -> None:
        """Follow one, avoid the other."""
        self.inner_set_conds({"positive": positive, "negative": negative})

    def inner_set_conds(self, conds: Mapping[str, Any]) -> None:
        """Conditions by name, the one to follow first."""
        self.original_conds = dict(conds)

    def set_cfg(self, cfg: float) -> None:
        """How strictly to follow."""
        self.cfg = cfg

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As ``predict_noise``."""
        return self.predict_noise(*args, **kwargs)

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Any:
        """The guided denoised latent."""
        from graphengine.comfy.modules.comfy.samplers import sampling_function

        return sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds.get("positive"),
            self.cfg,
            model_options=self.model_options if model_options is None else model_options,
            seed=seed,
        )

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """A latent, sampled: [B, C, h, w]."""
        from graphengine.comfy.host.sampling import sample_guided

        del disable_pbar
        latent = {"samples": latent_image}
        if denoise_mask is not None:
            latent["noise_mask"] = denoise_mask
        return sample_guided(
            self.as_guider(), noise, sampler, sigmas, latent, callback=callback, seed=seed
        )

    def as_guider(self) -> sockets.Guider:
        """What our own nodes take."""
        described = to_ours("MODEL", self.model_patcher)
        names = list(self.original_conds)
        conditionings = tuple(to_ours("CONDITIONING", self.original_conds[name]) for name in names)
        if not self._overrides and names == ["positive", "negative"]:
            return sockets.Guider("cfg", described, conditionings, (self.cfg,))
        if not self._overrides and names == ["positive"]:
            return sockets.Guider("basic", described, conditionings)
        own = OwnGuidance(self, tuple(names))
        return sockets.Guider("plugin", described, conditionings, (self.cfg,), own)

    @property
    def _overrides(self) -> bool:
        own = (CFGGuider.predict_noise, CFGGuider.__call__)
        return (type(self).predict_noise, type(self).__call__) != own


@dataclass(frozen=True, eq=False)
class OwnGuidance:
    """A plugin's guider in a sampling."""

    guider: CFGGuider
    names: tuple[str, ...]

    @property
    def negative(self) -> int | None:
        """Which of its conditionings is the unconditional side."""
        return self.names.index("negative") if "negative" in self.names else None

    def __call__(self, guided: Guided, x: Tensor, sigma: Tensor) -> Tensor:
        guider = self.guider
        guider.inner_model = guider.model_patcher.model.looking(guided)
        guider.conds = {
            name: looking.conds_of(guided, side) for side, name in enumerate(self.names)
        }
        level = sigma.to(x.device).expand(len(x))
        try:
            predicted: Tensor = guider(
                x, level, model_options=dict(guider.model_options), seed=None
            )
        finally:
            # A guider is a result that is kept; it should not keep this sampling's network.
            guider.inner_model, guider.conds = None, {}
        return predicted


class _Ours(CFGGuider):
    """A guider of one of our own nodes."""

    def __init__(self, guider: sockets.Guider) -> None:
        super().__init__(ModelPatcher(guider.model))
        from graphengine.comfy.host.conditioning import to_list

        self.description = guider
        names = _NAMES[guider.kind]
        self.original_conds = {
            name: to_list(each) for name, each in zip(names, guider.conditionings, strict=True)
        }
        self.cfg = guider.scales[0] if guider.scales else 1.0

    def as_guider(self) -> sockets.Guider:
        return self.description


def hosted_guider(guider: sockets.Guider) -> CFGGuider:
    """A guider as an object that plugins know."""
    if isinstance(guider.own, OwnGuidance):
        return guider.own.guider
    return _Ours(guider)

"""How predictions under several conditionings become one: guidance rules and their options.

A model's options (``Model.options``) change how it is sampled. Each is a frozen dataclass derived
from `SamplingOption` that overrides what it changes; everything else stays as it is::

    @dataclass(frozen=True)
    class RescaleCfg(SamplingOption):
        multiplier: float

        def combine(self, look: Look) -> Tensor | None:
            ...

Options are asked in the order in which they lie on the model; of several ways to combine the
predictions the last one counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.errors import InputError
from graphengine.sockets import Guider

if TYPE_CHECKING:
    from graphengine.diffusion.denoiser import Guided


@dataclass(frozen=True, eq=False)
class NetworkCall:
    """One call of the network, on behalf of one or more conditions of equal size.

    ``x``: [N · B, C, h, w] float32, the noisy latent (or the part in the conditions' box) once a
    condition, in the sampler's scale. ``sides``: for each of the N conditions the number of the
    conditioning that it belongs to; with CFG 0 is the positive and 1 the negative one.
    ``context``: [N · B, T, D]; ``y``: [N · B, A] or None.
    """

    x: Tensor
    sigma: Tensor
    sides: tuple[int, ...]
    context: Tensor
    y: Tensor | None = None

    def rows(self, side: int) -> list[int]:
        """Which items of the batch belong to a conditioning."""
        count = len(self.x) // len(self.sides)
        return [
            part * count + item
            for part, found in enumerate(self.sides)
            if found == side
            for item in range(count)
        ]


PRESENT_CALL: ContextVar[NetworkCall] = ContextVar("present_call")
"""The call under way, for hooks and attention processors that an option has attached."""

Predict = Callable[[NetworkCall], Tensor]
"""A call → the denoised latents, [N · B, C, h, w] float32."""


@dataclass(frozen=True, eq=False)
class Look:
    """One look at the model: what its options see and may change.

    ``x``, ``cond``, ``uncond``: [B, C, H, W] float32; the predictions are denoised latents.
    ``uncond`` is None where guidance does not need it. ``predict`` asks the model again, for the
    positive and the negative side, at another x or with the network changed meanwhile.
    ``guided``: who looks, with the network and all conditions.
    """

    x: Tensor
    sigma: Tensor
    levels: ModelSampling
    cond: Tensor
    uncond: Tensor | None
    scale: float
    predict: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
    guided: Guided | None = None


class SamplingOption:
    """A change of how a model is sampled. Derive a frozen dataclass and override what changes."""

    @property
    def needs_uncond(self) -> bool:
        """Whether the unconditional prediction is wanted even where guidance could skip it."""
        return False

    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> AbstractContextManager[object]:
        """Change the network for one sampling of a latent of ``shape``; undo it on leaving.

        For FreeU, HyperTile, ToMe, hypernetworks, perturbed attention, … ``unet`` is this
        sampling's own: its modules may be changed, its weights are shared and may not.
        """
        del unet, levels, shape
        return nullcontext()

    def around_call(self, call: NetworkCall, predict: Predict) -> Tensor:
        """What ``predict`` answers to a call, or to another one, or something else of its shape."""
        return predict(call)

    def before_guidance(self, look: Look) -> Look:
        """The predictions as guidance should see them (tangential damping, CFG-Zero*, …)."""
        return look

    def combine(self, look: Look) -> Tensor | None:
        """The guided prediction by another rule than CFG's (RescaleCFG, …); None = not mine."""
        del look
        return None

    def after_guidance(self, look: Look, denoised: Tensor) -> Tensor:
        """The guided prediction, changed further (SAG, PAG, CFGNorm, …)."""
        del look
        return denoised

    def denoise_mask(
        self, mask: Tensor, sigma: Tensor, sigmas: Tensor, levels: ModelSampling
    ) -> Tensor:
        """The inpaint mask at ``sigma`` (differential diffusion)."""
        del sigma, sigmas, levels
        return mask


Options = tuple[SamplingOption, ...]
Predictions = Sequence[Tensor | None]
Blend = Callable[[Tensor, Tensor | None, float], Tensor]
"""(cond, uncond, scale) → guided, with the model's options; without uncond there is no guidance."""


@dataclass(frozen=True)
class Rule:
    """How a guider combines predictions.

    ``needed``: which conditionings matter at given scales; the others' predictions are None.
    ``combine``: the predictions in the guider's order → the guided one. ``negative``: which
    conditioning is the unconditional side for options and CFG++ samplers.
    """

    conditionings: int
    needed: Callable[[Sequence[float]], tuple[bool, ...]]
    combine: Callable[[Predictions, Sequence[float], Blend], Tensor]
    negative: int | None = None


class OwnGuidance(Protocol):
    """How a plugin's guider predicts: ``negative`` as in `Rule`, and the guided denoised latent."""

    @property
    def negative(self) -> int | None: ...

    def __call__(self, guided: Guided, x: Tensor, sigma: Tensor) -> Tensor: ...


def rule_of(guider: Guider) -> Rule:
    """The rule of a guider; InputError if it has other conditionings than its rule wants."""
    if guider.own is not None:
        return _rule_around(guider.own, len(guider.conditionings))
    rule, got = RULES[guider.kind], len(guider.conditionings)
    if rule.conditionings != got:
        raise InputError(
            "guider_conditionings", kind=guider.kind, expected=rule.conditionings, got=got
        )
    return rule


def _rule_around(own: OwnGuidance, count: int) -> Rule:
    """All predictions are the plugin's to ask for; only the unconditional one is ours."""
    return Rule(count, lambda _: (False,) * count, _none_needed, negative=own.negative)


def _none_needed(_predictions: Predictions, _scales: Sequence[float], _blend: Blend) -> Tensor:
    raise ValueError("a plugin's guider combines its predictions itself")


def guide(look: Look, options: Options) -> Tensor:
    """The guided prediction of one look: CFG, or what the options make of it."""
    for option in options:
        look = option.before_guidance(look)
    denoised = _combined(look, options)
    for option in options:
        denoised = option.after_guidance(look, denoised)
    return denoised


def _combined(look: Look, options: Options) -> Tensor:
    for option in reversed(options):
        combined = option.combine(look)
        if combined is not None:
            return combined
    return look.cond if look.uncond is None else cfg(look.cond, look.uncond, look.scale)


def cfg(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6."""
    return uncond + (cond - uncond) * scale


def _matters(scale: float) -> bool:
    """Whether the side that a scale pushes away from has any say: not at 1."""
    return not math.isclose(scale, 1.0)


# --- the rules ---


def _basic(predictions: Predictions, _scales: Sequence[float], blend: Blend) -> Tensor:
    return blend(_given(predictions[0]), None, 1.0)


def _cfg(predictions: Predictions, scales: Sequence[float], blend: Blend) -> Tensor:
    return blend(_given(predictions[0]), predictions[1], scales[0])


def _dual(predictions: Predictions, scales: Sequence[float], blend: Blend) -> Tensor:
    """InstructPix2Pix's two scales (Brooks et al. 2023, arXiv:2211.09800, eq. 3)."""
    first, middle, negative = predictions
    if middle is None:
        return blend(_given(first), None, 1.0)
    return blend(middle, negative, scales[1]) + (_given(first) - middle) * scales[0]


def _dual_nested(predictions: Predictions, scales: Sequence[float], blend: Blend) -> Tensor:
    """The first two by the first scale, their result against the negative by the second."""
    first, middle, negative = predictions
    inner = blend(_given(first), middle, scales[0])
    return inner if negative is None else cfg(inner, negative, scales[1])


def _perp_neg(predictions: Predictions, scales: Sequence[float], _blend: Blend) -> Tensor:
    """Only what is perpendicular to the positive is pushed away: Armandpour et al. 2023.

    (arXiv:2304.04968). Conditionings: positive, negative, empty; scales: cfg, neg_scale.
    """
    positive, negative, empty = (_given(prediction) for prediction in predictions)
    towards, away = positive - empty, negative - empty
    along: Tensor = (away * towards).sum() / towards.square().sum() * towards
    return empty + scales[0] * (towards - (away - along) * scales[1])


def _given(prediction: Tensor | None) -> Tensor:
    if prediction is None:
        raise ValueError("a rule asked for a prediction that it did not need")
    return prediction


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "basic": Rule(1, lambda _: (True,), _basic),
        "cfg": Rule(2, lambda s: (True, _matters(s[0])), _cfg, negative=1),
        "dual_cfg": Rule(
            3,
            lambda s: (True, _matters(s[0]) or _matters(s[1]), _matters(s[1])),
            _dual,
            negative=2,
        ),
        "dual_cfg_nested": Rule(
            3, lambda s: (True, _matters(s[0]), _matters(s[1])), _dual_nested, negative=2
        ),
        "perp_neg": Rule(3, lambda _: (True, True, True), _perp_neg, negative=1),
    }
)


# --- options ---


@dataclass(frozen=True)
class RescaleCfg(SamplingOption):
    """Bring the guided prediction's spread back towards the conditional one's.

    Lin et al. 2023 (arXiv:2305.08891), section 3.4, on v; ``multiplier`` is their phi.
    """

    multiplier: float = 0.7

    def combine(self, look: Look) -> Tensor | None:
        if look.uncond is None:
            return None
        root = (look.sigma**2 + 1.0) ** 0.5
        scaled = look.x / root**2
        v_cond = (scaled - look.cond) * root / look.sigma
        v_uncond = (scaled - look.uncond) * root / look.sigma
        v = cfg(v_cond, v_uncond, look.scale)
        spread = v_cond.std(dim=(1, 2, 3), keepdim=True) / v.std(dim=(1, 2, 3), keepdim=True)
        v = self.multiplier * (v * spread) + (1.0 - self.multiplier) * v
        return scaled - v * look.sigma / root

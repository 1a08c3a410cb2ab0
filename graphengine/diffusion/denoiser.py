"""A guided model as samplers see it: (x, sigma) → denoised.

`Network` predicts under single conditions, batched; `Guided` combines the predictions of all
conditionings by the guider's rule. All arithmetic is float32, whatever the network computes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add

import torch
from torch import Tensor, nn

from graphengine.diffusion.conditions import Box, Control, Group, PreparedCondition, Residuals
from graphengine.diffusion.devices import is_out_of_memory
from graphengine.diffusion.guidance import (
    PRESENT_CALL,
    Look,
    NetworkCall,
    Options,
    OwnGuidance,
    Predict,
    Rule,
    guide,
)
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.unet import predict
from graphengine.errors import InputError
from graphengine.sockets import Model

# Contexts of different length share a batch by repeating them up to a common multiple, at most
# this many times.
MAX_REPEATS = 4

_Words = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class _Task:
    """One condition's prediction, asked for on behalf of a group: conditioning ``side``."""

    group: int
    side: int
    condition: PreparedCondition

    def crop(self, tensor: Tensor) -> Tensor:
        box = self.condition.box
        return tensor if box is None else box.crop(tensor)


@dataclass(frozen=True, eq=False)
class Network:
    """A denoising network, ready to be called.

    ``sigmas``: those of the run, to name the step where something goes wrong.
    ``check_cancelled``: looked at before each call; raises `Cancelled`. ``options``: those that
    act around each call.
    """

    unet: nn.Module
    levels: ModelSampling
    dtype: torch.dtype
    sigmas: Tensor
    check_cancelled: Callable[[], None]
    options: Options = ()
    _words: dict[tuple[PreparedCondition, ...], _Words] = field(default_factory=dict, repr=False)

    def denoised(
        self, x: Tensor, sigma: Tensor, groups: Sequence[Group], sides: Sequence[int] | None = None
    ) -> list[Tensor]:
        """The denoised latent under each group of conditions; zeros where none is active.

        Within a group: the mean of the active conditions, by their weights at each place.
        ``sides``: the groups' numbers among the guider's conditionings, if some are left out.
        """
        level = float(sigma)
        tasks = [
            _Task(index, index if sides is None else sides[index], condition)
            for index, group in enumerate(groups)
            for condition in group
            if condition.active(level)
        ]
        totals = [_Total() for _ in groups]
        for batch in _batches(tasks):
            for task, prediction in zip(batch, self._predict(batch, x, sigma), strict=True):
                totals[task.group].add(x, task.condition, prediction)
        return [total.mean(x) for total in totals]

    def _predict(self, batch: list[_Task], x: Tensor, sigma: Tensor) -> list[Tensor]:
        """The predictions of a batch; in two halves where memory does not suffice."""
        try:
            return self._call(batch, x, sigma)
        except RuntimeError as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        half = len(batch) // 2
        return self._predict(batch[:half], x, sigma) + self._predict(batch[half:], x, sigma)

    def _call(self, batch: list[_Task], x: Tensor, sigma: Tensor) -> list[Tensor]:
        self.check_cancelled()
        context, y = self._words_of(tuple(task.condition for task in batch), len(x))
        parts = torch.cat([task.crop(x) for task in batch])
        call = NetworkCall(parts, sigma, tuple(task.side for task in batch), context, y)
        predict: Predict = partial(self._answer, batch)
        for option in reversed(self.options):
            predict = partial(option.around_call, predict=predict)
        return list(predict(call).chunk(len(batch)))

    def _answer(self, batch: list[_Task], call: NetworkCall) -> Tensor:
        """The denoised latents of one call."""
        sigma, condition = call.sigma, batch[0].condition
        count = len(call.x) // len(batch)
        inputs = self.levels.network_input(call.x, sigma)
        inputs = _with_further_channels(inputs, batch, count).to(self.dtype)
        timestep = self.levels.timestep(sigma).to(call.x.device).expand(len(inputs))
        token = PRESENT_CALL.set(call)
        try:
            residuals = _residuals(
                condition, sigma, lambda control: control(inputs, timestep, call.context, call.y)
            )
            output = predict(
                self.unet,
                inputs,
                timestep,
                call.context,
                y=call.y,
                down_residuals=residuals.down,
                mid_residual=residuals.middle,
                encoder_residuals=residuals.encoder,
                objects=_objects(condition, len(inputs)),
            ).float()
        finally:
            PRESENT_CALL.reset(token)
        self._check_finite(call, output)
        return self.levels.denoised(call.x, output, sigma)

    def _words_of(self, batch: tuple[PreparedCondition, ...], count: int) -> _Words:
        """Context and vectors of a batch: the same in every step, so put together once."""
        if batch not in self._words:
            self._words[batch] = _contexts(batch, count), _vectors(batch, count)
        return self._words[batch]

    def _check_finite(self, call: NetworkCall, output: Tensor) -> None:
        # Any NaN or infinity shows in the sum, which is quicker than looking at each number.
        if math.isfinite(float(output.sum())) or torch.isfinite(output).all():
            return
        if not torch.isfinite(call.context).all():
            raise InputError("conditioning_not_finite")
        code, bad = "network_not_finite", output
        if not torch.isfinite(call.x).all():
            code, bad = "sampler_not_finite", call.x
        what = "NaN" if torch.isnan(bad).any() else "∞"
        steps = len(self.sigmas) - 1
        step = min(int((self.sigmas >= call.sigma).sum()), steps)
        details = {"step": max(step, 1), "steps": steps, "sigma": float(call.sigma)}
        raise InputError(code, what=what, **details)


@dataclass(frozen=True, eq=False)
class Guided:
    """A network under a guider's rule: what samplers call (see `samplers.steps.Denoise`)."""

    network: Network
    groups: Sequence[Group]
    rule: Rule
    scales: Sequence[float]
    options: Options
    own: OwnGuidance | None = None
    model: Model | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The guided denoised latent: [B, C, H, W] float32."""
        if self.own is not None:
            return self.own(self, x, sigma)
        wants_uncond = any(option.needs_uncond for option in self.options)
        return self._combined(x, sigma, self._predictions(x, sigma, with_uncond=wants_uncond))

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The same and the unconditional one; a guider without a negative side has but one."""
        predictions = self._predictions(x, sigma, with_uncond=True)
        if self.own is not None:
            guided = self.own(self, x, sigma)
        else:
            guided = self._combined(x, sigma, predictions)
        uncond = None if self.rule.negative is None else predictions[self.rule.negative]
        return guided, guided if uncond is None else uncond

    def _predictions(self, x: Tensor, sigma: Tensor, *, with_uncond: bool) -> list[Tensor | None]:
        needed = list(self.rule.needed(self.scales))
        if with_uncond and self.rule.negative is not None:
            needed[self.rule.negative] = True
        sides = [side for side, need in enumerate(needed) if need]
        answers = iter(
            self.network.denoised(x, sigma, [self.groups[side] for side in sides], sides)
        )
        return [next(answers) if need else None for need in needed]

    def _combined(self, x: Tensor, sigma: Tensor, predictions: Sequence[Tensor | None]) -> Tensor:
        def blend(cond: Tensor, uncond: Tensor | None, scale: float) -> Tensor:
            levels = self.network.levels
            look = Look(x, sigma, levels, cond, uncond, scale, self.sides, self)
            return guide(look, self.options)

        return self.rule.combine(predictions, self.scales, blend)

    def sides(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor | None]:
        """The predictions of the positive and the negative side."""
        negative = self.rule.negative
        sides = [0] if negative is None else [0, negative]
        answers = self.network.denoised(x, sigma, [self.groups[side] for side in sides], sides)
        return answers[0], answers[1] if len(answers) > 1 else None


class _Total:
    """A weighted mean in the making; a single full-size prediction passes through untouched."""

    def __init__(self) -> None:
        self._single: Tensor | None = None
        self._sum: Tensor | None = None
        self._weights: Tensor | None = None

    def add(self, x: Tensor, condition: PreparedCondition, prediction: Tensor) -> None:
        uniform = condition.box is None and not isinstance(condition.weight, Tensor)
        if uniform and condition.weight == 1.0 and self._single is None and self._sum is None:
            self._single = prediction
            return
        if self._sum is None or self._weights is None:
            self._sum, self._weights = torch.zeros_like(x), torch.full_like(x, 1e-37)
            if self._single is not None:
                self._sum, self._weights = self._single.clone(), torch.ones_like(x)
        box = condition.box or Box(x.shape[-2], x.shape[-1], 0, 0)
        weight = condition.weight
        if isinstance(weight, Tensor):
            weight = to_batch(weight, len(x))
        box.crop(self._sum).add_(prediction * weight)
        box.crop(self._weights).add_(weight)

    def mean(self, x: Tensor) -> Tensor:
        if self._sum is not None and self._weights is not None:
            return self._sum / self._weights
        return torch.zeros_like(x) if self._single is None else self._single


def _batches(tasks: list[_Task]) -> Iterator[list[_Task]]:
    """Tasks that can share a call, in the order [negative, positive], as the reference runs them.

    The order decides nothing but the last bits of the result.
    """
    waiting = tasks
    while waiting:
        first = waiting[0]
        fitting = [task for task in waiting if _together(first, task)]
        waiting = [task for task in waiting if task not in fitting]
        yield fitting[::-1]


def _together(one: _Task, other: _Task) -> bool:
    a, b = one.condition, other.condition
    return (
        _size(a) == _size(b)
        and _lengths_fit(a.context, b.context)
        and a.controls == b.controls
        and a.objects is b.objects
    )


def _size(condition: PreparedCondition) -> tuple[int, int] | None:
    return None if condition.box is None else (condition.box.height, condition.box.width)


def _lengths_fit(a: Tensor, b: Tensor) -> bool:
    short, long = sorted((a.shape[1], b.shape[1]))
    return short == long or math.lcm(short, long) // short <= MAX_REPEATS


def _contexts(batch: Sequence[PreparedCondition], count: int) -> Tensor:
    contexts = [condition.context for condition in batch]
    length = math.lcm(*(context.shape[1] for context in contexts))
    return torch.cat([to_batch(c, count).repeat(1, length // c.shape[1], 1) for c in contexts])


def _vectors(batch: Sequence[PreparedCondition], count: int) -> Tensor | None:
    given = [to_batch(condition.y, count) for condition in batch if condition.y is not None]
    return torch.cat(given) if given else None


def _with_further_channels(inputs: Tensor, batch: list[_Task], count: int) -> Tensor:
    further = [
        task.crop(to_batch(task.condition.concat, count))
        for task in batch
        if task.condition.concat is not None
    ]
    return torch.cat([inputs, torch.cat(further)], dim=1) if further else inputs


def _residuals(
    condition: PreparedCondition, sigma: Tensor, call: Callable[[Control], Residuals]
) -> Residuals:
    """The sum of what the controls that act at ``sigma`` add."""
    level = float(sigma)
    acting = [
        timed.control
        for timed in condition.controls
        if timed.sigma_end <= level <= timed.sigma_start
    ]
    return reduce(add, (call(control) for control in acting)) if acting else Residuals()


def _objects(condition: PreparedCondition, count: int) -> Tensor | None:
    return None if condition.objects is None else to_batch(condition.objects.tokens, count)


def to_batch(tensor: Tensor, count: int) -> Tensor:
    """``tensor`` with ``count`` items: one is shared, several repeat or are cut off."""
    if len(tensor) == count:
        return tensor
    if len(tensor) == 1:
        return tensor.expand(count, *tensor.shape[1:])
    repeats = math.ceil(count / len(tensor))
    return tensor.repeat(repeats, *[1] * (tensor.ndim - 1))[:count]

"""Conditions made ready for one sampling: where, when and how strongly each applies.

A condition's prediction counts with ``weight`` inside its ``box`` while sigma is in its range;
what several say about a place is averaged by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphengine.diffusion.architectures import prompt_width
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.vectors import vector_of
from graphengine.errors import InputError
from graphengine.sockets import Area, Condition, Conditioning, ControlApplication, Model

# Areas fade in over this many latent pixels at edges inside the picture.
FADE = 8


@dataclass(frozen=True)
class Box:
    """A rectangle in latent pixels."""

    height: int
    width: int
    y: int
    x: int

    def crop(self, tensor: Tensor) -> Tensor:
        """The part of ``tensor`` ([..., H, W]) inside."""
        return tensor[..., self.y : self.y + self.height, self.x : self.x + self.width]

    def inside(self, other: Box) -> bool:
        """Whether ``other`` holds all of this one."""
        return (
            self.x >= other.x
            and self.y >= other.y
            and self.x + self.width <= other.x + other.width
            and self.y + self.height <= other.y + other.height
        )


@dataclass(frozen=True, eq=False)
class Residuals:
    """What control networks add to the UNet; None = nothing.

    ``down``: to its skip connections, deepest last. ``middle``: to its middle. ``encoder``: to
    the encoder itself, behind the last block of each level.
    """

    down: tuple[Tensor, ...] | None = None
    middle: Tensor | None = None
    encoder: tuple[Tensor, ...] | None = None

    def __add__(self, other: Residuals) -> Residuals:
        """The sum of two; what is missing counts as nothing."""
        return Residuals(
            _sum_all(self.down, other.down),
            _sum(self.middle, other.middle),
            _sum_all(self.encoder, other.encoder),
        )


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a if b is None else b if a is None else a + b


def _sum_all(
    a: tuple[Tensor, ...] | None, b: tuple[Tensor, ...] | None
) -> tuple[Tensor, ...] | None:
    if a is None or b is None:
        return a if b is None else b
    return tuple(one + other for one, other in zip(a, b, strict=True))


class Control(Protocol):
    """A control network with its picture and strength, ready to be called."""

    def __call__(self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor | None) -> Residuals:
        """Residuals for a batch, in the network's dtype; arguments as for ``unet.predict``.

        A condition with an area gets the whole hint fitted into the area.
        """
        ...


OpenControl = Callable[[ControlApplication], Control]


@dataclass(frozen=True)
class TimedControl:
    """A control and the sigmas between which it acts."""

    control: Control
    sigma_start: float
    sigma_end: float


@dataclass(frozen=True, eq=False)
class Objects:
    """Tokens that say what lies where. ``tokens``: [1, N, D]."""

    tokens: Tensor


@dataclass(frozen=True, eq=False)
class PreparedCondition:
    """A condition on the device, resolved for one latent size.

    ``context``: [1 or B, T, D]. ``y``: [1, A]. ``weight``: a number or [1 or B, 1, h, w] over the
    box. ``concat``: [1 or B, C, H, W], further input channels over the whole latent.
    """

    context: Tensor
    y: Tensor | None
    box: Box | None
    weight: float | Tensor
    sigma_start: float
    sigma_end: float
    concat: Tensor | None = None
    controls: tuple[TimedControl, ...] = ()
    objects: Objects | None = None

    def active(self, sigma: float) -> bool:
        """Whether it says anything at ``sigma``."""
        return self.sigma_end <= sigma <= self.sigma_start


@dataclass(frozen=True, eq=False)
class Place:
    """What conditions are prepared for: the model, the latent's shape, the device.

    ``concat_of``: the further input channels that the network wants beside the noisy latent.
    ``seed``: the sampler's, for what is random in a condition. ``objects_of``: what a condition
    says to lie where, in a picture of so many latent pixels' height and width.
    """

    model: Model
    levels: ModelSampling
    shape: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype
    vector_width: int
    context_width: int
    concat_of: Callable[[Condition], Tensor | None]
    open_control: OpenControl
    seed: int = 0
    objects_of: Callable[[Condition, int, int], Objects | None] = lambda *_: None


Group = tuple[PreparedCondition, ...]


def prepare(conditionings: Sequence[Conditioning], place: Place) -> list[Group]:
    """The conditions of each conditioning, ready; the first one is the positive side.

    An area on one side is given to the other sides too, and control networks and placed objects
    on the positive side act on the negative one, the former unless they say otherwise.
    """
    groups = [
        [_prepared(condition, place, negative=index > 0) for condition in conditioning.conditions]
        for index, conditioning in enumerate(conditionings)
    ]
    if any(not group for group in groups):
        raise InputError("no_conditioning")
    for one, other in permutations(groups, 2):
        _share_areas(one, other)
    for negative in groups[1:]:
        _share_controls(conditionings[0].conditions, groups[0], negative)
        _share("objects", groups[0], negative)
    return [tuple(group) for group in groups]


def _prepared(condition: Condition, place: Place, *, negative: bool) -> PreparedCondition:
    context = condition.embedding
    if context.shape[-1] != place.context_width:
        got, expected = prompt_width(context.shape[-1]), prompt_width(place.context_width)
        raise InputError("context_width", got=got, expected=expected)
    height, width = place.shape[-2:]
    y = vector_of(
        condition,
        place.model.family,
        width=width * 8,
        height=height * 8,
        negative=negative,
        total=place.vector_width,
        seed=place.seed,
    )
    box, weight = _box_and_weight(condition, place)
    concat = place.concat_of(condition)
    shown = (height, width) if box is None else (box.height, box.width)
    return PreparedCondition(
        context=context.to(place.device, place.dtype),
        y=None if y is None else y.to(place.device, place.dtype),
        box=box,
        weight=weight,
        sigma_start=place.levels.percent_to_sigma(condition.start),
        sigma_end=place.levels.percent_to_sigma(condition.end),
        concat=None if concat is None else concat.to(place.device),
        controls=tuple(_timed(application, place) for application in condition.control),
        objects=place.objects_of(condition, *shown),
    )


def _timed(application: ControlApplication, place: Place) -> TimedControl:
    return TimedControl(
        place.open_control(application),
        place.levels.percent_to_sigma(application.start),
        place.levels.percent_to_sigma(application.end),
    )


# --- where a condition applies ---


def _box_and_weight(condition: Condition, place: Place) -> tuple[Box | None, float | Tensor]:
    height, width = place.shape[-2:]
    box = None if condition.area is None else area_box(condition.area, height, width)
    if condition.mask is None:
        if box is None:
            return None, condition.strength
        return box, (fade(box, height, width) * condition.strength).to(place.device)
    mask = resize_mask(condition.mask, height, width)
    if condition.mask_sets_area:
        box = bounding_box(mask, height, width)
    weight = mask * (condition.mask_strength * condition.strength)
    return box, (weight if box is None else box.crop(weight)).to(place.device)


def area_box(area: Area, height: int, width: int) -> Box:
    """An area in latent pixels, cut off at the edges of the latent."""
    if area.fraction:
        size = max(1, round(area.height * height)), max(1, round(area.width * width))
        corner = round(area.y * height), round(area.x * width)
    else:
        size = int(area.height), int(area.width)
        corner = int(area.y), int(area.x)
    y, x = min(corner[0], height - 1), min(corner[1], width - 1)
    return Box(min(size[0], height - y), min(size[1], width - x), y, x)


def fade(box: Box, height: int, width: int) -> Tensor:
    """Weights inside a box, [1, 1, h, w]: rising from its edges inside the picture."""
    rows = _ramp(box.height, before=box.y > 0, after=box.y + box.height < height)
    columns = _ramp(box.width, before=box.x > 0, after=box.x + box.width < width)
    return (rows[:, None] * columns[None, :])[None, None]


def _ramp(length: int, *, before: bool, after: bool) -> Tensor:
    weights = torch.ones(length)
    steps = min(FADE, length // 4)
    rise = torch.arange(1, steps + 1) / max(steps, 1)
    if before:
        weights[:steps] *= rise
    if after:
        weights[length - steps :] *= rise.flip(0)
    return weights


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask [B, H, W] or [B, 1, H, W] at the latent's size: [B, 1, height, width] float32."""
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if mask.shape[-2:] == (height, width):
        return mask
    return interpolate(mask, size=(height, width), mode="bilinear")


def bounding_box(mask: Tensor, height: int, width: int) -> Box:
    """The smallest box of at least 8 × 8 around what a mask [B, 1, H, W] touches."""
    touched = mask.abs().amax(dim=(0, 1)) > 0
    if not touched.any():
        return Box(min(8, height), min(8, width), 0, 0)
    rows, columns = touched.any(dim=1).nonzero().flatten(), touched.any(dim=0).nonzero().flatten()
    y, x = int(rows[0]), int(columns[0])
    tall, wide = int(rows[-1]) - y + 1, int(columns[-1]) - x + 1
    return Box(min(max(8, tall), height - y), min(max(8, wide), width - x), y, x)


# --- what the two sides share ---


def _share_areas(placed: Sequence[PreparedCondition], others: list[PreparedCondition]) -> None:
    """Let ``others`` speak about every area of the one: the tightest that covers it does."""
    for condition in placed:
        covering = None if condition.box is None else _covering(condition.box, others)
        if covering is not None:
            others.append(_with_words_of(covering, condition))


def _with_words_of(spoken: PreparedCondition, placed: PreparedCondition) -> PreparedCondition:
    return replace(placed, context=spoken.context, y=spoken.y, concat=spoken.concat)


def _covering(box: Box, conditions: list[PreparedCondition]) -> PreparedCondition | None:
    """The smallest condition that holds ``box``; None if none does or one has exactly this box."""
    holding = [c for c in conditions if c.box is None or box.inside(c.box)]
    if not holding or any(c.box == box for c in holding):
        return None
    return min(holding, key=_covered_area)


def _covered_area(condition: PreparedCondition) -> float:
    return float("inf") if condition.box is None else condition.box.height * condition.box.width


def _share_controls(
    given: Sequence[Condition],
    positive: list[PreparedCondition],
    negative: list[PreparedCondition],
) -> None:
    """Let the controls of the positive side act on the negative one, where they should."""
    willing = [
        prepared
        for condition, prepared in zip(given, positive, strict=False)
        if condition.control_on_negative
    ]
    _share("controls", willing, negative)


def _share(
    what: Literal["controls", "objects"],
    positive: Sequence[PreparedCondition],
    negative: list[PreparedCondition],
) -> None:
    """Give what steers the positive side to the negative one, if that has nothing of the kind.

    Only conditions without an area give and take, in turn.
    """
    takers = [index for index, condition in enumerate(negative) if condition.box is None]
    if not takers or any(getattr(negative[index], what) for index in takers):
        return
    given = [getattr(condition, what) for condition in positive if condition.box is None]
    for turn, steering in enumerate(found for found in given if found):
        index = takers[turn % len(takers)]
        negative[index] = replace(negative[index], **{what: steering})

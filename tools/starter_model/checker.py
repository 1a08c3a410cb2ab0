"""Says what a picture shows, from its pixels alone: things and background.

Program logic: the background is the nearest named colour of the border; what differs from it
falls into connected parts; each part has a nearest colour, a place, and a nearest shape among
silhouettes that are drawn once from fixed seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import scenes
from numpy.typing import NDArray
from scenes import BACKGROUNDS, COLOURS, POSITIONS, SHAPES, SIZES, Scene, Thing
from scipy import ndimage

STANDS_OUT = 30.0  # RGB distance from the background
SMALLEST_PART = 120  # pixels; the smallest thing drawn, a star, has about 300
OUTLINE_LIMIT = 0.032  # mean squared difference to the nearest silhouette; more is no known shape
COLOUR_LIMIT = 75.0  # RGB distance; more is no named colour
PLACE_LIMIT = 16.0  # pixels from the position's middle
SMALL_LIMIT = 37.7  # pixels; a thing whose longer side is more is large
SILHOUETTE = 24  # pixels a side


@dataclass(frozen=True)
class Sight:
    """What a picture shows. A thing's attribute is "unknown" where nothing named is near."""

    things: tuple[Thing, ...]
    background: str


def look(picture: NDArray[np.uint8], shapes: tuple[str, ...] = SHAPES) -> Sight:
    """What the picture [128, 128, 3] shows, of these shapes; things are sorted by position."""
    pixels = _without_grain(picture.astype(np.float32))
    ground = np.median(_border(pixels), axis=0)
    parts = _parts(np.linalg.norm(_smooth(pixels) - ground, axis=2))
    things = [_thing(pixels, part, ground, shapes) for part in parts]
    return Sight(tuple(sorted(things, key=_order)), _nearest(ground, BACKGROUNDS))


def agreement(sight: Sight, scene: Scene) -> dict[str, bool]:
    """Per attribute, whether what was seen is what the scene says; `all` needs every one."""
    wanted = sorted(scene.things, key=_order)
    result = {"background": sight.background == scene.background}
    result["count"] = len(sight.things) == len(wanted)
    for name in ("shape", "colour", "position"):
        seen = [getattr(thing, name) for thing in sight.things]
        result[name] = seen == [getattr(thing, name) for thing in wanted]
    # A size that the scene leaves open is whatever is seen.
    result["size"] = len(sight.things) == len(wanted) and all(
        thing.size in ("", seen.size) for seen, thing in zip(sight.things, wanted, strict=True)
    )
    result["all"] = all(result.values())
    return result


def _order(thing: Thing) -> tuple[str, str, str]:
    return thing.position, thing.shape, thing.colour


def _border(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    edge = 4
    rows = (pixels[:edge], pixels[-edge:], pixels[:, :edge].swapaxes(0, 1))
    return np.concatenate([row.reshape(-1, 3) for row in rows])


def _smooth(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9


def _without_grain(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pixels less what the grain tile does to the border, estimated on its two signs."""
    sign = scenes.GRAIN[:, :, 0] > 0
    edge = np.zeros_like(sign)
    edge[:8] = edge[-8:] = edge[:, :8] = edge[:, -8:] = True
    raised, lowered = (np.median(pixels[edge & s], axis=0) for s in (sign, ~sign))
    grain = (raised - lowered) / 2
    return np.where(sign[:, :, None], pixels - grain, pixels + grain).clip(0, 255)


def _parts(distance: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
    """Connected parts that stand out, each cut at half of its own strongest difference."""
    parts = []
    for seed in _components(distance > STANDS_OUT):
        strongest = float(np.percentile(distance[seed], 90))
        parts += _components(seed & (distance > 0.5 * strongest))
    return [part for part in parts if part.sum() >= SMALLEST_PART]


def _components(inside: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    labels, count = ndimage.label(inside)
    return [labels == i for i in range(1, count + 1)]


def _thing(
    pixels: NDArray[np.float32],
    part: NDArray[np.bool_],
    ground: NDArray[np.float32],
    shapes: tuple[str, ...],
) -> Thing:
    ys, xs = np.nonzero(part)
    middle = ((xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2)
    far = np.linalg.norm(pixels - ground, axis=2)
    core = part & (far >= np.percentile(far[part], 40))
    colour = np.median(pixels[core], axis=0)
    return Thing(
        shape=_shape(_silhouette(pixels, part, ground, colour), shapes),
        colour=_nearest(colour, COLOURS),
        position=_place(middle),
        size="large" if max(np.ptp(xs), np.ptp(ys)) + 1 > SMALL_LIMIT else "small",
    )


def _nearest(colour: NDArray[np.float32], names: dict[str, tuple[int, int, int]]) -> str:
    """The name whose colour, or its washed-out form in low-quality pictures, is nearest."""
    distances = {}
    for name, value in names.items():
        washed = np.asarray(value) + scenes.WASH_OUT * (128 - np.asarray(value))
        distances[name] = min(float(np.linalg.norm(colour - v)) for v in (value, washed))
    best = min(distances, key=distances.__getitem__)
    return best if distances[best] <= COLOUR_LIMIT else "unknown"


def _place(middle: tuple[float, float]) -> str:
    distances = {
        name: float(np.hypot(middle[0] - x, middle[1] - y)) for name, (x, y) in POSITIONS.items()
    }
    best = min(distances, key=distances.__getitem__)
    return best if distances[best] <= PLACE_LIMIT else "unknown"


def _silhouette(
    pixels: NDArray[np.float32],
    part: NDArray[np.bool_],
    ground: NDArray[np.float32],
    colour: NDArray[np.float32],
) -> NDArray[np.float32]:
    """How much of the thing's colour is at each place of a square around it: [24, 24] in 0..1."""
    axis = colour - ground
    share = ((pixels - ground) @ axis / max(float(axis @ axis), 1.0)).clip(0, 1)
    ys, xs = np.nonzero(part)
    side = 1.15 * max(xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
    steps = (np.arange(SILHOUETTE) + 0.5) / SILHOUETTE * side - side / 2
    rows = (ys.min() + ys.max() + 1) / 2 + steps
    columns = (xs.min() + xs.max() + 1) / 2 + steps
    return _sample(share, rows, columns)


def _sample(
    values: NDArray[np.float32], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Bilinear samples at pixel coordinates, where a pixel's middle is at +0.5; 0 outside."""
    padded = np.pad(values, 1)
    y, x = (v.clip(-0.5, scenes.SIZE + 0.49) + 0.5 for v in (rows, columns))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = (y - top)[:, None], (x - left)[None, :]
    upper = padded[top][:, left] * (1 - right) + padded[top][:, left + 1] * right
    lower = padded[top + 1][:, left] * (1 - right) + padded[top + 1][:, left + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)


def _shape(silhouette: NDArray[np.float32], shapes: tuple[str, ...]) -> str:
    names, known = _known_silhouettes(shapes)
    errors = ((known - silhouette) ** 2).mean(axis=(1, 2))
    best = int(errors.argmin())
    return names[best] if errors[best] <= OUTLINE_LIMIT else "unknown"


_KNOWN_FORMS = [
    (size, quality)
    for size in SIZES
    for quality, count in (("plain", 12), ("blurry", 12), ("low quality", 6), ("noisy", 6))
    for _ in range(count)
]


@cache
def _known_silhouettes(shapes: tuple[str, ...]) -> tuple[list[str], NDArray[np.float32]]:
    """Silhouettes of drawn things, clean, blurred and grained: names and [N, 24, 24]."""
    rng = Random("silhouettes")
    names, known = [], []
    for shape in shapes:
        for size, quality in _KNOWN_FORMS:
            thing = Thing(shape, "red", rng.choice(tuple(POSITIONS)), size)
            scene = Scene((thing,), "white", quality)
            pixels = _without_grain(np.asarray(scenes.draw(scene, rng), dtype=np.float32))
            ground = np.median(_border(pixels), axis=0)
            far = np.linalg.norm(_smooth(pixels) - ground, axis=2)
            part = max(_parts(far), key=np.sum)
            core = part & (far >= np.percentile(far[part], 40))
            colour = np.median(pixels[core], axis=0)
            names.append(shape)
            known.append(_silhouette(pixels, part, ground, colour))
    return names, np.stack(known)

"""Scenes of the starter model: flat shapes on plain backgrounds, and their captions.

A scene is a value (`Scene`); `draw` makes its picture and `caption` its English wording.
`is_held_out` names the combinations that no training picture or caption ever shows.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 128
SUPERSAMPLE = 3
HELD_OUT_PERCENT = 15
WASH_OUT = 0.3  # towards gray, in low-quality pictures

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 25, 35),
    "green": (40, 165, 60),
    "blue": (40, 95, 240),
    "yellow": (250, 222, 40),
    "orange": (248, 130, 20),
    "purple": (140, 45, 190),
    "pink": (255, 135, 195),
    "cyan": (55, 215, 225),
    "magenta": (235, 20, 170),
    "lime": (150, 240, 20),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "black": (10, 10, 10),
    "gray": (140, 140, 140),
    "brown": (105, 65, 38),
    "navy": (18, 22, 82),
    "beige": (236, 216, 178),
    "teal": (0, 105, 105),
    "lavender": (205, 190, 250),
}
POSITIONS: dict[str, tuple[int, int]] = {
    "left": (32, 64),
    "right": (96, 64),
    "top": (64, 32),
    "bottom": (64, 96),
    "center": (64, 64),
}
OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
SHAPES = (
    *("circle", "square", "triangle", "star", "heart", "cross", "diamond", "ring"),
    *("oval", "moon", "arrow", "hourglass"),
)
NEW_SHAPES = ("pentagon",)  # in no picture or caption of the base's training
SIZES = {"small": (15.0, 16.5), "large": (24.0, 27.0)}  # radius in pixels, from and to
QUALITIES = ("plain", "sharp", "blurry", "noisy", "low quality")


@dataclass(frozen=True)
class Thing:
    """One object of a scene."""

    shape: str
    colour: str
    position: str
    size: str = ""  # one of SIZES; "" where a caption leaves it open


@dataclass(frozen=True)
class Scene:
    """What a picture shows: one or two things on a background, at a picture quality."""

    things: tuple[Thing, ...]
    background: str
    quality: str = "plain"


@dataclass(frozen=True)
class Wording:
    """A caption, and which parts of its scene it names."""

    text: str
    names_things: bool = True
    names_background: bool = True
    names_position: bool = True
    names_size: bool = True


def is_held_out(thing: Thing, background: str) -> bool:
    """Whether this combination is kept out of all training pictures and captions."""
    key = f"{thing.shape}/{thing.colour}/{background}/{thing.position}".encode()
    return hashlib.sha256(key).digest()[0] * 100 < HELD_OUT_PERCENT * 256


def is_unseen(scene: Scene) -> bool:
    """Whether any thing of the scene is a held-out combination."""
    return any(is_held_out(thing, scene.background) for thing in scene.things)


def random_scene(rng: Random, *, things: int = 1, unseen: bool = False) -> Scene:
    """A plain scene, of the training combinations or (`unseen`) of the held-out ones."""
    while True:
        scene = Scene(_random_things(rng, things), rng.choice(tuple(BACKGROUNDS)))
        if is_unseen(scene) == unseen:
            return scene


def draw(scene: Scene, rng: Random) -> Image.Image:
    """The scene's picture, 128×128 RGB, with a slight jitter of place, size and colours."""
    ground = _jitter_colour(BACKGROUNDS[scene.background], rng)
    large = Image.new("RGB", (SIZE * SUPERSAMPLE, SIZE * SUPERSAMPLE), ground)
    pen = ImageDraw.Draw(large)
    for thing in scene.things:
        _draw_thing(pen, thing, ground, rng)
    return _degrade(large.resize((SIZE, SIZE), Image.Resampling.BOX), scene.quality, rng)


def caption(scene: Scene, rng: Random) -> Wording:
    """A random English wording of the scene; now and then it leaves a part of the scene open."""
    quality = _quality_words(scene.quality, rng)
    if quality and rng.random() < 0.15:
        return Wording(quality, names_things=False, names_background=False, names_position=False)
    wording = _one_thing(scene, rng) if len(scene.things) == 1 else _two_things(scene, rng)
    text = wording.text
    if quality:
        text = f"{text}, {quality}" if rng.random() < 0.6 else f"{quality}, {text}"
    if rng.random() < 0.1:
        text += "."
    return Wording(
        text.replace("a orange", "an orange"),
        names_background=wording.names_background,
        names_position=wording.names_position,
        names_size=wording.names_size,
    )


def full_caption(scene: Scene, rng: Random) -> str:
    """A wording that names everything in the scene."""
    while True:
        wording = caption(scene, rng)
        if replace(wording, text="") == Wording(""):
            return wording.text


def read(text: str) -> Scene | None:
    """The scene that a caption of this grammar names; None where more than a size is left open."""
    words = ["", *re.findall("[a-z]+", text.lower())]
    names = [
        (_size_of(before), colour, shape)
        for before, colour, shape in zip(words, words[1:], words[2:], strict=False)
        if colour in COLOURS and shape in SHAPES + NEW_SHAPES
    ]
    places = [place for word in words if (place := _place_of(word))]
    grounds = [ground for ground in BACKGROUNDS if {ground, *_GRAY.get(ground, ())} & {*words}]
    if not names or len(names) != len(places) or len(grounds) != 1:
        return None
    things = (
        Thing(shape, colour, place, size)
        for (size, colour, shape), place in zip(names, places, strict=True)
    )
    return Scene(tuple(things), grounds[0])


def pictures(scenes: Sequence[Scene], rng: Random) -> NDArray[np.uint8]:
    """The scenes drawn: [N, 128, 128, 3] uint8."""
    return np.stack([np.asarray(draw(scene, rng)) for scene in scenes])


def training_scene(rng: Random) -> Scene:
    """A scene as training mixes them: half with two things, 25 % with a quality word."""
    scene = random_scene(rng, things=2 if rng.random() < 0.5 else 1)
    quality = rng.choice(QUALITIES[1:]) if rng.random() < 0.25 else "plain"
    return Scene(scene.things, scene.background, quality)


def _random_things(rng: Random, count: int) -> tuple[Thing, ...]:
    place = rng.choice(tuple(POSITIONS) if count == 1 else tuple(OPPOSITE))
    first = _random_thing(rng, place)
    return (first,) if count == 1 else (first, _random_thing(rng, OPPOSITE[place]))


def _random_thing(rng: Random, place: str) -> Thing:
    names = (rng.choice(tuple(choices)) for choices in (SHAPES, COLOURS, SIZES))
    shape, colour, size = names
    return Thing(shape, colour, place, size)


def _jitter_colour(colour: tuple[int, int, int], rng: Random) -> tuple[int, int, int]:
    red, green, blue = (max(0, min(255, c + rng.randint(-5, 5))) for c in colour)
    return red, green, blue


def _draw_thing(
    pen: ImageDraw.ImageDraw, thing: Thing, ground: tuple[int, int, int], rng: Random
) -> None:
    scale = SUPERSAMPLE
    x, y = (scale * (c + rng.uniform(-3, 3)) for c in POSITIONS[thing.position])
    radius = scale * rng.uniform(*SIZES[thing.size])
    colour = _jitter_colour(COLOURS[thing.colour], rng)
    if thing.shape in ("circle", "ring"):
        pen.ellipse(_box(x, y, 0.95 * radius), fill=colour)
        if thing.shape == "ring":
            pen.ellipse(_box(x, y, 0.5 * radius), fill=ground)
        return
    if thing.shape == "oval":
        pen.ellipse((x - radius, y - 0.6 * radius, x + radius, y + 0.6 * radius), fill=colour)
        return
    outline = _OUTLINES[thing.shape]
    pen.polygon([(x + radius * u, y + radius * v) for u, v in outline], fill=colour)


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _star() -> list[tuple[float, float]]:
    corners = []
    for i in range(10):
        reach, angle = (1.08 if i % 2 == 0 else 0.45), math.pi * i / 5
        corners.append((reach * math.sin(angle), 0.06 - reach * math.cos(angle)))
    return corners


def _heart() -> list[tuple[float, float]]:
    corners = []
    for i in range(48):
        t = 2 * math.pi * i / 48
        u = 16 * math.sin(t) ** 3
        v = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        corners.append((u / 16.5, -(v + 2.5) / 15.5))
    return corners


def _moon() -> list[tuple[float, float]]:
    """A crescent: the unit circle less one around (0.45, 0) that meets it at 50 degrees."""
    horn, aside = math.radians(50), 0.45
    inner = math.hypot(math.cos(horn) - aside, math.sin(horn))
    inner_horn = math.atan2(math.sin(horn), math.cos(horn) - aside)
    corners = []
    for i in range(41):
        angle = horn + 2 * (math.pi - horn) * i / 40
        corners.append((math.cos(angle), math.sin(angle)))
    for i in range(1, 40):
        angle = -inner_horn - 2 * (math.pi - inner_horn) * i / 40
        corners.append((aside + inner * math.cos(angle), inner * math.sin(angle)))
    return [(u + 0.18, v) for u, v in corners]


_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(0, -0.95), (1.0, 0.8), (-1.0, 0.8)],
    "diamond": [(0, -1.05), (0.78, 0), (0, 1.05), (-0.78, 0)],
    "cross": [
        *((-0.33, -1), (0.33, -1), (0.33, -0.33), (1, -0.33), (1, 0.33), (0.33, 0.33)),
        *((0.33, 1), (-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33)),
    ],
    "pentagon": [
        (math.sin(2 * math.pi * i / 5), 0.08 - math.cos(2 * math.pi * i / 5)) for i in range(5)
    ],
    "arrow": [
        *((-1, -0.3), (0.1, -0.3), (0.1, -0.85), (1, 0)),
        *((0.1, 0.85), (0.1, 0.3), (-1, 0.3)),
    ],
    "hourglass": [
        *((-0.8, -0.95), (0.8, -0.95), (0.2, 0)),
        *((0.8, 0.95), (-0.8, 0.95), (-0.2, 0)),
    ],
    "moon": _moon(),
    "star": _star(),
    "heart": _heart(),
}


def _degrade(picture: Image.Image, quality: str, rng: Random) -> Image.Image:
    if quality == "blurry":
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(2.8, 3.6)))
    if quality == "noisy":
        return _add_grain(picture, rng, rng.uniform(14, 24))
    if quality == "low quality":
        blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(2.2, 3.0)))
        return _add_grain(_wash_out(blurred), rng, rng.uniform(8, 14))
    return picture


def _grain_tile() -> NDArray[np.float32]:
    # One fixed coarse pattern: an autoencoder would average fine random grain away.
    coarse = np.random.default_rng(7).choice([-1.0, 1.0], size=(SIZE // 8, SIZE // 8))
    return np.kron(coarse, np.ones((8, 8))).astype(np.float32)[:, :, None]


GRAIN = _grain_tile()


def _add_grain(picture: Image.Image, rng: Random, amplitude: float) -> Image.Image:
    values = np.asarray(picture, dtype=np.float32) + amplitude * rng.choice((-1, 1)) * GRAIN
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def _wash_out(picture: Image.Image) -> Image.Image:
    return Image.blend(picture, Image.new("RGB", picture.size, (128, 128, 128)), WASH_OUT)


_POSITION_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("left", "on the left", "at the left", "on the left side", "to the left"),
    "right": ("right", "on the right", "at the right", "on the right side", "to the right"),
    "top": ("top", "at the top", "on top", "on the top side", "in the upper part"),
    "bottom": ("bottom", "at the bottom", "on the bottom side", "in the lower part"),
    "center": ("center", "centre", "in the center", "in the middle", "in the centre", "centered"),
}
_QUALITY_WORDS: dict[str, tuple[str, ...]] = {
    "plain": ("",),
    "sharp": ("sharp", "crisp", "high quality", "sharp picture"),
    "blurry": ("blurry", "blurred", "out of focus", "blurry picture"),
    "noisy": ("noisy", "grainy", "noisy picture", "noise"),
    "low quality": ("low quality", "bad quality", "worst quality", "low quality picture"),
}
_SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
}
_SIZE_NAMED = 0.7  # of the captions; the others leave every size open
_GRAY = {"gray": ("gray", "grey")}
_ONE_THING = (
    "a {thing} {place}, {ground} background",
    "a {thing} {place} on a {ground} background",
    "a {thing} on a {ground} background, {place}",
    "a {thing}, {place}, on {ground}",
    "{thing}, {ground} background, {place}",
    "{thing} {place}, {ground} background",
    "{ground} background with a {thing} {place}",
    "on a {ground} background, a {thing} {place}",
    "a picture of a {thing} {place} on a {ground} background",
    "there is a {thing} {place}; the background is {ground}",
    "a {ground} picture with a {thing} {place}",
    "{place}: a {thing} on {ground}",
)
_TWO_THINGS = (
    "a {thing} {place} and a {other} {there}, {ground} background",
    "a {thing} {place} and a {other} {there} on a {ground} background",
    "{ground} background with a {thing} {place} and a {other} {there}",
    "a picture of a {thing} {place}, a {other} {there}, on a {ground} background",
    "{thing} {place}, {other} {there}, {ground} background",
    "on a {ground} background, a {thing} {place} and a {other} {there}",
    "two objects: a {thing} {place}, a {other} {there}; the background is {ground}",
)


def _quality_words(quality: str, rng: Random) -> str:
    return rng.choice(_QUALITY_WORDS[quality])


def _ground_words(background: str, rng: Random) -> str:
    return rng.choice(_GRAY.get(background, (background,)))


def _size_of(word: str) -> str:
    """The size that a word names, "" if none."""
    return next((size for size, words in _SIZE_WORDS.items() if word in words), "")


def _named(thing: Thing, rng: Random, *, with_size: bool) -> str:
    name = f"{thing.colour} {thing.shape}"
    return f"{rng.choice(_SIZE_WORDS[thing.size])} {name}" if with_size else name


def _place_of(word: str) -> str | None:
    if word in POSITIONS:
        return word
    return {
        "upper": "top",
        "lower": "bottom",
        "centre": "center",
        "centered": "center",
        "middle": "center",
    }.get(word)


def _one_thing(scene: Scene, rng: Random) -> Wording:
    thing = scene.things[0]
    sized = rng.random() < _SIZE_NAMED
    name = _named(thing, rng, with_size=sized)
    ground = _ground_words(scene.background, rng)
    place = rng.choice(_POSITION_WORDS[thing.position])
    chance = rng.random()
    if chance < 0.05:
        text = rng.choice((f"a {name}", name, f"a picture of a {name}"))
        return Wording(text, names_background=False, names_position=False, names_size=sized)
    if chance < 0.10:
        text = rng.choice((f"a {name} on a {ground} background", f"{name}, {ground} background"))
        return Wording(text, names_position=False, names_size=sized)
    if chance < 0.13:
        return Wording(f"a {name} {place}", names_background=False, names_size=sized)
    text = rng.choice(_ONE_THING).format(thing=name, place=place, ground=ground)
    return Wording(text, names_size=sized)


def _two_things(scene: Scene, rng: Random) -> Wording:
    one, two = scene.things
    sized = rng.random() < _SIZE_NAMED
    text = rng.choice(_TWO_THINGS).format(
        thing=_named(one, rng, with_size=sized),
        place=rng.choice(_POSITION_WORDS[one.position]),
        other=_named(two, rng, with_size=sized),
        there=rng.choice(_POSITION_WORDS[two.position]),
        ground=_ground_words(scene.background, rng),
    )
    return Wording(text, names_size=sized)

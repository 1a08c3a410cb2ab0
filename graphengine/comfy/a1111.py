"""The settings text that the Stable Diffusion web UI (AUTOMATIC1111, Forge) writes into pictures.

Lines of the prompt, ``Negative prompt: …``, and last ``Steps: 20, Sampler: Euler a, …``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PAIR = re.compile(r'\s*(\w[\w \-/+]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt:"
_LORA = re.compile(r"<(lora|lyco|hypernet):([^<>:]+)(?::([^<>]*))?>")
_HASHES = re.compile(r"([^:,]+):\s*([0-9a-fA-F]+)")


@dataclass(frozen=True)
class Network:
    """A LoRA or hypernetwork that the prompt names, with its strengths for model and text."""

    kind: str
    name: str
    model_strength: float
    text_strength: float


@dataclass(frozen=True)
class Settings:
    """What such a text says; ``values`` are its settings by name, as they are written."""

    positive: str
    negative: str
    values: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """A setting as a number; the default if it is absent or none."""
        try:
            return float(self.values.get(name, ""))
        except ValueError:
            return default

    def whole(self, name: str, default: int) -> int:
        """A setting as a whole number; the default if it is absent or none."""
        text = self.values.get(name, "").strip()
        return int(text) if re.fullmatch(r"-?\d{1,20}", text) else default

    def size(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """A setting such as ``512x768``."""
        found = re.fullmatch(r"\s*(\d{1,5})\s*[x×]\s*(\d{1,5})\s*", self.values.get(name, ""))
        return (int(found[1]), int(found[2])) if found else default

    def hashes(self, name: str) -> dict[str, str]:
        """A setting such as ``name: 12ab, other: 34cd``."""
        found = _HASHES.findall(self.values.get(name, ""))
        return {key.strip(): digest.lower() for key, digest in found}


def is_settings(text: str) -> bool:
    """Whether a text has the last line of such settings."""
    return any(_settings_line(line) for line in text.splitlines())


def parse_settings(text: str) -> Settings:
    """The prompts and the settings; a text without settings is all prompt."""
    lines = text.replace("\r\n", "\n").strip().split("\n")
    start = next(
        (place for place in reversed(range(len(lines))) if _settings_line(lines[place])), len(lines)
    )
    values = _pairs("\n".join(lines[start:]))
    prompts = lines[:start]
    split = next(
        (place for place, line in enumerate(prompts) if line.startswith(_NEGATIVE)), len(prompts)
    )
    negative = "\n".join(prompts[split:]).removeprefix(_NEGATIVE)
    return Settings("\n".join(prompts[:split]).strip(), negative.strip(), values)


def networks(prompt: str) -> tuple[str, tuple[Network, ...]]:
    """The prompt without its ``<lora:name:weight>`` tags, and what they name."""
    found = []
    for kind, name, arguments in _LORA.findall(prompt):
        model, text = _strengths(arguments)
        kind = "hypernetworks" if kind == "hypernet" else "loras"
        found.append(Network(kind, name.strip(), model, text))
    plain = _LORA.sub("", prompt)
    return re.sub(r"[ \t]{2,}", " ", plain).strip(" ,") if found else prompt, tuple(found)


def _settings_line(line: str) -> bool:
    return bool(re.match(r"\s*Steps:\s*\d", line)) or (
        "Sampler: " in line and "Seed: " in line and not line.startswith(_NEGATIVE)
    )


def _pairs(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in _PAIR.findall(text.replace("\n", " ")):
        values.setdefault(name.strip(), _unquoted(value.strip()))
    return values


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def _strengths(arguments: str) -> tuple[float, float]:
    """``0.8`` is for both; ``te=0.5:unet=0.7`` or ``0.5:0.7`` (text first) for each its own."""
    named: dict[str, float] = {}
    plain: list[float] = []
    for part in arguments.split(":"):
        name, equals, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            continue
        if equals:
            named[name.strip()] = number
        else:
            plain.append(number)
    text = named.get("te", plain[0] if plain else 1.0)
    model = named.get("unet", plain[1] if len(plain) > 1 else text)
    return model, text

"""Makes a new plugin: a small example that works, with all that a good plugin has."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from graphengine.errors import GraphEngineError

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def create_plugin(name: str, folder: Path) -> tuple[Path, ...]:
    """Write the example into ``folder/name``; its files. Raises GraphEngineError."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise GraphEngineError("plugin_name", name=name)
    target = folder / name
    if target.exists():
        raise GraphEngineError("plugin_exists", path=str(target))
    words = {"NAME": name, "PACKAGE": name.replace("-", "_"), "PREFIX": _prefix(name)}
    template = resources.files("graphengine.plugin_tools") / "template"
    return tuple(_written(template, target, words))


def _prefix(name: str) -> str:
    return "".join(word.capitalize() for word in re.split("[-_]", name))


def _written(entry: Traversable, target: Path, words: dict[str, str]) -> list[Path]:
    if entry.is_dir():
        target.mkdir(parents=True)
        found: list[Path] = []
        for child in sorted(entry.iterdir(), key=lambda child: child.name):
            name = _filled(child.name, words).removesuffix(".txt")
            found += _written(child, target / name, words)
        return found
    target.write_text(_filled(entry.read_text(encoding="utf-8"), words), encoding="utf-8")
    return [target]


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"__{word}__", value)
    return text

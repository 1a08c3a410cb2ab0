"""Names of ComfyUI's modules that plugins import and that mean nothing here.

They can be imported, derived from and asked by ``isinstance``, so that one of them does not take a
whole plugin with it; a node that uses one fails with its name.
"""

from __future__ import annotations

import logging
from abc import ABCMeta
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError

logger = logging.getLogger(__name__)

_NAMES = Path(__file__).with_name("absent_names.txt")
"""``module: name name …``, a module on as many lines as it takes."""


class Absent(ABCMeta):
    """A class that stands for such a name; ABCMeta, so that plugins may mix it with ABC."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        raise GraphEngineError("hosted_absent", name=_told(cls))

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _made(f"{_told(cls)}.{name}")

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_") and "_absent" in vars(cls):
            logger.warning(
                "a plugin replaced %s.%s, which has no effect in graphengine", _told(cls), name
            )

    def __iter__(cls) -> Any:
        raise GraphEngineError("hosted_absent", name=_told(cls))


def absent(module: str, name: str) -> Any:
    """What stands for a name; None for one that ComfyUI does not have, or that is not known."""
    return _made(f"{module}.{name}") if name in _table().get(module, ()) else None


def absent_modules() -> frozenset[str]:
    """The modules that have such names, and the packages above them."""
    found = set(_table())
    for module in _table():
        parts = module.split(".")
        found |= {".".join(parts[:count]) for count in range(1, len(parts))}
    return frozenset(found)


@cache
def _table() -> Mapping[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _NAMES.read_text(encoding="utf-8").splitlines():
        module, _, names = line.partition(": ")
        table.setdefault(module, set()).update(names.split())
    return {module: frozenset(names) for module, names in table.items()}


@cache
def _made(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return Absent(last, (), {"__module__": module, "__qualname__": last, "_absent": name})


def _told(cls: Any) -> str:
    """The name that a class, or the one that it derives from, stands for."""
    return str(type.__getattribute__(cls, "_absent"))

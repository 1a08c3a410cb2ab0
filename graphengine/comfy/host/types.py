"""Types of links as ComfyUI's nodes write them, and which fit together."""

from __future__ import annotations

from typing import Any

WIDGET_TYPES = frozenset(("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"))


class Declared(str):
    """A type's name that also knows what was declared: a list of choices, or a plain ``*``."""

    __slots__ = ("raw",)
    raw: Any

    def __new__(cls, name: str, raw: Any) -> Declared:
        made = super().__new__(cls, name)
        made.raw = raw
        return made


def named(raw: Any) -> str:
    """The type as the engine knows it; the object itself where its own comparison decides."""
    if isinstance(raw, list | tuple):
        return Declared("COMBO", list(raw))
    if type(raw) is str and raw == "*":
        return Declared("*", raw)
    return raw if isinstance(raw, str) else Declared(str(raw), raw)


def fits(wanted: Any, offered: Any) -> bool:
    """Whether ComfyUI lets a link of type ``offered`` into an input that declares ``wanted``.

    Equal by the types' own ``!=``, or sets of names, separated by commas, that share one. A ``*``
    of one of our own nodes fits everything.
    """
    raw = offered.raw if isinstance(offered, Declared) else offered
    wanted = list(wanted) if isinstance(wanted, tuple) else wanted
    if type(offered) is str and offered == "*":
        return True
    if not raw != wanted:  # noqa: SIM202  # types override their != , not their ==
        return True
    if not isinstance(raw, str) or not isinstance(wanted, str):
        return False
    return not _names(raw).isdisjoint(_names(wanted))


def _names(types: str) -> set[str]:
    return {name.strip() for name in types.split(",")}

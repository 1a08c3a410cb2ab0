"""Single values, to set in one place what several nodes use."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Bool, Float, Int, Text, node

_LIMIT = 2**63 - 1


@node("PrimitiveInt", title="Int", category="utils/primitive", search=("number", "integer"))
def integer(value: Annotated[int, Int(ge=-_LIMIT, le=_LIMIT, help="A whole number.")]) -> int:
    """A whole number for other nodes."""
    return value


@node("PrimitiveFloat", title="Float", category="utils/primitive", search=("number", "decimal"))
def number(value: Annotated[float, Float(ge=-_LIMIT, le=_LIMIT, help="A number.")]) -> float:
    """A number for other nodes."""
    return value


@node("PrimitiveString", title="String", category="utils/primitive", search=("text",))
def string(value: Annotated[str, Text(help="A line of text.")]) -> str:
    """A line of text for other nodes."""
    return value


@node(
    "PrimitiveStringMultiline",
    title="String (Multiline)",
    category="utils/primitive",
    search=("text",),
)
def text(value: Annotated[str, Text(multiline=True, help="A text of any length.")]) -> str:
    """A text of several lines for other nodes."""
    return value


@node("PrimitiveBoolean", title="Boolean", category="utils/primitive", search=("switch",))
def boolean(value: Annotated[bool, Bool(help="On or off.")]) -> bool:
    """A switch for other nodes."""
    return value

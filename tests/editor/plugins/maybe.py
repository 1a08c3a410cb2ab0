"""A node whose number may be left out; needs no model."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Artifacts, Float, node


@node("MaybeScale", title="Maybe scale")
def maybe_scale(scale: Annotated[float | None, Float(ge=1, le=9)] = None) -> Artifacts:
    """Says the scale, if there is one."""
    return Artifacts(texts=(f"scale: {scale}",))

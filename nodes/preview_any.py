"""Any value shown as text."""

from __future__ import annotations

from typing import Annotated, Any

from graphengine.api import Artifacts, Help, node


@node("PreviewAny", title="Preview Any", category="utils", search=("show", "print", "debug"))
def preview(source: Annotated[Any, Help("What to look at.")]) -> Artifacts:
    """Show a value: texts and numbers as they are, of pictures and latents size and range."""
    if source is None or isinstance(source, str | int | float):
        return Artifacts(texts=(str(source),))
    from graphengine.diffusion.description import describe

    return Artifacts(texts=(describe(source),))

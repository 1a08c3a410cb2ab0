"""Tell a ControlNet for many kinds of pictures which kind it gets."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Choice, ControlNet, Help, UnionKind, node


@node(
    "SetUnionControlNetType",
    title="SetUnionControlNetType",
    category="conditioning/controlnet",
    search=("union", "promax", "control type"),
)
def set_union_type(
    *,
    control_net: Annotated[ControlNet, Help("A union ControlNet; others stay as they are.")],
    type: Annotated[
        UnionKind,
        Choice(help="What the picture is: a pose, a depth map, edges, …; auto = not told."),
    ] = "auto",
) -> ControlNet:
    """Tell a ControlNet for many kinds of pictures (union) which kind it gets."""
    from graphengine.diffusion.control import set_union_kind

    return set_union_kind(control_net, type)

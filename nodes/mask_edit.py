"""Masks made, changed and combined."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Bool, Choice, Float, Help, Int, Mask, node

_MASK = Help("The mask to change.")


@node("SolidMask", title="SolidMask", category="mask", search=("fill",))
def solid(
    value: Annotated[float, Float(ge=0.0, le=1.0, step=0.01, help="0 = free, 1 = masked.")] = 1.0,
    width: Annotated[int, Int(ge=1, le=16384, help="Width in pixels.")] = 512,
    height: Annotated[int, Int(ge=1, le=16384, help="Height in pixels.")] = 512,
) -> Mask:
    """Make a mask of the same value everywhere."""
    from graphengine.diffusion.masks import solid

    return solid(value, width, height)


@node("InvertMask", title="InvertMask", category="mask", search=("negative",))
def invert(mask: Annotated[Mask, _MASK]) -> Mask:
    """Mask what was free and free what was masked."""
    from graphengine.diffusion.masks import invert

    return invert(mask)


@node("CropMask", title="CropMask", category="mask", search=("cut",))
def crop(
    *,
    mask: Annotated[Mask, Help("The mask to cut from.")],
    x: Annotated[int, Int(ge=0, le=16384, help="Pixels left of the part.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, help="Pixels above the part.")] = 0,
    width: Annotated[int, Int(ge=1, le=16384, help="Width of the part in pixels.")] = 512,
    height: Annotated[int, Int(ge=1, le=16384, help="Height of the part in pixels.")] = 512,
) -> Mask:
    """Cut a rectangle out of a mask; it ends where the mask does."""
    from graphengine.diffusion.masks import crop

    return crop(mask, x=x, y=y, width=width, height=height)


@node("MaskComposite", title="MaskComposite", category="mask", search=("combine", "union"))
def composite(
    *,
    destination: Annotated[Mask, Help("The mask to start from.")],
    source: Annotated[Mask, Help("The mask that is applied to it.")],
    x: Annotated[int, Int(ge=0, le=16384, help="Distance from the left edge in pixels.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, help="Distance from the upper edge in pixels.")] = 0,
    operation: Annotated[
        Literal["multiply", "add", "subtract", "and", "or", "xor"],
        Choice(help="How the two are combined where they overlap; the last three round first."),
    ],
) -> Mask:
    """Combine two masks."""
    from graphengine.diffusion.masks import combine

    return combine(destination, source, x=x, y=y, operation=operation)


@node("FeatherMask", title="FeatherMask", category="mask", search=("soft", "fade"))
def feather(
    *,
    mask: Annotated[Mask, _MASK],
    left: Annotated[int, Int(ge=0, le=16384, help="Pixels of fade at the left edge.")] = 0,
    top: Annotated[int, Int(ge=0, le=16384, help="Pixels of fade at the upper edge.")] = 0,
    right: Annotated[int, Int(ge=0, le=16384, help="Pixels of fade at the right edge.")] = 0,
    bottom: Annotated[int, Int(ge=0, le=16384, help="Pixels of fade at the lower edge.")] = 0,
) -> Mask:
    """Fade a mask out towards its own edges."""
    from graphengine.diffusion.masks import feather

    return feather(mask, left=left, top=top, right=right, bottom=bottom)


@node("GrowMask", title="GrowMask", category="mask", search=("expand", "shrink", "dilate"))
def grow(
    mask: Annotated[Mask, _MASK],
    expand: Annotated[
        int, Int(ge=-16384, le=16384, help="Pixels to grow by; negative numbers shrink.")
    ] = 0,
    tapered_corners: Annotated[
        bool, Bool(help="Round off corners instead of squaring them.")
    ] = True,
) -> Mask:
    """Let a mask grow or shrink."""
    from graphengine.diffusion.masks import grow

    return grow(mask, expand, tapered_corners=tapered_corners)


@node("ThresholdMask", title="ThresholdMask", category="mask", search=("binary",))
def threshold(
    mask: Annotated[Mask, _MASK],
    value: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="What lies above becomes 1, the rest 0.")
    ] = 0.5,
) -> Mask:
    """Make a soft mask hard."""
    from graphengine.diffusion.masks import threshold

    return threshold(mask, value)

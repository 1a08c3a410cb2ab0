"""Make one text encoder of two."""

from typing import Annotated

from graphengine.api import Clip, Float, Help, InputError, node

First = Annotated[Clip, Help("The first text encoder.")]
Second = Annotated[Clip, Help("The second text encoder, of the same family.")]
CATEGORY = "advanced/model_merging"


@node("CLIPMergeSimple", title="CLIPMergeSimple", category=CATEGORY)
def merge_clip_simple(
    clip1: First,
    clip2: Second,
    ratio: Annotated[
        float, Float(ge=0.0, le=1.0, step=0.01, help="How much of the first: 1 only the first.")
    ] = 1.0,
) -> Clip:
    """Blend two text encoders evenly."""
    from graphengine.diffusion.merging import merge_clips

    _check(clip1, clip2)
    return merge_clips(clip1, clip2, keep=ratio, take=1.0 - ratio)


@node("CLIPMergeAdd", title="CLIPMergeAdd", category=CATEGORY)
def merge_clip_add(clip1: First, clip2: Second) -> Clip:
    """Add a second text encoder's weights (usually a difference) to the first's."""
    from graphengine.diffusion.merging import merge_clips

    _check(clip1, clip2)
    return merge_clips(clip1, clip2, keep=1.0, take=1.0)


@node("CLIPMergeSubtract", title="CLIPMergeSubtract", category=CATEGORY)
def merge_clip_subtract(
    clip1: First,
    clip2: Second,
    multiplier: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.01, help="By how much the difference is multiplied.")
    ] = 1.0,
) -> Clip:
    """Take the difference of two text encoders, to be added to a third."""
    from graphengine.diffusion.merging import merge_clips

    _check(clip1, clip2)
    return merge_clips(clip1, clip2, keep=multiplier, take=-multiplier)


def _check(first: Clip, second: Clip) -> None:
    kinds = [[encoder.kind for encoder in clip.encoders] for clip in (first, second)]
    if set(kinds[0]).isdisjoint(kinds[1]):
        raise InputError(
            "merge_no_common_encoder", first=", ".join(kinds[0]), second=", ".join(kinds[1])
        )

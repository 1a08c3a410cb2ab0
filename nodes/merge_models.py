"""Make one model of two."""

from typing import Annotated

from graphengine.api import Float, Help, InputError, Model, node

First = Annotated[Model, Help("The first model.")]
Second = Annotated[Model, Help("The second model, of the same family.")]
CATEGORY = "advanced/model_merging"


def _share(help: str) -> Float:
    return Float(ge=0.0, le=1.0, step=0.01, help=help)


@node("ModelMergeSimple", title="ModelMergeSimple", category=CATEGORY)
def merge_simple(
    model1: First,
    model2: Second,
    ratio: Annotated[
        float, _share("How much of the first: 1 only the first, 0 only the second.")
    ] = 1.0,
) -> Model:
    """Blend two models evenly."""
    from graphengine.diffusion.merging import even, merge_models

    _check(model1, model2)
    return merge_models(model1, model2, even(ratio), even(1.0 - ratio))


@node("ModelMergeBlocks", title="ModelMergeBlocks", category=CATEGORY)
def merge_blocks(
    model1: First,
    model2: Second,
    input: Annotated[float, _share("How much of the first in the encoder half.")] = 1.0,
    middle: Annotated[float, _share("How much of the first in the middle.")] = 1.0,
    out: Annotated[float, _share("How much of the first in the decoder half.")] = 1.0,
) -> Model:
    """Blend two models, each part of the network with its own share."""
    from graphengine.diffusion.merging import Blocks, merge_models

    _check(model1, model2)
    keep = Blocks(input, middle, out)
    return merge_models(model1, model2, keep, Blocks(1.0 - input, 1.0 - middle, 1.0 - out))


@node("ModelMergeAdd", title="ModelMergeAdd", category=CATEGORY)
def merge_add(model1: First, model2: Second) -> Model:
    """Add a second model's weights (usually a difference) to the first's."""
    from graphengine.diffusion.merging import even, merge_models

    _check(model1, model2)
    return merge_models(model1, model2, even(1.0), even(1.0))


@node("ModelMergeSubtract", title="ModelMergeSubtract", category=CATEGORY)
def merge_subtract(
    model1: First,
    model2: Second,
    multiplier: Annotated[
        float, Float(ge=-10.0, le=10.0, step=0.01, help="By how much the difference is multiplied.")
    ] = 1.0,
) -> Model:
    """Take the difference of two models, to be added to a third."""
    from graphengine.diffusion.merging import even, merge_models

    _check(model1, model2)
    return merge_models(model1, model2, even(multiplier), even(-multiplier))


def _check(first: Model, second: Model) -> None:
    if first.family.name.split("_")[0] != second.family.name.split("_")[0]:
        raise InputError("merge_of_families", first=first.family.name, second=second.family.name)

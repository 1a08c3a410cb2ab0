"""Guidance that does not burn colours out."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Float, Help, Model, node


@node("RescaleCFG", title="RescaleCFG", category="advanced/model", search=("cfg", "guidance"))
def rescale_cfg(
    *,
    model: Annotated[Model, Help("The model to guide otherwise.")],
    multiplier: Annotated[
        float,
        Float(ge=0.0, le=1.0, step=0.01, help="How much: 0 = plain CFG, 1 = the whole correction."),
    ] = 0.7,
) -> Model:
    """Keep contrast and colours in bounds at a high CFG scale."""
    from graphengine.diffusion.sampling_mode import rescale_cfg

    return rescale_cfg(model, multiplier)

"""No conditioning at all."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Conditioning, Help, node


@node("ConditioningZeroOut", category="advanced/conditioning")
def zero_out_conditioning(
    conditioning: Annotated[Conditioning, Help("The conditioning to empty.")],
) -> Conditioning:
    """Set a conditioning to zero: not even an empty prompt."""
    from graphengine.diffusion.conditioning import zero_out

    return zero_out(conditioning)

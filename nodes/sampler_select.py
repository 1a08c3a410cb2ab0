"""A sampler by name."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Choice, Sampler, SamplerName, node


@node("KSamplerSelect", title="KSamplerSelect", category="sampling/custom_sampling/samplers")
def select_sampler(
    sampler_name: Annotated[
        SamplerName,
        Choice(
            help="How noise is removed: euler is simple and fast, ddim exact, dpmpp_2m balanced."
        ),
    ] = "euler",
) -> Sampler:
    """Choose how noise is removed."""
    return Sampler(sampler_name)

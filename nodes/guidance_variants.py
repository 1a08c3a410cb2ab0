"""Other ways to be guided by the negative prompt."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphengine.api import Float, Help, Int, Model, node

_MODEL = Help("The model to guide otherwise.")


class Patched(NamedTuple):
    patched_model: Model


@node("CFGZeroStar", category="advanced/guidance", search=("cfg zero", "guidance"))
def cfg_zero_star(model: Annotated[Model, _MODEL]) -> Patched:
    """Scale the negative prediction to fit the positive one before CFG: fewer overdone colours."""
    from graphengine.diffusion.guidance_variants import CfgZeroStar, add_option

    return Patched(add_option(model, CfgZeroStar()))


@node("TCFG", title="Tangential Damping CFG", category="advanced/guidance", search=("guidance",))
def tangential_damping(model: Annotated[Model, _MODEL]) -> Patched:
    """Use of the negative prediction only what it shares with the positive one."""
    from graphengine.diffusion.guidance_variants import TangentialDamping, add_option

    return Patched(add_option(model, TangentialDamping()))


@node(
    "CFGNorm",
    category="advanced/guidance",
    experimental=True,
    search=("guidance", "oversaturated", "burnt"),
)
def cfg_norm(
    *,
    model: Annotated[Model, _MODEL],
    strength: Annotated[
        float, Float(ge=0.0, le=100.0, step=0.01, help="A factor on the result; 1 is usual.")
    ] = 1.0,
) -> Patched:
    """Keep the guided prediction no stronger than the positive one: high CFG burns less."""
    from graphengine.diffusion.guidance_variants import CfgNorm, add_option

    return Patched(add_option(model, CfgNorm(strength)))


@node("RenormCFG", category="advanced/model", search=("guidance", "oversaturated", "burnt"))
def renorm_cfg(
    *,
    model: Annotated[Model, _MODEL],
    cfg_trunc: Annotated[
        float,
        Float(ge=0.0, le=100.0, step=0.01, help="Guide only while less noise than this is left."),
    ] = 100.0,
    renorm_cfg: Annotated[
        float,
        Float(
            ge=0.0,
            le=100.0,
            step=0.01,
            help="How much stronger than the positive prediction the result may be; 0 = any.",
        ),
    ] = 1.0,
) -> Model:
    """Guide late only, and limit how strong the guided prediction gets."""
    from graphengine.diffusion.guidance_variants import RenormCfg, add_option

    return add_option(model, RenormCfg(cfg_trunc, renorm_cfg))


@node(
    "FreSca",
    category="_for_testing",
    experimental=True,
    search=("frequency", "details", "guidance"),
)
def scale_guidance_frequencies(
    *,
    model: Annotated[Model, _MODEL],
    scale_low: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="Strength of the guidance of coarse shapes.")
    ] = 1.0,
    scale_high: Annotated[
        float, Float(ge=0.0, le=10.0, step=0.01, help="Strength of the guidance of fine details.")
    ] = 1.25,
    freq_cutoff: Annotated[
        int, Int(ge=1, le=10000, help="How many waves across the picture still count as coarse.")
    ] = 20,
) -> Model:
    """Guide coarse shapes and fine details with a strength each."""
    from graphengine.diffusion.guidance_variants import FrequencyScaling, add_option

    return add_option(model, FrequencyScaling(scale_low, scale_high, freq_cutoff))

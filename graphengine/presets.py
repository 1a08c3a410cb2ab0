"""The numbers of the LCM switch: one table, by family of model.

A latent consistency model (Luo et al. 2023, arXiv:2310.04378) reaches in 4-8 steps what its base
needs 20-50 for, at a small CFG. Switching LCM on puts a row of this table into the workflow;
the editor's settings panel is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphengine.methods import SamplerName, SchedulerName


@dataclass(frozen=True)
class LcmPreset:
    """What the LCM switch sets for one family of models.

    ``checkpoints``: parts of checkpoint names that tell the family, in lower case; none of them
    means every checkpoint that no earlier row names. ``lora``: the file in ``models/loras`` that
    makes a model of this family fast; its name is the one under which it is published.
    ``steps`` and ``cfg`` are what the switch sets; the ranges are what makes sense beside it.
    """

    family: str
    checkpoints: tuple[str, ...]
    lora: str
    steps: int
    cfg: float
    steps_range: tuple[int, int] = (4, 8)
    cfg_range: tuple[float, float] = (1.0, 2.0)
    sampler_name: SamplerName = "lcm"
    scheduler: SchedulerName = "sgm_uniform"


LCM_PRESETS: tuple[LcmPreset, ...] = (
    LcmPreset(
        family="starter",
        checkpoints=("graphengine-starter",),
        lora="graphengine-starter-lcm.safetensors",
        steps=4,
        cfg=1.0,
    ),
    # The figures that the authors of the published LoRAs give: 4 to 8 steps, CFG 1 to 2.
    LcmPreset(
        family="sdxl",
        checkpoints=("xl", "pony", "illustrious", "noobai"),
        lora="lcm-lora-sdxl.safetensors",
        steps=4,
        cfg=1.5,
    ),
    LcmPreset(family="sd15", checkpoints=(), lora="lcm-lora-sdv1-5.safetensors", steps=4, cfg=1.5),
)


def lcm_preset(checkpoint: str) -> LcmPreset:
    """The row for a checkpoint, by its file's name."""
    name = checkpoint.lower()
    return next(
        preset
        for preset in LCM_PRESETS
        if not preset.checkpoints or any(part in name for part in preset.checkpoints)
    )

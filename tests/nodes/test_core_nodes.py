"""Our nodes beside the field's, as saved workflows know them (comfy/core_nodes.json)."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from graphengine.parameters import Choice
from graphengine.registry import Registry
from graphengine.spec import REQUIRED, InputSpec

CORE: dict[str, dict[str, Any]] = json.loads(
    files("graphengine.comfy").joinpath("core_nodes.json").read_text(encoding="utf-8")
)
# Of other model families and of video, a camera's widget, the compiler, a table that nobody
# published under a free licence (GITS), and what is only known to be placed in saved workflows.
ABSENT = frozenset(
    (
        "CLIPTextEncodeFlux", "CLIPTextEncodeSD3", "ControlNetApplySD3",
        "ControlNetInpaintingAliMamaApply", "EmptySD3LatentImage", "FluxGuidance", "GITSScheduler",
        "ModelSamplingAuraFlow", "ModelSamplingFlux", "ModelSamplingSD3", "PhotoMakerEncode",
        "PhotoMakerLoader", "SVD_img2vid_Conditioning",
        "SkipLayerGuidanceSD3", "StableCascade_EmptyLatentImage",
        "StableCascade_StageB_Conditioning", "StableCascade_StageC_VAEEncode",
        "StableZero123_Conditioning", "StableZero123_Conditioning_Batched", "TorchCompileModel",
        "TripleCLIPLoader", "VideoLinearCFGGuidance", "VideoTriangleCFGGuidance", "WebcamCapture",
        "PerpNeg", "SD_4XUpscale_Conditioning",
    )
)  # fmt: skip
# Ours is what the guide teaches (cfg 7), draws a seed of -1, and lists the files that are here.
OWN_DEFAULTS = {("KSampler", "cfg"), ("KSamplerAdvanced", "cfg")}


def test_what_is_missing_is_known(builtins: Registry) -> None:
    assert {node_id for node_id in CORE if builtins.get(node_id) is None} == ABSENT


@pytest.mark.parametrize("node_id", sorted(CORE.keys() - ABSENT))
def test_a_node_has_the_fields_inputs_and_outputs(builtins: Registry, node_id: str) -> None:
    spec, wanted = builtins.get(node_id), CORE[node_id]
    assert spec is not None
    inputs = [(entry.name, entry.type) for entry in spec.inputs]
    assert inputs == [(entry["name"], entry["type"]) for entry in wanted["inputs"]]
    names = [(output.name.lower(), output.type) for output in spec.outputs]
    assert names == [(name.lower(), kind) for name, kind in wanted["outputs"]]
    for entry in wanted["inputs"]:
        ours = spec.input[entry["name"]]
        if "default" in entry and (node_id, entry["name"]) not in OWN_DEFAULTS:
            assert _first_shown(ours) == entry["default"], entry["name"]


def _first_shown(entry: InputSpec) -> Any:
    """What an editor begins with: the default, the first choice, or the widget's own value."""
    if entry.default is not REQUIRED:
        return entry.default
    if isinstance(entry.widget, Choice):
        return entry.widget.options[0]
    assert entry.widget is not None
    return entry.widget.default

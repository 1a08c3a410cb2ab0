"""Node types for models that are not known here, told by their names."""

from __future__ import annotations

import pytest

from graphengine.other_models import models_of
from graphengine.registry import load_registry


@pytest.mark.parametrize(
    ("node_type", "models"),
    [
        ("SVD_img2vid_Conditioning", "Stable Video Diffusion"),
        ("StableZero123_Conditioning_Batched", "Stable Zero123 or SV3D"),
        ("PhotoMakerEncode", "PhotoMaker"),
        ("SD_4XUpscale_Conditioning", "Stable Diffusion's x4 upscaler"),
        ("EmptySD3LatentImage", "Stable Diffusion 3"),
        ("FluxKontextMultiReferenceLatentMethod", "Flux"),
        ("WanImageToVideo", "Wan"),
        ("Wanderer", None),
        ("FluxionBlur", None),
        ("KSampler (Efficient)", None),
    ],
)
def test_the_models_are_told_by_the_name(node_type: str, models: str | None) -> None:
    assert models_of(node_type) == models


def test_no_node_of_ours_is_for_other_models() -> None:
    assert [node_id for node_id in load_registry().ids() if models_of(node_id)] == []

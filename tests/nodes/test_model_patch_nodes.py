from collections.abc import Callable
from typing import Any

import pytest

from graphengine.diffusion.differential import DifferentialMask
from graphengine.diffusion.freeu import FreeU
from graphengine.diffusion.hypertile import HyperTile
from graphengine.diffusion.perturbed_attention import PerturbedAttention
from graphengine.diffusion.token_merging import TokenMerging
from graphengine.sockets import Family, FileRef, Model, Weights

MODEL = Model(Weights(FileRef("m", 1, 1), "unet"), Family("sd1"), options=("first",))


@pytest.mark.parametrize(
    ("node_id", "inputs", "option"),
    [
        ("FreeU", {}, FreeU(1.1, 1.2, 0.9, 0.2, by_mean=False)),
        ("FreeU_V2", {"s1": 0.8}, FreeU(1.3, 1.4, 0.8, 0.2, by_mean=True)),
        ("PerturbedAttentionGuidance", {"scale": 2.0}, PerturbedAttention(2.0)),
        ("DifferentialDiffusion", {"strength": 0.5}, DifferentialMask(0.5)),
        ("HyperTile", {"max_depth": 1}, HyperTile(256, 2, 1, scale_depth=False)),
        ("TomePatchModel", {}, TokenMerging(0.3)),
    ],
)
def test_a_model_gets_one_option_more(
    call: Callable[..., Any], node_id: str, inputs: dict[str, float], option: object
) -> None:
    assert call(node_id, model=MODEL, **inputs).options == ("first", option)

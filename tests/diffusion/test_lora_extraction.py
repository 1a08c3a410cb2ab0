"""LoRAs made of differences: the product comes back, and the file loads like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.files import file_ref
from graphengine.diffusion.lora import LoraPatch, match
from graphengine.diffusion.lora_extraction import low_rank, save_lora
from graphengine.diffusion.merging import even, merge_clips, merge_models
from graphengine.diffusion.patching import patched_state
from graphengine.errors import InputError
from tests.diffusion import tiny_models as tiny


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_what_has_the_rank_comes_back_but_for_the_outliers() -> None:
    # One direction, evenly strong: no entry lies beyond the others.
    weight = torch.outer(torch.ones(200), torch.full((300,), 0.5))
    up, down = low_rank(weight, 1)
    assert (up.shape, down.shape) == ((200, 1), (1, 300))
    torch.testing.assert_close(up @ down, weight, rtol=1e-4, atol=1e-4)


def test_of_a_convolution_the_strongest_directions_are_kept() -> None:
    weight = noise(1, 8, 4, 3, 3)
    up, down = low_rank(weight, 5)
    assert (up.shape, down.shape) == ((8, 5, 1, 1), (5, 4, 3, 3))
    left, strengths, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    factors = left[:, :5] * strengths[:5], right[:5]
    most = float(torch.quantile(torch.cat([factor.flatten() for factor in factors]), 0.99))
    torch.testing.assert_close(up.flatten(1), factors[0].clamp(-most, most))
    torch.testing.assert_close(down.flatten(1), factors[1].clamp(-most, most))
    assert float(up.max()) == pytest.approx(most)


@pytest.mark.parametrize("lora_type", ["standard", "full_diff"])
def test_a_lora_of_a_difference_adds_the_difference(tmp_path: Path, lora_type: str) -> None:
    paths = [
        tiny.make_checkpoint(tmp_path / f"{seed}.safetensors", family="sdxl", seed=seed)
        for seed in (0, 50)
    ]
    (first, first_clip, _), (second, second_clip, _) = (load_checkpoint(path) for path in paths)
    assert first_clip is not None
    assert second_clip is not None
    lora = tmp_path / "lora.safetensors"
    save_lora(
        lora,
        merge_models(second, first, even(1.0), even(-1.0)),
        merge_clips(second_clip, first_clip, keep=1.0, take=-1.0),
        rank=3,
        lora_type=lora_type,  # type: ignore[arg-type]
        bias_diff=True,
        metadata={},
    )
    networks = [("unet", first.weights), *((e.kind, e.weights) for e in first_clip.encoders)]
    found = match(file_ref(lora), networks)
    assert found.unused == ()
    patch = LoraPatch(file_ref(lora), 1.0)
    others = [second.weights, *(e.weights for e in second_clip.encoders)]
    for (network, weights), other in zip(networks, others, strict=True):
        patched, wanted = (
            patched_state(weights, network, (patch,)),
            patched_state(other, network, ()),
        )
        for key in (key for key in wanted if key.endswith((".weight", ".bias"))):
            before = patched[key].stored.float()
            added = wanted[key].compute() - before
            if added.ndim > 1 and lora_type == "standard":
                up, down = low_rank(added, 3)
                added = (up.flatten(1) @ down.flatten(1)).reshape(added.shape)
            torch.testing.assert_close(patched[key].compute(), before + added, rtol=0, atol=1e-2)


def test_biases_may_be_left_out_and_files_are_half_precision(tmp_path: Path) -> None:
    model, _, _ = load_checkpoint(tiny.make_checkpoint(tmp_path / "a.safetensors"))
    for bias in (True, False):
        options = {"rank": 2, "lora_type": "standard", "bias_diff": bias, "metadata": {}}
        save_lora(tmp_path / "lora.safetensors", model, None, **options)  # type: ignore[arg-type]
        saved = load_file(tmp_path / "lora.safetensors")
        assert ("diffusion_model.input_blocks.0.0.diff_b" in saved) is bias
        up = saved["diffusion_model.input_blocks.1.0.in_layers.2.lora_up.weight"]
        assert (up.shape, up.dtype) == ((32, 2, 1, 1), torch.float16)


def test_a_lora_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a model nor a text encoder"):
        save_lora(
            tmp_path / "x.safetensors",
            None,
            None,
            rank=8,
            lora_type="standard",
            bias_diff=True,
            metadata={},
        )

"""What the nodes that work on latents compute."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from graphengine.api import Context, Folders, InputError, Items, Latent, Mask
from graphengine.errors import ModelFileError
from graphengine.registry import Registry

Call = Callable[..., Any]


def ramp(*shape: int) -> Latent:
    """0, 1, 2, … in this shape."""
    return Latent(torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape))


def filled(value: float, *shape: int, mask: torch.Tensor | None = None) -> Latent:
    return Latent(torch.full(shape, float(value)), mask)


# --- size -----------------------------------------------------------------------------------------


def test_nearest_exact_doubles_every_value(call: Call) -> None:
    latent = ramp(1, 1, 8, 8)
    larger = call(
        "LatentUpscale",
        samples=latent,
        upscale_method="nearest-exact",
        width=128,
        height=128,
        crop="disabled",
    )
    assert torch.equal(larger.samples[..., ::2, ::2], latent.samples)
    assert torch.equal(larger.samples[..., 1::2, 1::2], latent.samples)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(0, 0, (12, 20)), (0, 192, (24, 40)), (320, 0, (24, 40)), (100, 77, (9, 12)), (8, 8, (8, 8))],
)
def test_a_latent_size_is_in_pixels_and_0_keeps_the_shape(
    call: Call, width: int, height: int, expected: tuple[int, int]
) -> None:
    larger = call(
        "LatentUpscale",
        samples=ramp(2, 4, 12, 20),
        upscale_method="bilinear",
        width=width,
        height=height,
        crop="disabled",
    )
    assert larger.samples.shape == (2, 4, *expected)


def test_cropping_about_the_centre_keeps_the_middle(call: Call) -> None:
    square = call(
        "LatentUpscale",
        samples=ramp(1, 1, 8, 12),
        upscale_method="area",
        width=64,
        height=64,
        crop="center",
    )
    assert torch.equal(square.samples, ramp(1, 1, 8, 12).samples[..., 2:10])


def test_cropping_about_the_centre_crops_the_noise_mask_too(call: Call) -> None:
    mask = torch.zeros(1, 1, 64, 128)
    mask[..., :32] = 1
    square = call(
        "LatentUpscale",
        samples=filled(0, 1, 4, 8, 16, mask=mask),
        upscale_method="bilinear",
        width=64,
        height=64,
        crop="center",
    )
    assert square.noise_mask.shape == (1, 1, 64, 64)
    assert float(square.noise_mask.sum()) == 0


def test_bislerp_turns_between_vectors_and_keeps_their_length(call: Call) -> None:
    across = Latent(torch.tensor([[2.0, 0.0], [0.0, 2.0]]).reshape(1, 2, 1, 2))
    turned = call("LatentUpscaleBy", samples=across, upscale_method="bislerp", scale_by=2.0)
    vectors = turned.samples[0, :, 0]
    assert torch.allclose(vectors.norm(dim=0), torch.full((4,), 2.0))
    angles = torch.atan2(vectors[1], vectors[0]) * 180 / math.pi
    assert torch.allclose(angles, torch.tensor([0.0, 22.5, 67.5, 90.0]), atol=1e-4)
    faded = call("LatentUpscaleBy", samples=across, upscale_method="bilinear", scale_by=2.0)
    assert float(faded.samples[0, :, 0, 1].norm()) == pytest.approx(math.hypot(1.5, 0.5))


def test_bislerp_blends_lengths_and_opposites_linearly_and_bears_zeros(call: Call) -> None:
    values = torch.tensor([[1.0, 3.0, -3.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).reshape(1, 2, 1, 4)
    larger = call("LatentUpscaleBy", samples=Latent(values), upscale_method="bislerp", scale_by=2.0)
    linear = torch.nn.functional.interpolate(values, scale_factor=(2, 2), mode="bilinear")
    assert torch.allclose(larger.samples[0, 0, 0, :5], linear[0, 0, 0, :5], atol=1e-6)
    assert torch.isfinite(larger.samples).all()


def test_scaling_by_a_factor_rounds(call: Call) -> None:
    larger = call(
        "LatentUpscaleBy", samples=ramp(1, 4, 5, 7), upscale_method="bicubic", scale_by=1.5
    )
    assert larger.samples.shape == (1, 4, 8, 10)


# --- shape ----------------------------------------------------------------------------------------


def test_90_degrees_turn_the_upper_left_to_the_upper_right(call: Call) -> None:
    latent = Latent(ramp(1, 1, 2, 3).samples, torch.ones(1, 1, 16, 24))
    turned = call("LatentRotate", samples=latent, rotation="90 degrees")
    assert turned.samples[0, 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert turned.noise_mask.shape == (1, 1, 24, 16)
    whole = call("LatentRotate", samples=latent, rotation="none")
    assert torch.equal(whole.samples, latent.samples)


def test_the_x_axis_flips_upside_down_and_the_y_axis_sideways(call: Call) -> None:
    latent = ramp(1, 1, 2, 2)
    down = call("LatentFlip", samples=latent, flip_method="x-axis: vertically")
    side = call("LatentFlip", samples=latent, flip_method="y-axis: horizontally")
    assert down.samples[0, 0].tolist() == [[2, 3], [0, 1]]
    assert side.samples[0, 0].tolist() == [[1, 0], [3, 2]]


def test_a_crop_is_moved_to_keep_64_pixels_and_takes_its_mask_along(call: Call) -> None:
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 32:, 64:] = 1
    latent = Latent(ramp(1, 1, 12, 16).samples, mask)
    part = call("LatentCrop", samples=latent, width=128, height=64, x=1024, y=32)
    assert torch.equal(part.samples, latent.samples[..., 4:12, 8:16])
    assert part.noise_mask.shape == (1, 1, 64, 64)
    assert float(part.noise_mask.min()) == 1.0


def test_a_noise_mask_is_attached_as_it_is(call: Call) -> None:
    latent = call(
        "SetLatentNoiseMask", samples=ramp(1, 4, 2, 2), mask=Mask(torch.full((1, 16, 8), 0.25))
    )
    assert latent.noise_mask.shape == (1, 1, 16, 8)
    assert float(latent.noise_mask.mean()) == 0.25


# --- composites -----------------------------------------------------------------------------------


def test_a_latent_is_pasted_at_pixels_over_8_and_cut_at_the_edge(call: Call) -> None:
    below, above = filled(0, 2, 4, 4, 4), filled(1, 1, 4, 3, 3)
    result = call("LatentComposite", samples_to=below, samples_from=above, x=16, y=8, feather=0)
    expected = torch.zeros(4, 4)
    expected[1:4, 2:4] = 1
    assert torch.equal(result.samples, expected.expand(2, 4, 4, 4))
    assert float(below.samples.sum()) == 0


def test_feathering_fades_only_edges_inside_the_other_latent(call: Call) -> None:
    below, above = filled(0, 1, 1, 4, 6), filled(1, 1, 1, 4, 4)
    result = call("LatentComposite", samples_to=below, samples_from=above, x=16, y=0, feather=16)
    assert result.samples[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1, 1]
    assert torch.equal(result.samples[0, 0, 0], result.samples[0, 0, 3])


def test_a_mask_of_another_size_decides_where_the_source_shows(call: Call) -> None:
    mask = torch.zeros(1, 2, 4)
    mask[..., 2:] = 1
    result = call(
        "LatentCompositeMasked",
        destination=filled(0, 1, 4, 4, 4),
        source=filled(2, 1, 4, 8, 8),
        resize_source=True,
        mask=Mask(mask),
    )
    assert result.samples[0, 0].tolist() == [[0, 0, 2, 2]] * 4


def test_latents_of_two_families_cannot_be_mixed(call: Call) -> None:
    four, sixteen = filled(0, 1, 4, 4, 4), filled(0, 1, 16, 4, 4)
    with pytest.raises(InputError) as caught:
        call("LatentAdd", samples1=four, samples2=sixteen)
    assert caught.value.code == "latents_differ"
    assert "[1, 16, 4, 4]" in str(caught.value)
    with pytest.raises(InputError):
        call("LatentComposite", samples_to=four, samples_from=sixteen, x=0, y=0, feather=0)


def test_a_blend_is_so_much_of_the_first(call: Call) -> None:
    mixed = call(
        "LatentBlend",
        samples1=filled(1, 3, 4, 4, 4),
        samples2=filled(5, 1, 4, 8, 8),
        blend_factor=0.75,
    )
    assert torch.allclose(mixed.samples, torch.full((3, 4, 4, 4), 2.0))


# --- batches --------------------------------------------------------------------------------------


def test_a_latent_from_a_batch_keeps_its_noise_and_its_mask(call: Call) -> None:
    batch = Latent(ramp(4, 1, 1, 1).samples, torch.arange(2.0).reshape(2, 1, 1, 1))
    part = call("LatentFromBatch", samples=batch, batch_index=2, length=9)
    assert part.samples.flatten().tolist() == [2, 3]
    assert part.batch_index == (2, 3)
    assert part.noise_mask.flatten().tolist() == [0, 1]
    last = call("LatentFromBatch", samples=part, batch_index=63, length=1)
    assert last.batch_index == (3,)


def test_a_repeated_batch_counts_its_noises_on(call: Call) -> None:
    known = Latent(ramp(2, 1, 1, 1).samples, torch.ones(2, 1, 8, 8), (3, 5))
    twice = call("RepeatLatentBatch", samples=known, amount=2)
    assert twice.samples.flatten().tolist() == [0, 1, 0, 1]
    assert twice.batch_index == (3, 5, 6, 8)
    assert len(twice.noise_mask) == 4
    assert call("RepeatLatentBatch", samples=ramp(2, 1, 1, 1), amount=3).batch_index is None


def test_a_joined_batch_has_the_firsts_size_and_both_masks(call: Call) -> None:
    first = filled(1, 1, 4, 2, 2, mask=torch.zeros(1, 1, 16, 16))
    both = call("LatentBatch", samples1=first, samples2=filled(2, 2, 4, 4, 4))
    assert both.samples.mean(dim=(1, 2, 3)).tolist() == [1, 2, 2]
    assert both.noise_mask.mean(dim=(1, 2, 3)).tolist() == [0, 1, 1]
    assert both.batch_index == (0, 0, 1)


def test_fixed_seeds_share_the_first_noise(call: Call) -> None:
    batch = Latent(ramp(3, 1, 1, 1).samples, batch_index=(4, 5, 6))
    fixed = call("LatentBatchSeedBehavior", samples=batch, seed_behavior="fixed")
    free = call("LatentBatchSeedBehavior", samples=fixed, seed_behavior="random")
    assert fixed.batch_index == (4, 4, 4)
    assert free.batch_index is None


def test_rebatching_numbers_noises_through_and_splits_at_other_shapes(call: Call) -> None:
    latents = Items((ramp(2, 1, 1, 1), ramp(1, 1, 1, 1), ramp(1, 1, 2, 2)))
    batches = call("RebatchLatents", latents=latents, batch_size=2)
    assert isinstance(batches, Items)
    assert [batch.batch_index for batch in batches] == [(0, 1), (2,), (3,)]
    assert [len(batch.samples) for batch in batches] == [2, 1, 1]
    assert all(batch.noise_mask is None for batch in batches)


def test_rebatched_latents_keep_their_masks(call: Call) -> None:
    masked = filled(0, 1, 1, 1, 1, mask=torch.full((1, 1, 8, 8), 0.5))
    (batch,) = call("RebatchLatents", latents=Items((masked, filled(1, 1, 1, 1, 1))), batch_size=4)
    assert batch.noise_mask.mean(dim=(1, 2, 3)).tolist() == [0.5, 1.0]


def test_rebatching_takes_and_gives_lists(builtins: Registry) -> None:
    for node_id in ("RebatchLatents", "RebatchImages"):
        spec = builtins.get(node_id)
        assert spec is not None
        assert spec.inputs[0].items
        assert not spec.inputs[1].items
        assert spec.outputs[0].items


# --- arithmetic -----------------------------------------------------------------------------------


def test_latents_are_added_subtracted_and_multiplied(call: Call) -> None:
    one, two = ramp(2, 1, 1, 2), filled(3, 1, 1, 1, 2)
    assert call("LatentAdd", samples1=one, samples2=two).samples.flatten().tolist() == [3, 4, 5, 6]
    difference = call("LatentSubtract", samples1=one, samples2=two)
    assert difference.samples.flatten().tolist() == [-3, -2, -1, 0]
    product = call("LatentMultiply", samples=one, multiplier=-2.0)
    assert product.samples.flatten().tolist() == [0, -2, -4, -6]


def test_interpolating_keeps_the_length_of_latent_vectors(call: Call) -> None:
    one = Latent(torch.tensor([4.0, 0.0]).reshape(1, 2, 1, 1))
    two = Latent(torch.tensor([0.0, 2.0]).reshape(1, 2, 1, 1))
    middle = call("LatentInterpolate", samples1=one, samples2=two, ratio=0.5).samples.flatten()
    assert middle.tolist() == pytest.approx([3 / math.sqrt(2)] * 2)
    assert torch.equal(
        call("LatentInterpolate", samples1=one, samples2=two, ratio=1.0).samples, one.samples
    )


def test_interpolating_nothing_gives_nothing(call: Call) -> None:
    nothing = filled(0, 1, 4, 2, 2)
    result = call("LatentInterpolate", samples1=nothing, samples2=nothing, ratio=0.3)
    assert torch.equal(result.samples, nothing.samples)


# --- files ----------------------------------------------------------------------------------------


def test_a_saved_latent_carries_its_workflow_and_comes_back_exactly(
    call: Call, context: Context, folders: Folders, builtins: Registry
) -> None:
    latent = Latent(torch.randn(2, 4, 3, 5))
    shown = call("SaveLatent", samples=latent, context=context, filename_prefix="latents/a")
    assert shown.as_ui() == {
        "latents": [{"filename": "a_00001_.latent", "subfolder": "latents", "type": "output"}]
    }
    path = folders.output / "latents" / "a_00001_.latent"
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["workflow"]) == {"nodes": [1]}
        assert json.loads(file.metadata()["prompt"])["1"]["class_type"] == "SaveImage"
    path.rename(folders.input / "a.latent")
    loaded = call("LoadLatent", latent="a.latent", context=context)
    assert torch.equal(loaded.samples, latent.samples)
    spec = builtins.get("LoadLatent")
    assert spec is not None
    widget = spec.input["latent"].widget
    assert widget is not None
    assert widget.check("a.latent", folders) == "a.latent"


def test_an_old_latent_file_is_unscaled(call: Call, context: Context, folders: Folders) -> None:
    samples = torch.full((1, 4, 2, 2), 0.18215)
    save_file({"latent_tensor": samples}, folders.input / "old.latent")
    loaded = call("LoadLatent", latent="old.latent", context=context)
    assert torch.allclose(loaded.samples, torch.ones(1, 4, 2, 2))


def test_a_file_that_is_no_latent_is_explained(
    call: Call, context: Context, folders: Folders
) -> None:
    (folders.input / "bad.latent").write_bytes(b"no tensors here")
    with pytest.raises(ModelFileError) as caught:
        call("LoadLatent", latent="bad.latent", context=context)
    assert "bad.latent" in str(caught.value)


def test_a_changed_latent_file_is_loaded_again(builtins: Registry, folders: Folders) -> None:
    spec = builtins.get("LoadLatent")
    assert spec is not None
    assert spec.fingerprint is not None
    save_file({"latent_tensor": torch.zeros(1, 4, 2, 2)}, folders.input / "a.latent")
    before = spec.fingerprint({"latent": "a.latent"}, folders)
    save_file({"latent_tensor": torch.zeros(1, 4, 2, 4)}, folders.input / "a.latent")
    assert spec.fingerprint({"latent": "a.latent"}, folders) != before

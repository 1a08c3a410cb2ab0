"""Encoding and decoding: ranges, the mean, cropping, tiles, and what happens without memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion import vae as coding
from graphengine.diffusion.checkpoint import load_checkpoint, load_vae_file
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.tiles import Tiling, tiled
from graphengine.diffusion.vae import crop_to_multiple, decode, encode
from graphengine.errors import LANGUAGES, InputError, OutOfMemory
from graphengine.sockets import Family, Image, Latent, Vae
from tests.diffusion import tiny_models as tiny


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Vae:
    path = tmp_path_factory.mktemp("vae") / "m.safetensors"
    loaded = load_checkpoint(tiny.make_checkpoint(path))[2]
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def latent(batch: int = 1, height: int = 8, width: int = 8) -> Latent:
    noise = torch.Generator().manual_seed(3)
    return Latent(torch.randn(batch, 4, height, width, generator=noise))


def picture(height: int = 64, width: int = 64, channels: int = 3) -> Image:
    noise = torch.Generator().manual_seed(4)
    return Image(torch.rand(1, height, width, channels, generator=noise))


def smooth_picture(side: int) -> Image:
    ramp = torch.linspace(0.2, 0.8, side)
    plane = (ramp[:, None] + ramp[None, :]) / 2
    return Image(plane[None, :, :, None].expand(1, side, side, 3))


def likeness(a: Tensor, b: Tensor) -> float:
    """Correlation: a random network's normalisation sees a tile only, so never near 1."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_decoding_gives_pictures_eight_times_as_large_between_0_and_1(
    store: ModelStore, vae: Vae
) -> None:
    pixels = decode(store, vae, latent(2, 4, 6)).pixels
    assert pixels.shape == (2, 32, 48, 3)
    assert pixels.dtype is torch.float32
    assert float(pixels.min()) >= 0.0
    assert float(pixels.max()) <= 1.0


def test_decoding_is_half_of_the_networks_answer_plus_one_clamped(
    store: ModelStore, vae: Vae
) -> None:
    z = latent()
    with torch.no_grad():
        y = store.vae(vae).decode(z.samples, return_dict=False)[0]  # type: ignore[operator]
    expected = ((y + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1)
    assert torch.equal(decode(store, vae, z).pixels, expected)


def test_encoding_takes_the_mean_of_the_posterior_without_scale_or_chance(
    store: ModelStore, vae: Vae
) -> None:
    image = picture()
    network = store.vae(vae)
    x = image.pixels.permute(0, 3, 1, 2) * 2 - 1
    with torch.no_grad():
        moments = network.quant_conv(network.encoder(x))  # type: ignore[operator]
    assert torch.allclose(encode(store, vae, image).samples, moments[:, :4], atol=1e-5)


def test_each_item_of_a_batch_is_coded_by_itself(store: ModelStore, vae: Vae) -> None:
    batch = latent(3)
    one = decode(store, vae, Latent(batch.samples[1:2])).pixels
    assert torch.equal(decode(store, vae, batch).pixels[1:2], one)


def test_sides_are_cropped_about_the_centre_to_multiples_of_eight(
    store: ModelStore, vae: Vae
) -> None:
    large = picture(69, 78)
    inner = Image(large.pixels[:, 2:66, 3:75])
    cropped = encode(store, vae, large).samples
    assert cropped.shape == (1, 4, 8, 9)
    assert torch.equal(cropped, encode(store, vae, inner).samples)


def test_alpha_is_ignored_and_grey_is_three_equal_channels(store: ModelStore, vae: Vae) -> None:
    colours, grey = picture(), picture(channels=1)
    with_alpha = Image(torch.cat([colours.pixels, torch.rand(1, 64, 64, 1)], dim=-1))
    three = Image(grey.pixels.expand(-1, -1, -1, 3))
    for a, b in ((with_alpha, colours), (grey, three)):
        assert torch.equal(encode(store, vae, a).samples, encode(store, vae, b).samples)


def test_a_picture_smaller_than_a_latent_pixel_is_refused(store: ModelStore, vae: Vae) -> None:
    with pytest.raises(InputError) as caught:
        encode(store, vae, picture(7, 64))
    assert caught.value.code == "image_too_small"


def test_a_latent_of_another_family_is_refused(store: ModelStore, vae: Vae) -> None:
    with pytest.raises(InputError) as caught:
        decode(store, vae, Latent(torch.zeros(1, 16, 8, 8)))
    assert caught.value.code == "latent_channels"
    assert all("?" not in caught.value.text(language) for language in LANGUAGES)


def test_a_pixel_space_vae_passes_pictures_through(store: ModelStore) -> None:
    vae = Vae(None, Family("pixel_space", latent_channels=3))
    image = picture(9, 5)
    there = encode(store, vae, image)
    assert there.samples.shape == (1, 3, 9, 5)
    assert torch.allclose(decode(store, vae, there).pixels, image.pixels, atol=1e-6)


# --- tiles ----------------------------------------------------------------------------------------


def test_tiles_are_measured_in_latent_pixels_and_overlap_by_half_at_most() -> None:
    assert Tiling(512, 64).in_units(8) == Tiling(64, 8)
    assert Tiling(64, 512).in_units(8) == Tiling(8, 4)


def test_one_tile_that_covers_all_is_the_whole(store: ModelStore, vae: Vae) -> None:
    z, image = latent(), picture()
    for tile in (64, 512):
        tiled = decode(store, vae, z, tiling=Tiling(tile, 16)).pixels
        assert torch.allclose(tiled, decode(store, vae, z).pixels, atol=1e-6)
        coded = encode(store, vae, image, tiling=Tiling(tile, 16)).samples
        assert torch.allclose(coded, encode(store, vae, image).samples, atol=1e-5)


def test_tiled_results_have_the_whole_ones_shape_and_are_like_them(
    store: ModelStore, vae: Vae
) -> None:
    image = smooth_picture(200)
    whole = encode(store, vae, image)
    tiled = encode(store, vae, image, tiling=Tiling(128, 64))
    assert tiled.samples.shape == whole.samples.shape == (1, 4, 25, 25)
    assert likeness(tiled.samples, whole.samples) > 0.4
    picture_whole = decode(store, vae, whole).pixels
    picture_tiled = decode(store, vae, whole, tiling=Tiling(128, 64)).pixels
    assert picture_tiled.shape == picture_whole.shape == (1, 200, 200, 3)
    assert likeness(picture_tiled, picture_whole) > 0.4


@pytest.mark.parametrize(("tile", "overlap"), [(8, 0), (8, 2), (7, 3), (100, 4)])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (19, 23), (5, 40)])
def test_blending_tiles_of_a_pointwise_function_gives_the_function(
    tile: int, overlap: int, height: int, width: int
) -> None:
    x = torch.randn(1, 2, height, width)

    def work(part: Tensor) -> Tensor:
        return part.repeat_interleave(4, -1).repeat_interleave(4, -2) * 3

    blended = tiled(work, x, Tiling(tile, overlap), scale=4)
    assert torch.allclose(blended, work(x), atol=1e-5)


def test_neighbouring_tiles_fade_into_each_other_without_a_step() -> None:
    values = iter((0.0, 1.0))
    blended = tiled(
        lambda part: torch.full_like(part, next(values)), torch.zeros(1, 1, 8, 12), Tiling(8, 4),
        scale=1,
    )  # fmt: skip
    row = blended[0, 0, 0]
    assert torch.allclose(row[4:8], torch.tensor([0.2, 0.4, 0.6, 0.8]))
    assert row[:4].eq(0).all()
    assert row[8:].eq(1).all()


@pytest.mark.parametrize(("side", "factor", "left"), [(17, 8, 16), (16, 8, 16), (23, 4, 20)])
def test_cropping_keeps_the_largest_multiple(side: int, factor: int, left: int) -> None:
    assert crop_to_multiple(torch.zeros(1, 3, side, side), factor).shape == (1, 3, left, left)


# --- memory ---------------------------------------------------------------------------------------


def test_a_picture_that_does_not_fit_is_decoded_in_tiles(
    store: ModelStore, vae: Vae, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decode(store, vae, latent(1, 40, 40)).pixels
    original, sizes = coding._decoded, []

    def small_memory(network: torch.nn.Module, z: Tensor) -> Tensor:
        sizes.append(z.shape[-1])
        if z.shape[-1] > 32:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(network, z)

    monkeypatch.setattr(coding, "_decoded", small_memory)
    pixels = decode(store, vae, latent(1, 40, 40)).pixels
    assert pixels.shape == whole.shape
    assert sizes == [40, 40, 40, 40, 32, 32, 32, 32]


def test_no_room_for_the_smallest_tiles_is_told(
    store: ModelStore, vae: Vae, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(coding, "_encoded", no_memory)
    with pytest.raises(OutOfMemory):
        encode(store, vae, picture())


def test_a_vae_of_another_factor_keeps_its_own(tmp_path: Path, store: ModelStore) -> None:
    layout = replace(tiny.VAE, channels=(32, 64, 64))
    path = tmp_path / "f4.safetensors"
    save_file(tiny.vae_tensors(layout), str(path))
    vae = load_vae_file(path)
    assert encode(store, vae, picture(20, 24)).samples.shape == (1, 4, 5, 6)

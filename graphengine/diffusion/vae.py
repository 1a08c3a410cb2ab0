"""Pictures to latents and back, whole or tile by tile.

Encoding takes the posterior's mean (Kingma & Welling 2014, arXiv:1312.6114, without sampling) and
leaves the latent unscaled; the sampler scales it by its family's factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from graphengine.diffusion.residency import ModelStore
from graphengine.errors import InputError, OutOfMemory
from graphengine.sockets import Image, Latent, Vae

# Picture pixels of the tiles tried in turn when a whole picture does not fit in memory.
_FALLBACK_TILES = (512, 256)
_FALLBACK_OVERLAP = 64


@dataclass(frozen=True)
class Tiling:
    """Square tiles of ``size`` picture pixels that share ``overlap`` pixels with each neighbour."""

    size: int = 512
    overlap: int = _FALLBACK_OVERLAP

    def in_units(self, pixels: int) -> Tiling:
        """The same tiles measured in units of so many pixels; at most half a tile overlaps."""
        size = max(1, self.size // pixels)
        return Tiling(size, min(self.overlap // pixels, size // 2))


def decode(
    store: ModelStore, vae: Vae | None, latent: Latent, *, tiling: Tiling | None = None
) -> Image:
    """The pictures of a latent: [B, 8h, 8w, 3] float32 on the CPU, 0..1.

    Without ``tiling`` each picture is decoded whole, and tile by tile only if memory runs out.
    Raises InputError if there is no VAE or the latent's channels are not its own, OutOfMemory if
    tiles of 256 pixels do not fit either.
    """
    vae = _required(vae)
    _check_channels(vae, latent)
    if vae.weights is None:
        return Image(_to_pixels(latent.samples))
    return Image(_each(store, vae, latent.samples, _decode_one, tiling))


def encode(
    store: ModelStore, vae: Vae | None, image: Image, *, tiling: Tiling | None = None
) -> Latent:
    """The latent of pictures: [B, C, H/8, W/8] float32 on the CPU, unscaled.

    Sides are cropped about the centre to multiples of 8 (of the VAE's factor); an alpha channel
    is ignored. Without ``tiling`` each picture is encoded whole, and tile by tile only if memory
    runs out. Raises InputError if there is no VAE or the picture is smaller than one latent pixel,
    OutOfMemory.
    """
    vae = _required(vae)
    x = _to_network(image.pixels)
    if vae.weights is None:
        return Latent(x)
    return Latent(_each(store, vae, x, _encode_one, tiling))


def crop_to_multiple(x: Tensor, factor: int) -> Tensor:
    """``x``, [B, C, H, W], cropped about its centre to sides that ``factor`` divides."""
    height, width = (side // factor * factor for side in x.shape[-2:])
    if height == 0 or width == 0:
        raise InputError("image_too_small", expected=factor, got=f"{x.shape[-1]}×{x.shape[-2]}")
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]


_Work = Callable[[nn.Module, Tensor, "Tiling | None"], Tensor]


@torch.no_grad()
def _each(store: ModelStore, vae: Vae, batch: Tensor, work: _Work, tiling: Tiling | None) -> Tensor:
    """One item after the other, so that memory does not grow with the batch."""
    return torch.cat([_with_fallback(store, vae, item[None], work, tiling) for item in batch])


def _with_fallback(
    store: ModelStore, vae: Vae, item: Tensor, work: _Work, tiling: Tiling | None
) -> Tensor:
    attempts = [tiling, *(Tiling(size) for size in _FALLBACK_TILES if _smaller(size, tiling))]
    for attempt in attempts[:-1]:
        try:
            return store.with_memory(partial(_run, store, vae, item, work, attempt))
        except OutOfMemory:
            continue
    return store.with_memory(partial(_run, store, vae, item, work, attempts[-1]))


def _smaller(size: int, tiling: Tiling | None) -> bool:
    return tiling is None or size < tiling.size


def _run(store: ModelStore, vae: Vae, item: Tensor, work: _Work, tiling: Tiling | None) -> Tensor:
    network = store.vae(vae)
    weight = next(network.parameters())
    return work(network, item.to(weight.device, weight.dtype), tiling).float().cpu()


def _decode_one(network: nn.Module, z: Tensor, tiling: Tiling | None) -> Tensor:
    factor = _factor(network)
    if tiling is None:
        return _to_pixels(_decoded(network, z))
    tiles = tiling.in_units(factor)
    return _to_pixels(_tiled(partial(_decoded, network), z, tiles, scale=factor))


def _encode_one(network: nn.Module, x: Tensor, tiling: Tiling | None) -> Tensor:
    factor = _factor(network)
    x = crop_to_multiple(x, factor)
    if tiling is None:
        return _encoded(network, x)
    latent = tiling.in_units(factor)
    tiles = Tiling(latent.size * factor, latent.overlap * factor)
    return _tiled(partial(_encoded, network), x, tiles, scale=1 / factor)


def _decoded(network: nn.Module, z: Tensor) -> Tensor:
    y: Tensor = network.decode(z, return_dict=False)[0]  # type: ignore[operator]
    return y


def _encoded(network: nn.Module, x: Tensor) -> Tensor:
    posterior = network.encode(x, return_dict=False)[0]  # type: ignore[operator]
    mean: Tensor = posterior.mean
    return mean


def _factor(network: nn.Module) -> int:
    levels: int = len(network.config.block_out_channels)  # type: ignore[union-attr, arg-type]
    return 1 << (levels - 1)


# --- tiles ----------------------------------------------------------------------------------------


def _tiled(work: Callable[[Tensor], Tensor], x: Tensor, tiles: Tiling, *, scale: float) -> Tensor:
    """``work`` of all tiles of ``x``, blended; the result's sides are ``scale`` times those of x.

    Neighbouring tiles fade into each other linearly over their overlap.
    """
    height, width = (round(side * scale) for side in x.shape[-2:])
    results = [
        (top, left, work(x[..., top : top + tiles.size, left : left + tiles.size]))
        for top, left in _corners(x.shape[-2:], tiles)
    ]
    like = results[0][-1]
    total = like.new_zeros((*like.shape[:2], height, width))
    weight = like.new_zeros((1, 1, height, width))
    for top, left, result in results:
        fade = _fade(result, round(tiles.overlap * scale))
        rows = slice(round(top * scale), round(top * scale) + result.shape[-2])
        columns = slice(round(left * scale), round(left * scale) + result.shape[-1])
        total[..., rows, columns] += result * fade
        weight[..., rows, columns] += fade
    return total / weight


def _corners(sides: torch.Size, tiles: Tiling) -> Iterator[tuple[int, int]]:
    height, width = sides
    for top in _starts(height, tiles):
        for left in _starts(width, tiles):
            yield top, left


def _starts(side: int, tiles: Tiling) -> list[int]:
    """Where tiles begin; the last one is moved back to end at the edge."""
    last = max(0, side - tiles.size)
    return [*range(0, last, tiles.size - tiles.overlap), last]


def _fade(tile: Tensor, overlap: int) -> Tensor:
    """Weights of a tile, [1, 1, h, w]: rising from near 0 at each edge to 1 within ``overlap``.

    The picture's own edges fade too, which the division by the sum of weights undoes.
    """
    rows, columns = (_ramp(side, overlap, tile) for side in tile.shape[-2:])
    return rows[None, None, :, None] * columns[None, None, None, :]


def _ramp(side: int, overlap: int, like: Tensor) -> Tensor:
    steps = torch.arange(1, side + 1, device=like.device, dtype=like.dtype)
    return (torch.minimum(steps, steps.flip(0)) / (overlap + 1)).clamp(max=1.0)


# --- values ---------------------------------------------------------------------------------------


def _required(vae: Vae | None) -> Vae:
    """A checkpoint without a VAE puts None on its link."""
    if vae is None:
        raise InputError("no_vae")
    return vae


def _check_channels(vae: Vae, latent: Latent) -> None:
    expected, got = vae.family.latent_channels, latent.samples.shape[1]
    if expected != got or latent.samples.ndim != 4:
        shape = list(latent.samples.shape)
        raise InputError("latent_channels", expected=expected, got=got, shape=shape)


def _to_network(pixels: Tensor) -> Tensor:
    """[B, H, W, C] in 0..1 → [B, 3, H, W] in -1..1; grey becomes three equal channels."""
    colours = pixels.expand(-1, -1, -1, 3) if pixels.shape[-1] == 1 else pixels[..., :3]
    return colours.movedim(-1, 1) * 2 - 1


def _to_pixels(y: Tensor) -> Tensor:
    """[B, 3, H, W] in -1..1 → [B, H, W, 3] in 0..1."""
    return ((y + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()

"""Pictures to latents and back, whole or tile by tile.

Encoding takes the posterior's mean (Kingma & Welling 2014, arXiv:1312.6114, without sampling) and
leaves the latent unscaled; the sampler scales it by its family's factor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.tiles import Tiling, tiled
from graphengine.errors import InputError, OutOfMemory
from graphengine.sockets import Image, Latent, Vae

# Picture pixels of the tiles tried in turn when a whole picture does not fit in memory.
_FALLBACK_TILES = (512, 256)


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
    return _to_pixels(tiled(partial(_decoded, network), z, tiles, scale=factor))


def _encode_one(network: nn.Module, x: Tensor, tiling: Tiling | None) -> Tensor:
    factor = _factor(network)
    x = crop_to_multiple(x, factor)
    if tiling is None:
        return _encoded(network, x)
    latent = tiling.in_units(factor)
    tiles = Tiling(latent.size * factor, latent.overlap * factor)
    return tiled(partial(_encoded, network), x, tiles, scale=1 / factor)


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

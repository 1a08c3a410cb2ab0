"""Pictures enlarged by a network, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from graphengine.diffusion.architectures import refuse
from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.residency import ModelStore, Recipe
from graphengine.diffusion.tiles import Tiling, tiled
from graphengine.diffusion.upscale_networks import open_upscaler, read_layout, upscaler_prefix
from graphengine.errors import ModelFileError, OutOfMemory
from graphengine.sockets import Image, UpscaleModel, Weights

# Sides of the tiles tried in turn while memory does not suffice, in pixels of the small picture.
_TILES = (512, 256, 128)
_OVERLAP = 32

Progress = Callable[[float, float], None]


def load_upscale_file(path: str | Path) -> UpscaleModel:
    """The upscale model in a file; ModelFileError if it is something else, or unsupported."""
    tensors = open_tensors(path)
    prefix = upscaler_prefix(tensors)
    if prefix is None:
        error = refuse(tensors, wanted="upscale model")
        if error.code not in ("model_unknown", "model_is_upscaler"):
            raise error
        raise ModelFileError("upscaler_unsupported", path=tensors.ref.path, key=min(tensors))
    layout = read_layout(tensors.under(prefix))
    weights = Weights(tensors.ref, "other", prefix)
    open_upscaler(weights)
    return UpscaleModel(weights, layout.scale)


def upscale(store: ModelStore, model: UpscaleModel, image: Image, progress: Progress) -> Image:
    """The pictures ``model.scale`` times as large: [B, H', W', 3] float32 on the CPU, 0..1.

    An alpha channel is dropped, grey becomes colour. ``progress`` gets (tiles done, tiles) and may
    raise `Cancelled`. Tiles get smaller while memory does not suffice; raises OutOfMemory if the
    smallest do not fit either.
    """
    x = _to_network(image.pixels)
    for size in _TILES[:-1]:
        try:
            return _attempt(store, model, x, Tiling(size, _OVERLAP), progress)
        except OutOfMemory:
            continue
    return _attempt(store, model, x, Tiling(_TILES[-1], _OVERLAP), progress)


def _attempt(
    store: ModelStore, model: UpscaleModel, x: Tensor, tiles: Tiling, progress: Progress
) -> Image:
    y = store.with_memory(partial(_enlarged, store, model, x, tiles, progress))
    return Image(y.clamp_(0, 1).movedim(1, -1).contiguous())


@torch.no_grad()
def _enlarged(
    store: ModelStore, model: UpscaleModel, x: Tensor, tiles: Tiling, progress: Progress
) -> Tensor:
    """[B, 3, H', W'] float32 on the CPU; one picture after the other."""
    opened = partial(open_upscaler, model.weights)
    network = store.network(Recipe(model.weights, "upscale_model", opened))
    like, done = next(network.parameters()), count(1)
    total = len(x) * tiles.count(x.shape[-2:])

    def work(tile: Tensor) -> Tensor:
        y: Tensor = network(tile.to(like)).float().cpu()
        progress(next(done), total)
        return y

    return torch.cat([tiled(work, item[None], tiles, scale=model.scale) for item in x])


def _to_network(pixels: Tensor) -> Tensor:
    """[B, H, W, C] → [B, 3, H, W], both 0..1."""
    colours = pixels.expand(-1, -1, -1, 3) if pixels.shape[-1] == 1 else pixels[..., :3]
    return colours.movedim(-1, 1)

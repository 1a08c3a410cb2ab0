"""Fit the colours of latents and write them into a model file: `python preview_colours.py [FILE]`.

Previews mix a latent's channels linearly into red, green and blue. The factors are the least
squares between what the model's own VAE makes of drawn scenes and the scenes at an eighth of
their size; they go into the file's metadata, where `graphengine.diffusion.previews` looks first.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

import scenes
import torch
from export import DEFAULT_OUT
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.previews import RGB_METADATA
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.vae import encode
from graphengine.sockets import Image

SCENES, SEED = 200, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=DEFAULT_OUT)
    path = parser.parse_args().file
    factors, explained = fit(path)
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata() or {})
    rows = [[round(value, 4) for value in row] for row in factors.tolist()]
    metadata[RGB_METADATA] = json.dumps(rows)
    part = path.with_suffix(".part")
    save_file({key: tensor.clone() for key, tensor in load_file(path).items()}, part, metadata)
    part.replace(path)
    print(f"{path}: {explained:.1%} of the colours' variance explained")


def fit(path: Path) -> tuple[Tensor, float]:
    """The factors, [channels + 1, 3] with the bias last, for latents in the model's scale.

    And how much of the variance of the scenes' colours (-1..1) they explain.
    """
    rng = Random(SEED)
    drawn = scenes.pictures([scenes.training_scene(rng) for _ in range(SCENES)], rng)
    pixels = torch.from_numpy(drawn).float().reshape(SCENES, *drawn.shape[-3:]) / 255
    model, _, vae = load_checkpoint(path)
    latents = encode(ModelStore("cpu"), vae, Image(pixels)).samples * model.family.latent_scale
    factor = pixels.shape[1] // latents.shape[-2]
    colours = avg_pool2d(pixels.movedim(-1, 1), factor) * 2 - 1
    x, y = (part.movedim(1, -1).flatten(0, 2) for part in (latents, colours))
    x = torch.cat([x, torch.ones(len(x), 1)], dim=1)
    found = torch.linalg.lstsq(x.double(), y.double()).solution
    rest = (y - x.double() @ found).square().sum() / (y - y.mean(0)).square().sum()
    return found.float(), 1 - float(rest)


if __name__ == "__main__":
    main()

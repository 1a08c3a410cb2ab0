"""The picture after every step of one sampling, as frames or laid out in one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from graphengine.diffusion.latent_space import out_of_model
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.samplers.steps import Step
from graphengine.diffusion.vae import decode
from graphengine.sockets import Family, Image, Latent, Vae

Show = Literal["guess", "noisy"]
Layout = Literal["frames", "row", "grid"]


@dataclass
class Recorder:
    """A sampling callback that keeps the first picture's latent of every step.

    ``show``: "guess" = what the model takes the finished picture to be, "noisy" = the latent
    itself, noise and all. ``family``: the model's.
    """

    show: Show
    family: Family
    latents: list[Tensor] = field(default_factory=list)

    def __call__(self, step: Step) -> None:
        """Keep one step."""
        seen = step.denoised if self.show == "guess" else step.x
        self.latents.append(out_of_model(seen[:1].float().cpu(), self.family))

    def frames(self, store: ModelStore, vae: Vae, latent: Latent) -> Image:
        """[steps, H, W, 3] float32: one picture a step, decoded one by one."""
        decoded = [
            decode(store, vae, replace(latent, samples=seen, noise_mask=None)).pixels
            for seen in self.latents
        ]
        return Image(torch.cat(decoded))


def lay_out(frames: Image, layout: Layout, *, gap: int = 2) -> Image:
    """Frames as they are, in one row, or in a grid about as wide as high; white between them."""
    pixels = frames.pixels
    if layout == "frames":
        return frames
    count, height, width, channels = pixels.shape
    columns = count if layout == "row" else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = torch.ones(
        rows * (height + gap) - gap, columns * (width + gap) - gap, channels, dtype=pixels.dtype
    )
    for index, frame in enumerate(pixels):
        y, x = index // columns * (height + gap), index % columns * (width + gap)
        sheet[y : y + height, x : x + width] = frame
    return Image(sheet[None])

"""The latent space of the starter model, written down instead of left to chance.

The mean of the autoencoder's posterior is trained to be four plain statistics of a picture, so
that the denoiser, the encoder and the decoder can all train at the same time: the mean colour of
each 8×8 patch (three channels) and, between the patches, the brightness under the weights
`DETAIL` of a 6×6 window around the patch's lower right corner.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

PATCH = 8
WINDOW = 6
# Weights of red, green and blue under which every object colour differs from every background.
DETAIL = (0.35, 0.43, 0.22)
# Mean and deviation of the four statistics over training pictures in -1..1.
MEAN = (-0.054, -0.041, 0.001, -0.036)
DEVIATION = (0.735, 0.64, 0.635, 0.635)


def statistics(x: Tensor) -> Tensor:
    """The four statistics of pictures x [B, 3, H, W] in -1..1: [B, 4, H/8, W/8]."""
    colours = functional.avg_pool2d(x, PATCH)
    bright = (x * x.new_tensor(DETAIL)[:, None, None]).sum(1, keepdim=True)
    shift = PATCH - WINDOW // 2
    shifted = functional.pad(bright, (0, PATCH, 0, PATCH), mode="replicate")[:, :, shift:, shift:]
    windows = shifted.unfold(2, WINDOW, PATCH).unfold(3, WINDOW, PATCH)
    detail = windows.mean(dim=(4, 5))[:, :, : colours.shape[2], : colours.shape[3]]
    return torch.cat([colours, detail], dim=1)


def encode(x: Tensor) -> Tensor:
    """The latents of pictures x [B, 3, H, W] in -1..1, about unit variance: [B, 4, H/8, W/8]."""
    mean, deviation = (x.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    return (statistics(x) - mean) / deviation

"""Edges by Canny's method (1986, "A Computational Approach to Edge Detection")."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import conv2d, pad

from graphengine.diffusion.channels import with_channels
from graphengine.diffusion.filters import gaussian_blur
from graphengine.errors import InputError
from graphengine.sockets import Image

# ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)
_BLUR_RADIUS, _BLUR_SIGMA = 2, 1.0
_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
# Where the gradient points, in eighths of a turn (rows downwards), and its neighbour there.
_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))


def canny(image: Image, low: float, high: float) -> Image:
    """White edges on black, [B, H, W, 3].

    Brightness is blurred (5 × 5, sigma 1 pixel); its Sobel gradient (a step from 0 to 1 gives
    about 2.6) is thinned to its crests. Crests above ``high`` are edges, and those above ``low``
    that touch an edge. Raises InputError if low > high.
    """
    if low > high:
        raise InputError("canny_thresholds", low=low, high=high)
    crests = _crests(_brightness(with_channels(image.pixels, 3)))
    edges = np.stack([_connected(crest.numpy(), low, high) for crest in crests.cpu()])
    white = torch.from_numpy(edges.astype(np.float32)).to(image.pixels.device)
    return Image(white[..., None].repeat(1, 1, 1, 3))


def _brightness(pixels: Tensor) -> Tensor:
    """[B, H, W, 3] → [B, 1, H, W], blurred."""
    grey = (pixels * torch.tensor(_LUMA, device=pixels.device)).sum(dim=-1)[:, None]
    return gaussian_blur(grey, _BLUR_RADIUS, _BLUR_SIGMA)


def _crests(grey: Tensor) -> Tensor:
    """The gradient's magnitude, [B, H, W], where no neighbour along it is steeper; else 0."""
    sobel = torch.tensor(_SOBEL, device=grey.device)
    kernels = torch.stack([sobel, sobel.T])[:, None]
    dx, dy = conv2d(pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).unbind(1)
    steepness = torch.hypot(dx, dy)
    direction = (torch.atan2(dy, dx) * 4 / math.pi).round().long() % 4
    around = pad(steepness, (1, 1, 1, 1))
    is_crest = torch.zeros_like(steepness, dtype=torch.bool)
    for index, (down, right) in enumerate(_STEPS):
        ahead, behind = _moved(around, down, right), _moved(around, -down, -right)
        # Of two equal neighbours one is kept, or the edge between two even areas would vanish.
        is_crest |= (direction == index) & (steepness > ahead) & (steepness >= behind)
    return steepness * is_crest


def _moved(around: Tensor, down: int, right: int) -> Tensor:
    height, width = around.shape[-2] - 2, around.shape[-1] - 2
    return around[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]


def _connected(crest: np.ndarray, low: float, high: float) -> np.ndarray:
    """Crests above ``low`` in a connected piece that reaches above ``high``, [H, W] bool."""
    pieces, _ = ndimage.label(crest > low, structure=np.ones((3, 3)))
    strong = np.unique(pieces[crest > high])
    return np.isin(pieces, strong[strong > 0])

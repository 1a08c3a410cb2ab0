"""What can be measured in a picture beside what it shows: sharpness, noise, saturation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EDGE_PERCENT = 98  # the steepest 2 % of the places: a thing's outline
FLAT_PERCENT = 50


def sharpness(picture: NDArray[np.uint8]) -> float:
    """How steep the outlines are, in levels of brightness a pixel: higher is sharper."""
    return float(np.percentile(_slopes(picture), EDGE_PERCENT))


def grain(picture: NDArray[np.uint8]) -> float:
    """How uneven flat surfaces are, in levels of brightness a pixel: lower is cleaner."""
    return float(np.percentile(_slopes(picture), FLAT_PERCENT))


def saturation(picture: NDArray[np.uint8]) -> float:
    """How far the colours are from gray: mean of (largest - smallest channel) in 0..1."""
    values = picture.astype(np.float32) / 255
    return float((values.max(axis=-1) - values.min(axis=-1)).mean())


def _slopes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    gray = picture.astype(np.float32).mean(axis=-1)
    across, down = np.diff(gray, axis=1)[:-1], np.diff(gray, axis=0)[:, :-1]
    slopes: NDArray[np.float32] = np.hypot(across, down)
    return slopes

"""Brownian motion whose value between two times depends on the seed alone, not on the queries.

The same numbers as ``torchsde.BrownianTree`` (Google, Apache-2.0; Li et al. 2020,
arXiv:2001.01328, Alg. 3), which the field's SDE samplers draw their noise from: every dyadic
interval has its own seed, spawned from the tree's seed and the interval's place in the tree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

# torchsde's defaults, part of what decides the numbers.
DIGITS = 6
POOL_SIZE = 24


@dataclass(frozen=True)
class _Interval:
    """A node of the dyadic tree: ``place`` counts from the left at ``depth``, left ones even."""

    start: float
    end: float
    depth: int = 0
    place: int = 0

    def halves(self) -> tuple[_Interval, _Interval]:
        middle = round(0.5 * (self.end + self.start), DIGITS)
        depth, place = self.depth + 1, 2 * self.place
        return (
            _Interval(self.start, middle, depth, place),
            _Interval(middle, self.end, depth, place + 1),
        )


class BrownianTree:
    """A Brownian path over [t0, t1] for tensors like ``like``, on its device.

    Holds the increments touched by the last query, because the next one shares half of them.
    """

    def __init__(self, t0: float, t1: float, like: Tensor, seed: int) -> None:
        self._root = _Interval(round(t0, DIGITS), round(t1, DIGITS))
        self._like = like
        self._seed = seed
        sequence = numpy.random.SeedSequence(entropy=seed, pool_size=POOL_SIZE)
        self._total = self._normal(sequence, words=3) * math.sqrt(t1 - t0)
        self._recent: dict[_Interval, tuple[Tensor, Tensor]] = {}

    def increment(self, start: float, end: float) -> Tensor:
        """W(end) - W(start), of variance end - start; times outside [t0, t1] are clamped."""
        low, high = (min(max(t, self._root.start), self._root.end) for t in (start, end))
        low, high = round(low, DIGITS), round(high, DIGITS)
        if low == high:
            return torch.zeros_like(self._like)
        touched: dict[_Interval, tuple[Tensor, Tensor]] = {}
        pieces = self._cover(low, high, touched)
        self._recent = touched
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + piece
        return total

    def _cover(
        self, low: float, high: float, touched: dict[_Interval, tuple[Tensor, Tensor]]
    ) -> list[Tensor]:
        """The increments of the dyadic intervals that make up [low, high], left to right."""
        pieces: list[Tensor] = []
        waiting = [(self._root, self._total, low, high)]
        while waiting:
            interval, increment, low, high = waiting.pop()
            if low == interval.start and high == interval.end:
                pieces.append(increment)
                continue
            left, right = interval.halves()
            touched[interval] = self._split(interval, left.end, increment)
            left_increment, right_increment = touched[interval]
            if high > right.start:
                waiting.append((right, right_increment, max(low, right.start), high))
            if low < left.end:
                waiting.append((left, left_increment, low, min(high, left.end)))
        return pieces

    def _split(self, interval: _Interval, middle: float, total: Tensor) -> tuple[Tensor, Tensor]:
        """The increments of both halves: a Brownian bridge pinned at the ends."""
        if interval in self._recent:
            return self._recent[interval]
        before, after = middle - interval.start, interval.end - middle
        inverse = 1 / (interval.end - interval.start)
        sequence = numpy.random.SeedSequence(
            entropy=self._seed,
            spawn_key=(interval.place, interval.depth),
            pool_size=POOL_SIZE,
        )
        bridge = math.sqrt(before * after * inverse) * self._normal(sequence, words=4)
        left = before * total * inverse + bridge
        return left, total - left

    def _normal(self, sequence: numpy.random.SeedSequence, words: int) -> Tensor:
        like = self._like
        generator = torch.Generator(like.device).manual_seed(int(sequence.generate_state(words)[0]))
        return torch.randn(
            tuple(like.shape), dtype=like.dtype, device=like.device, generator=generator
        )

"""The training loop of what is trained on top of the base: resumable, averaged, one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import networks
import torch
from torch import Tensor, nn

SAVE_EVERY = 10  # steps


def train(
    path: Path,
    weights: Mapping[str, nn.Parameter],
    loss_of: Callable[[float], Tensor],
    *,
    samples: int,
    batch: int,
    lr: float,
    seed: int,
    decay: float = 0.99,
) -> dict[str, Tensor]:
    """Train `weights` until `samples` samples are seen, going on from a state at `path`.

    `loss_of` gets the share of the training that is over, and gives the loss of one batch.
    Returns the running average of the weights.
    """
    kept = nn.ParameterDict(weights)
    average = networks.Average(kept, decay)
    optimizer = torch.optim.AdamW(
        kept.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0, fused=True
    )
    seen, seconds, recent = 0, 0.0, math.nan
    if path.exists():
        state = networks.load_state(path)
        kept.load_state_dict(state["weights"])
        average.weights, average.steps = state["average"], state["average_steps"]
        optimizer.load_state_dict(state["optimizer"])
        seen, seconds = state["samples"], state["seconds"]
    torch.manual_seed(Random(f"{path.stem} {seed} {seen}").randrange(2**32))
    print(f"{path.stem}: training from {seen} samples to {samples}", flush=True)
    while seen < samples:
        began = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = lr * _rate(seen, seen / samples, batch)
        loss = loss_of(seen / samples)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(kept.parameters(), 1.0)
        optimizer.step()
        average.update(kept)
        seen += batch
        seconds += time.monotonic() - began
        recent = loss.item() if math.isnan(recent) else 0.95 * recent + 0.05 * loss.item()
        step = seen // batch
        if step % 20 == 0:
            pace = networks.pace(seen, samples, seconds)
            print(f"{path.stem}: {seen} samples, {pace}, loss {recent:.5f}", flush=True)
        if step % SAVE_EVERY == 0 or seen >= samples:
            networks.save_atomically(
                {
                    "weights": kept.state_dict(),
                    "average": average.weights,
                    "average_steps": average.steps,
                    "optimizer": optimizer.state_dict(),
                    "samples": seen,
                    "seconds": seconds,
                },
                path,
            )
    return average.weights


def _rate(seen: int, share: float, batch: int) -> float:
    """Warm-up over 20 steps, then a cosine down to 5 %."""
    return min(1.0, (seen / batch + 1) / 20) * (0.05 + 0.95 * (1 + math.cos(math.pi * share)) / 2)

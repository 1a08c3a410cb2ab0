"""Data-parallel training in processes of one thread each.

On a shared machine this beats threads: a waiting process sleeps instead of spinning, and
single-threaded kernels do not stall when another program takes a core for a moment.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn


def run(worker: Callable[..., None], processes: int, *arguments: object) -> None:
    """Call `worker(rank, *arguments)` in each of `processes` connected processes."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        multiprocessing.spawn(_join, (worker, processes, meeting, arguments), nprocs=processes)


def average_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over all processes."""
    if distributed.get_world_size() == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([g.numel() for g in gradients])
    torch._foreach_copy_(
        gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
    )


def _join(
    rank: int,
    worker: Callable[..., None],
    processes: int,
    meeting: Path,
    arguments: tuple[object, ...],
) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes
    )
    worker(rank, *arguments)
    distributed.destroy_process_group()

"""Data-parallel training in processes of one thread each.

On a shared machine this beats threads: a waiting process sleeps instead of spinning, and
single-threaded kernels do not stall when another program takes a core for a moment.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import networks
import torch
from torch import distributed, multiprocessing, nn


def run(worker: Callable[[int, argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Call `worker(rank, options)` in each of `options.processes` connected processes."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        multiprocessing.spawn(_join, (worker, meeting, options), nprocs=options.processes)


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
    worker: Callable[[int, argparse.Namespace], None],
    meeting: Path,
    options: argparse.Namespace,
) -> None:
    networks.use(options.device)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=options.processes
    )
    worker(rank, options)
    distributed.destroy_process_group()

"""What sampling costs beside the network: KSampler's time a step over the forward pass in it.

    python tools/bench/sampling.py [--width 320] [--size 32] [--steps 6] [--repeat 3] [--threads 2]

Builds a Stable-Diffusion-1.5-like UNet with random weights (``--width 320`` is SD 1.5 itself,
3.4 GB) and lets KSampler run (cfg 7: a batch of two a step) on a network that times its own
calls, so that both sides of each ratio see the same machine. Two bare calls after each run, on
equal inputs, show that the network is not slower inside. Medians over the runs; ``--cpu-time``
counts processor time instead of the clock's, for a machine that others use too. All calls of the
network: 2 + samplers x repeat x (steps + 2), with the defaults 122, of about a second each on two
cores; ``--width 128`` takes a sixth of that and has the same cost around the network.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from graphengine.diffusion.layouts import UNetLayout
from graphengine.diffusion.networks import build_unet
from graphengine.diffusion.sampling import sample
from graphengine.diffusion.unet import predict
from graphengine.sockets import (
    Condition,
    Conditioning,
    Family,
    FileRef,
    Latent,
    Model,
    Weights,
)
from tests.diffusion.published import SD1_UNET

BARE_CALLS = 2
SAMPLERS = ("euler", "euler_ancestral", "ddim", "dpmpp_2m", "lcm")


class Timed(nn.Module):
    """A UNet that adds up the seconds of its calls."""

    def __init__(self, unet: nn.Module, clock: Callable[[], float]) -> None:
        super().__init__()
        self.unet = unet
        self.config = unet.config
        self.clock = clock
        self.seconds = 0.0

    def forward(self, x: Tensor, *inputs: object, **named: object) -> object:
        _wait(x)
        begin = self.clock()
        output = self.unet(x, *inputs, **named)
        _wait(x)
        self.seconds += self.clock() - begin
        return output


class OneNetwork:
    """What sampling asks of a model store, for a network that is there already."""

    def __init__(self, unet: nn.Module, device: torch.device) -> None:
        self.device = device
        self._unet = unet

    def unet(self, model: Model) -> nn.Module:
        del model
        return self._unet

    def with_memory(self, work: Callable[[], object]) -> object:
        return work()


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() and not options.cpu else "cpu")
    clock = time.process_time if options.cpu_time else time.perf_counter
    layout = replace(SD1_UNET, channels=tuple(options.width * k for k in (1, 2, 4, 4)))
    unet = _random_unet(layout).to(device, torch.float16 if device.type == "cuda" else None)
    count = sum(p.numel() for p in unet.parameters()) / 1e6
    print(f"{count:.0f} M parameters, 2x4x{options.size}x{options.size}, {device}")
    timed = Timed(unet, clock)
    _bare(timed, device, options)  # the first calls are slower
    for name in SAMPLERS:
        runs = [_run(timed, device, name, options) for _ in range(options.repeat)]
        ratios = [run.whole / run.inside for run in runs]
        bare = statistics.median(run.bare for run in runs) / BARE_CALLS * 1e3
        inside = statistics.median(run.inside for run in runs) / options.steps * 1e3
        around = statistics.median(run.whole - run.inside for run in runs) / options.steps * 1e3
        print(
            f"{name:16s} bare {bare:8.2f} ms   in KSampler {inside:8.2f} ms + {around:.2f} ms   "
            f"KSampler / forward {statistics.median(ratios):.4f} (up to {max(ratios):.4f})",
            flush=True,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 32), ("steps", 6), ("repeat", 3), ("width", 320)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--cpu-time", action="store_true")
    return parser.parse_args()


def _random_unet(layout: UNetLayout) -> nn.Module:
    unet = build_unet(layout).to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in unet.parameters():
            fan_in = max(parameter[0].numel(), 1)
            parameter.normal_(0, fan_in**-0.5, generator=generator)
    return unet


@dataclass(frozen=True)
class Seconds:
    """Of the bare calls of the network, of those inside KSampler, and of KSampler as a whole."""

    bare: float
    inside: float
    whole: float


def _run(timed: Timed, device: torch.device, sampler: str, options: argparse.Namespace) -> Seconds:
    model = Model(Weights(FileRef("", 0, 0), "unet"), Family("sd1"))
    words = [Conditioning((Condition(torch.randn(1, 77, 768)),)) for _ in range(2)]
    latent = Latent(torch.zeros(1, 4, options.size, options.size))
    timed.seconds = 0.0
    begin = timed.clock()
    sample(
        OneNetwork(timed, device),
        model,
        latent,
        *words,
        seed=1,
        steps=options.steps,
        cfg=7.0,
        sampler=sampler,
        scheduler="normal",
    )
    whole, inside = timed.clock() - begin, timed.seconds
    _bare(timed, device, options)
    return Seconds(timed.seconds - inside, inside, whole)


def _bare(timed: Timed, device: torch.device, options: argparse.Namespace) -> None:
    dtype = next(timed.parameters()).dtype
    x = torch.randn(2, 4, options.size, options.size, device=device, dtype=dtype)
    t, context = torch.full((2,), 500.0, device=device), torch.randn(2, 77, 768).to(device, dtype)
    with torch.no_grad():
        for _ in range(BARE_CALLS):
            predict(timed, x, t, context)


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()

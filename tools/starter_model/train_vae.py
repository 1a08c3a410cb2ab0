"""Train half of the autoencoder: `python train_vae.py {decoder,encoder} [--state DIR]`.

The latents are given (`latents.py`), so the halves train apart, beside each other and beside the
denoiser. Most of the training sees quarters of pictures, the end of it whole ones. Reads and writes
`decoder.pt` or `encoder.pt` in the state folder.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import latents
import networks
import numpy as np
import scenes
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

BATCH = 16  # quarters; or a fourth as many whole pictures
POOL = 20_000
CROP = scenes.SIZE // 2
WHOLE_FROM = 0.75  # of the training
MOST_NOISE = 0.2  # of the latents that the decoder sees: it learns to forgive the denoiser's errors
FOREGROUND_WEIGHT = 4.0
SAVE_EVERY = 250
DEFAULT_SAMPLES = {"decoder": 64_000, "encoder": 16_000}

Loss = Callable[[AutoencoderKL, Tensor, Tensor], tuple[Tensor, str]]


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("half", choices=("decoder", "encoder"))
    parser.add_argument("--samples", type=int, help="in all, default 64,000 and 16,000")
    parser.add_argument("--lr", type=float, default=2e-3)
    options = parser.parse_args()
    networks.use(options.device)
    path = networks.state_folder(options.state) / f"{options.half}.pt"
    samples = options.samples or DEFAULT_SAMPLES[options.half]
    train(options.half, path, samples=samples, lr=options.lr, seed=options.seed)


def train(half: str, path: Path, *, samples: int, lr: float, seed: int) -> None:
    """Train one half until `samples` quarters are seen, going on from a state at `path`."""
    torch.manual_seed(seed)
    vae = networks.build_vae()
    network = networks.vae_half(vae, half)
    average = networks.Average(network, 0.998)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    seen, seconds = 0, 0.0
    if path.exists():
        state = networks.load_state(path)
        network.load_state_dict(state["network"])
        average.weights, average.steps = state["average"], state["average_steps"]
        optimizer.load_state_dict(state["optimizer"])
        seen, seconds = state["samples"], state["seconds"]
    networks.speed_up(vae)
    loss_of: Loss = _decoder_loss if half == "decoder" else _encoder_loss
    rng = Random(f"{half} {seed} {seen}")
    torch.manual_seed(rng.randrange(2**32))
    print(f"drawing {POOL} scenes", flush=True)
    pool = scenes.pictures([scenes.training_scene(rng) for _ in range(POOL)], rng)
    print(f"training from {seen} samples to {samples}", flush=True)
    while seen < samples:
        began = time.monotonic()
        rate = lr * min(1.0, (seen + BATCH) / 1600) * _cosine(seen / samples)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, report = loss_of(vae, *batch(pool, whole=seen >= WHOLE_FROM * samples))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        seen += BATCH
        seconds += time.monotonic() - began
        if seen // BATCH % 50 == 0:
            pace = networks.pace(seen, samples, seconds)
            print(f"{seen} samples, {pace}, {report}", flush=True)
        if seen // BATCH % SAVE_EVERY == 0 or seen >= samples:
            state = {
                "network": network.state_dict(),
                "average": average.weights,
                "average_steps": average.steps,
                "optimizer": optimizer.state_dict(),
                "samples": seen,
                "seconds": seconds,
            }
            networks.save_atomically(state, path)


def _cosine(share: float) -> float:
    return 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2


def batch(pool: np.ndarray, *, whole: bool) -> tuple[Tensor, Tensor]:
    """Pictures [B, 3, H, W] in -1..1, and where things are [B, 1, H, W]."""
    chosen = torch.randint(len(pool), (BATCH // 4 if whole else BATCH,)).cpu().numpy()
    x = networks.tensor_of(pool[chosen]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    both = torch.cat([x, foreground(x)], dim=1)
    if not whole:
        both = torch.stack([_quarter(each) for each in both])
    x, inside = both.split([3, 1], dim=1)
    return x.contiguous(memory_format=torch.channels_last), inside


def _quarter(x: Tensor) -> Tensor:
    """A square of half the side, from a random place on the grid of the latents."""
    steps = (scenes.SIZE - CROP) // latents.PATCH + 1
    top, left = (int(torch.randint(steps, ())) * latents.PATCH for _ in range(2))
    return x[:, top : top + CROP, left : left + CROP]


def _decoder_loss(vae: AutoencoderKL, x: Tensor, inside: Tensor) -> tuple[Tensor, str]:
    with networks.half_precision():
        y = vae.decode(noised_latents(x)).sample
    error = y.float() - x
    decibels = -10 * math.log10(error.square().mean().item() / 4)
    loss = drawing_loss(error, inside)
    return loss, f"loss {loss.item():.4f}, {decibels:.1f} dB, L1 {error.abs().mean().item():.4f}"


def noised_latents(x: Tensor) -> Tensor:
    """The latents of pictures, each with its own share of noise."""
    z = latents.encode(x)
    return z + MOST_NOISE * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)


def drawing_loss(error: Tensor, inside: Tensor) -> Tensor:
    """How bad an error of pictures [B, 3, H, W] is: L1, L2 and edges, things above all."""
    weight = 1 + FOREGROUND_WEIGHT * inside
    pixels = (weight * (error.abs() + 2 * error.square())).mean() / weight.mean()
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return pixels + 0.5 * edges


def foreground(x: Tensor) -> Tensor:
    """1 where a picture differs from the mean of its corners: [B, 1, H, W]."""
    corners = x[:, :, :: x.shape[2] - 4, :: x.shape[3] - 4].mean(dim=(2, 3), keepdim=True)
    return ((x - corners).norm(dim=1, keepdim=True) > 0.35).float()


def _encoder_loss(vae: AutoencoderKL, x: Tensor, _inside: Tensor) -> tuple[Tensor, str]:
    with networks.half_precision():
        mean = vae.encode(x).latent_dist.mean
    loss = functional.mse_loss(mean.float(), latents.encode(x))
    return loss, f"error {loss.item():.5f}"


if __name__ == "__main__":
    main()

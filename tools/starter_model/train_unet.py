"""Train the denoiser: `python train_unet.py [--samples N] [--processes N] [--state DIR]`.

Reads `text.pt`, reads and writes `unet.pt` in the state folder. The noise levels are Stable
Diffusion 1's; the network predicts v (Salimans & Ho 2022, arXiv:2202.00512).
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import captions
import latents
import networks
import numpy as np
import parallel
import scenes
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, distributed, nn

EMPTY_SHARE = 0.12
FOREGROUND_WEIGHT = 3.0
FOREGROUND_UNTIL = 0.7  # of the training
ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, dim=0)
# Weight of a level's error in v, SNR between 0.5 and 5 over SNR + 1: timesteps are drawn by it.
LEVEL_WEIGHTS = (ALPHAS / (1 - ALPHAS)).clamp(0.5, 5) * (1 - ALPHAS)
LEVEL_SHARES = torch.cumsum(LEVEL_WEIGHTS / LEVEL_WEIGHTS.sum(), dim=0)
SAVE_EVERY = 100


@dataclass
class Progress:
    """How far training is."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Pool:
    """Drawn scenes.

    Latents [N, 4, 16, 16], where things are [N, 1, 16, 16], captions encoded [N, 77, 128].
    """

    latents: Tensor
    foreground: Tensor
    words: Tensor


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("--samples", type=int, default=256_000)
    parser.add_argument("--batch", type=int, default=32, help="a process")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--scenes", type=int, default=24_000, help="drawn for a process")
    parser.add_argument("--processes", type=int, default=2, help="1 on a GPU")
    options = parser.parse_args()
    networks.needed(networks.state_folder(options.state) / "text.pt")
    parallel.run(train, options)


def train(rank: int, options: argparse.Namespace) -> None:
    """Train until enough samples in all are seen, from the state in the folder if there is one."""
    folder = networks.state_folder(options.state)
    samples, batch, lr = options.samples, options.batch, options.lr
    torch.manual_seed(options.seed)
    text = trained_text_encoder(folder)
    unet = networks.build_unet()
    average = networks.Average(unet, 0.999)
    optimizer = torch.optim.AdamW(
        unet.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    progress = _resume(folder / "unet.pt", unet, average, optimizer)
    networks.speed_up(unet)
    rng = Random(f"unet {options.seed} {rank} {progress.step}")
    torch.manual_seed(rng.randrange(2**32))
    if rank == 0:
        print(f"drawing {options.scenes} scenes", flush=True)
    pool = draw_pool(rng, text, options.scenes)
    empty = text(captions.rows([""])).last_hidden_state.detach()
    if rank == 0:
        print(f"training from {progress.samples} samples to {samples}", flush=True)
    recent = 0.0
    while progress.samples < samples:
        began = time.monotonic()
        share = progress.samples / samples
        for group in optimizer.param_groups:
            group["lr"] = lr * _schedule(progress.step, share)
        weight = FOREGROUND_WEIGHT if share < FOREGROUND_UNTIL else 0.0
        loss = _loss(unet, empty, pool, batch, weight)
        optimizer.zero_grad()
        loss.backward()
        parallel.average_gradients(unet)
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        average.update(unet)
        progress.step += 1
        progress.samples += batch * distributed.get_world_size()
        progress.seconds += time.monotonic() - began
        recent = loss.item() if progress.step == 1 else 0.98 * recent + 0.02 * loss.item()
        if rank == 0 and progress.step % 50 == 0:
            pace = networks.pace(progress.samples, samples, progress.seconds)
            print(f"{progress.samples} samples, {pace}, loss {recent:.4f}", flush=True)
        if rank == 0 and (progress.step % SAVE_EVERY == 0 or progress.samples >= samples):
            gap = words_matter(unet, pool)
            print("error under right / swapped words: {:.4f} / {:.4f}".format(*gap), flush=True)
            state = {
                "unet": unet.state_dict(),
                "average": average.weights,
                "average_steps": average.steps,
                "optimizer": optimizer.state_dict(),
            }
            networks.save_atomically(state | asdict(progress), folder / "unet.pt")


def trained_text_encoder(folder: Path) -> nn.Module:
    """The frozen text encoder out of the state folder."""
    text = networks.build_text_encoder(len(captions.known_ids()) + 1)
    text.load_state_dict(networks.load_state(folder / "text.pt")["encoder"])
    return text.requires_grad_(False).eval()


def draw_pool(rng: Random, text: nn.Module, count: int) -> Pool:
    """`count` training scenes, drawn, encoded and captioned."""
    parts = [_draw_part(rng, text) for _ in range(count // 500)]
    return Pool(*(torch.cat(column) for column in zip(*parts, strict=True)))


@torch.no_grad()
def words_matter(unet: nn.Module, pool: Pool) -> tuple[float, float]:
    """The error of v over 128 scenes, under their own captions and under their neighbours'."""
    z = pool.latents[:128]
    generator = torch.Generator(z.device).manual_seed(1)
    noise = torch.randn(z.shape, generator=generator)
    t = torch.linspace(100, 999, len(z)).long()
    x, v = noised(z, noise, t)
    words = pool.words[:128].float()
    right, swapped = (
        float((unet(x, t, w).sample - v).square().mean()) for w in (words, words.roll(1, 0))
    )
    return right, swapped


def noised(z: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The noised latent at timesteps t, and its v."""
    alphas = ALPHAS.to(t.device)[t][:, None, None, None]
    alpha, sigma = alphas.sqrt(), (1 - alphas).sqrt()
    return alpha * z + sigma * noise, alpha * noise - sigma * z


def latents_of(chosen: list[scenes.Scene], rng: Random) -> Tensor:
    """The latents of scenes, drawn: [N, 4, 16, 16]."""
    pictures = networks.tensor_of(scenes.pictures(chosen, rng)).permute(0, 3, 1, 2)
    return latents.encode(pictures.float().div(127.5).sub(1))


def _draw_part(rng: Random, text: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    chosen = [scenes.training_scene(rng) for _ in range(500)]
    z = latents_of(chosen, rng)
    rows = captions.rows([scenes.caption(scene, rng).text for scene in chosen])
    with torch.no_grad(), networks.half_precision():
        words = text(rows).last_hidden_state.bfloat16()
    return z, networks.tensor_of(_foreground(chosen)), words


def _foreground(chosen: list[scenes.Scene]) -> np.ndarray:
    """1 for the patches around each scene's things: [N, 1, 16, 16] float32."""
    result = np.zeros((len(chosen), 1, 16, 16), dtype=np.float32)
    for mask, scene in zip(result, chosen, strict=True):
        for thing in scene.things:
            x, y = (c // 8 for c in scenes.POSITIONS[thing.position])
            reach = 4 if thing.size == "large" else 3
            mask[0, y - reach : y + reach, x - reach : x + reach] = 1
    return result


def _loss(
    unet: UNet2DConditionModel,
    empty: Tensor,
    pool: Pool,
    batch: int,
    foreground_weight: float,
) -> Tensor:
    chosen = torch.randint(len(pool.latents), (batch,))
    z = pool.latents[chosen]
    t = timesteps(batch)
    x, v = noised(z, torch.randn_like(z), t)
    words = pool.words[chosen].float()
    words = torch.where(torch.rand(batch, 1, 1) < EMPTY_SHARE, empty, words)
    with networks.half_precision():
        out = unet(x, t, words).sample
    place = 1 + foreground_weight * pool.foreground[chosen]
    return (place / place.mean() * (out.float() - v).square()).mean()


def timesteps(batch: int) -> Tensor:
    """One timestep from each of `batch` equal parts of the weight, in random order: [B]."""
    shares = (torch.randperm(batch) + torch.rand(batch)) / batch
    return torch.searchsorted(LEVEL_SHARES.to(shares.device), shares).clamp(max=999)


def _schedule(step: int, share: float) -> float:
    """Warm-up over 200 steps; constant for half of the samples; then a cosine down to 2 %."""
    fall = max(0.0, share - 0.5) / 0.5
    return min(1.0, (step + 1) / 200) * (0.02 + 0.98 * (1 + math.cos(math.pi * fall)) / 2)


def _resume(
    path: Path, unet: nn.Module, average: networks.Average, optimizer: torch.optim.Optimizer
) -> Progress:
    if not path.exists():
        return Progress()
    state = networks.load_state(path)
    unet.load_state_dict(state["unet"])
    average.weights, average.steps = state["average"], state["average_steps"]
    optimizer.load_state_dict(state["optimizer"])
    return Progress(state["step"], state["samples"], state["seconds"])


if __name__ == "__main__":
    main()

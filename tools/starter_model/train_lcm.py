"""Distil the starter model into a LoRA for four steps: `python train_lcm.py [--state DIR]`.

Latent consistency distillation (Luo et al. 2023, arXiv:2310.04378; as a LoRA: arXiv:2311.05556).
The base with guidance, one DDIM step from t to t - k, is the teacher; the base with the LoRA
learns to answer at t what it answers at t - k, down to t = 0. The step k shrinks from 100 to 20
while it trains (the finer grids of Song & Dhariwal 2023, arXiv:2310.14189), because what is known
at t = 0 then travels to t = 999 in ten hops before it does in fifty.

The guidance is fixed and learnt along, so the LoRA is used at CFG 1. It is weak: the scenes leave
little open, and at the CFG of 3 that suits twenty steps, four overshoot the colours. At these
timesteps Luo et al.'s c_skip is below 0.00001 and c_out above 0.99999; they are left out.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from random import Random

import base
import loop
import networks
import scenes
import torch
import train_unet
from export import STARTER_FOLDER
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

OUT = STARTER_FOLDER / "loras/graphengine-starter-lcm.safetensors"
RANK = 10
GUIDANCE = 1.5
GRID = 20  # timesteps between two neighbours of the finest grid
SKIPS = (100, 60, 20)  # for a third of the training each
HUBER = 0.01
POOL = 4_000
BATCH = 24
Pool = tuple[Tensor, Tensor]


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("--samples", type=int, default=9_600)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    networks.use(options.device)
    path = networks.state_folder(options.state) / "lcm.pt"
    save(train(path, options.samples, options.lr, options.seed), options.out)


def train(path: Path, samples: int, lr: float, seed: int) -> dict[str, Tensor]:
    """The LoRA's averaged weights after `samples` samples."""
    torch.manual_seed(seed)
    starter = base.open_base()
    weights = add_lora(starter.unet)
    print(f"drawing {POOL} scenes", flush=True)
    pool = draw_pool(starter, Random(f"lcm {seed}"))
    empty = starter.encode([""])

    def loss_of(share: float) -> Tensor:
        skip = SKIPS[min(int(share * len(SKIPS)), len(SKIPS) - 1)]
        return _loss(starter.unet, pool, empty, skip)

    return loop.train(path, weights, loss_of, samples=samples, batch=BATCH, lr=lr, seed=seed)


def draw_pool(starter: base.Base, rng: Random) -> Pool:
    """Scenes as latents [N, 4, 16, 16], and their captions' encodings [N, 77, 128] in float16."""
    chosen = [scenes.training_scene(rng) for _ in range(POOL)]
    z = [train_unet.latents_of(chosen[i : i + 500], rng) for i in range(0, POOL, 500)]
    texts = [scenes.caption(scene, rng).text for scene in chosen]
    with torch.no_grad():
        words = [starter.encode(texts[i : i + 100]).half() for i in range(0, POOL, 100)]
    return torch.cat(z), torch.cat(words)


def add_lora(unet: nn.Module) -> dict[str, nn.Parameter]:
    """Put a LoRA on every linear and convolutional layer; its weights by kohya's names.

    `unet.lora_on` says whether it takes part.
    """
    weights: dict[str, nn.Parameter] = {}
    unet.lora_on = True
    for name, module in unet.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        shape = module.weight.shape
        rank = min(RANK, shape[0], shape[1])
        down = nn.Parameter(torch.randn(rank, *shape[1:]) / math.sqrt(shape[1:].numel()))
        up = nn.Parameter(torch.zeros(shape[0], rank, *(1,) * (len(shape) - 2)))
        key = f"lora_unet_{name.replace('.', '_')}"
        weights |= {f"{key}|lora_down|weight": down, f"{key}|lora_up|weight": up}
        module.forward = functools.partial(_forward, unet, module, down, up)
    return weights


def save(weights: dict[str, Tensor], path: Path) -> None:
    """Write the LoRA as kohya's scripts do, in float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key.replace("|", "."): t.half().contiguous() for key, t in weights.items()}
    for key in [key for key in tensors if key.endswith("lora_down.weight")]:
        alpha = torch.tensor(float(len(tensors[key])), dtype=torch.float16)
        tensors[key.replace("lora_down.weight", "alpha")] = alpha
    about = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(RANK),
        "modelspec.title": "graphengine starter model: LCM",
        "modelspec.license": "Apache-2.0",
        "modelspec.usage_hint": "4 steps, CFG 1, sampler lcm, schedule sgm_uniform",
    }
    save_file(tensors, path, about)
    print(f"wrote {path}: {path.stat().st_size / 1e6:.2f} MB")


def _forward(
    unet: nn.Module, module: nn.Linear | nn.Conv2d, down: Tensor, up: Tensor, x: Tensor
) -> Tensor:
    weight = module.weight
    if unet.lora_on:
        weight = weight + (up.flatten(1) @ down.flatten(1)).view_as(weight)
    if isinstance(module, nn.Linear):
        return functional.linear(x, weight, module.bias)
    return functional.conv2d(x, weight, module.bias, module.stride, module.padding)


def _loss(unet: nn.Module, pool: Pool, empty: Tensor, skip: int) -> Tensor:
    latents, encodings = pool
    chosen = torch.randint(len(latents), (BATCH,))
    z, words = latents[chosen], encodings[chosen].float()
    t = GRID * torch.randint(1, 1000 // GRID + 1, (BATCH,)) - 1
    before = (t - skip).clamp(min=-1)
    x, _ = train_unet.noised(z, torch.randn_like(z), t)
    with torch.no_grad(), networks.half_precision():
        x_before = _teacher_step(unet, x, t, before, words, empty)
        target = _answer(unet, x_before, before.clamp(min=0), words)
        target = torch.where((before < 0)[:, None, None, None], x_before, target)
    with networks.half_precision():
        error = _answer(unet, x, t, words) - target
    return ((error.square() + HUBER**2).sqrt() - HUBER).mean()


def _teacher_step(
    unet: nn.Module, x: Tensor, t: Tensor, before: Tensor, words: Tensor, empty: Tensor
) -> Tensor:
    """One DDIM step of the base with guidance, from t to `before` (-1: no noise)."""
    unet.lora_on = False
    both = torch.cat([words, empty.expand_as(words)])
    right, free = unet(x.repeat(2, 1, 1, 1), t.repeat(2), both).sample.float().chunk(2)
    unet.lora_on = True
    v = free + GUIDANCE * (right - free)
    alpha, sigma = _levels(t)
    alpha_before, sigma_before = _levels(before)
    return alpha_before * (alpha * x - sigma * v) + sigma_before * (sigma * x + alpha * v)


def _answer(unet: nn.Module, x: Tensor, t: Tensor, words: Tensor) -> Tensor:
    """The clean latent that the network sees in x."""
    alpha, sigma = _levels(t)
    return alpha * x - sigma * unet(x, t, words).sample.float()


def _levels(t: Tensor) -> tuple[Tensor, Tensor]:
    """How much picture and how much noise there is at timesteps t; -1 is no noise."""
    alphas = torch.where(t < 0, torch.ones(()), train_unet.ALPHAS.to(t.device)[t.clamp(min=0)])
    alphas = alphas[:, None, None, None]
    return alphas.sqrt(), (1 - alphas).sqrt()


if __name__ == "__main__":
    main()

"""Train a vivid decoder: `python train_vivid_vae.py [--samples N] [--state DIR]`.

Fine-tunes the shipped decoder to draw its scenes with more colour; the encoder stays, so any
latent can be decoded by either. The file is an ordinary VAE of its own.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import base
import export
import loop
import networks
import scenes
from safetensors.torch import save_file
from torch import Tensor, nn
from train_vae import BATCH, WHOLE_FROM, batch, drawing_loss, noised_latents

from graphengine.diffusion import keys

OUT = export.STARTER_FOLDER / "vae/graphengine-starter-vivid.safetensors"
CHROMA = 1.45  # times as far from gray
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
POOL = 4_000


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    networks.use(options.device)
    path = networks.state_folder(options.state) / "vivid.pt"
    save(train(path, options.samples, options.lr, options.seed), options.out)


def train(path: Path, samples: int, lr: float, seed: int) -> nn.Module:
    """The autoencoder with the vivid decoder."""
    vae = base.open_base().vae
    half = networks.vae_half(vae, "decoder")
    weights = {name.replace(".", "|"): nn.Parameter(p) for name, p in half.named_parameters()}
    for name, p in weights.items():
        module, _, last = name.replace("|", ".").rpartition(".")
        setattr(half.get_submodule(module), last, p)
    rng = Random(f"vivid {seed}")
    print(f"drawing {POOL} scenes", flush=True)
    pool = scenes.pictures([scenes.training_scene(rng) for _ in range(POOL)], rng)

    def loss_of(share: float) -> Tensor:
        return _loss(vae, *batch(pool, whole=share >= WHOLE_FROM))

    average = loop.train(path, weights, loss_of, samples=samples, batch=BATCH, lr=lr, seed=seed)
    half.load_state_dict({name.replace("|", "."): t for name, t in average.items()})
    return vae


def vivid(x: Tensor) -> Tensor:
    """Pictures x [B, 3, H, W] in -1..1 with colours further from gray, as bright as before."""
    gray = (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return (gray + CHROMA * (x - gray)).clamp(-1, 1)


def save(vae: nn.Module, path: Path) -> None:
    """Write the autoencoder as a VAE file in Stable Diffusion 1's layout, in float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = keys.as_file_tensors(keys.vae_table(export.vae_layout()), vae.state_dict())
    about = {
        "modelspec.title": "graphengine starter model: vivid VAE",
        "modelspec.license": "Apache-2.0",
    }
    save_file({key: tensor.half() for key, tensor in tensors.items()}, path, about)
    print(f"wrote {path}: {path.stat().st_size / 1e6:.2f} MB")


def _loss(vae: nn.Module, x: Tensor, inside: Tensor) -> Tensor:
    with networks.half_precision():
        y = vae.decode(noised_latents(x) / networks.SCALE_FACTOR).sample
    return drawing_loss(y.float() - vivid(x), inside)


if __name__ == "__main__":
    main()

"""Learn an embedding: `python train_embedding.py {low-quality,pentagon} [--state DIR]`.

Textual inversion (Gal et al. 2022, arXiv:2208.01618): all networks stay as they are, and only
the vectors in one word's place learn, from pictures that the word is to stand for.

low-quality: blurred, noisy and washed-out scenes. Saved as AUTOMATIC1111 saves embeddings (`.pt`).
pentagon: a shape that no picture and no caption of the base's training shows. Saved as
diffusers does (`.safetensors`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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

from graphengine.diffusion.tokenizer import token_ids

FOLDER = STARTER_FOLDER / "embeddings"
POOL = 1_000
BATCH = 16
WORD = "\0"  # stands for the embedding in a caption


@dataclass(frozen=True)
class Concept:
    """What an embedding learns: a scene, its caption with `WORD`, the words it starts from.

    ``samples``: how many it takes.
    """

    scene: Callable[[Random], scenes.Scene]
    caption: Callable[[scenes.Scene, Random], str]
    starts_as: str
    file: str
    samples: int


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("concept", choices=sorted(CONCEPTS))
    parser.add_argument("--samples", type=int, help="instead of the concept's")
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    networks.use(options.device)
    concept = CONCEPTS[options.concept]
    path = networks.state_folder(options.state) / f"{options.concept}.pt"
    samples = options.samples or concept.samples
    vectors = train(concept, path, samples, lr=options.lr, seed=options.seed)
    save(vectors, options.out or FOLDER / concept.file)


def train(concept: Concept, path: Path, samples: int, *, lr: float, seed: int) -> Tensor:
    """The embedding's averaged vectors: [n, 128]."""
    starter = base.open_base()
    rng = Random(f"{path.stem} {seed}")
    print(f"drawing {POOL} scenes", flush=True)
    chosen = [concept.scene(rng) for _ in range(POOL)]
    z = train_unet.latents_of(chosen, rng)
    ids, vectors = _start(starter, concept.starts_as)
    rows = torch.tensor([_ids(concept.caption(scene, rng), len(ids)) for scene in chosen])

    def loss_of(_share: float) -> Tensor:
        with base.in_place_of_words(starter.text, vectors):
            return _loss(starter, z, rows)

    average = loop.train(
        path, {"vectors": vectors}, loss_of, samples=samples, batch=BATCH, lr=lr, seed=seed
    )
    return average["vectors"]


def save(vectors: Tensor, path: Path) -> None:
    """Write the vectors in float32, in the form that the file's ending asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = vectors.cpu()
    if path.suffix == ".pt":
        held = {"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}}
        torch.save({**held, "name": path.stem, "step": 0, "sd_checkpoint_name": None}, path)
    else:
        save_file({"<pentagon>": vectors.contiguous()}, path)
    print(f"wrote {path}: {len(vectors)} vectors, {path.stat().st_size} bytes")


def _start(starter: base.Base, words: str) -> tuple[list[int], nn.Parameter]:
    ids = token_ids(words)
    table = next(m for m in starter.text.modules() if isinstance(m, nn.Embedding))
    return ids, nn.Parameter(table.weight[torch.tensor(ids)].clone())


def _ids(caption: str, count: int) -> list[int]:
    """The caption's padded ids, with `count` placeholders in the embedding's place."""
    before, after = caption.split(WORD)
    return base.padded([*token_ids(before), *[base.PLACEHOLDER] * count, *token_ids(after)])


def _loss(starter: base.Base, latents: Tensor, rows: Tensor) -> Tensor:
    chosen = torch.randint(len(latents), (BATCH,))
    z = latents[chosen]
    t = train_unet.timesteps(BATCH)
    x, v = train_unet.noised(z, torch.randn_like(z), t)
    with networks.half_precision():
        words = starter.encode_ids(rows[chosen])
        out = starter.unet(x, t, words).sample
    return (out.float() - v).square().mean()


def _bad_scene(rng: Random) -> scenes.Scene:
    scene = scenes.training_scene(rng)
    return scenes.Scene(scene.things, scene.background, rng.choice(scenes.QUALITIES[2:]))


def _bad_caption(scene: scenes.Scene, rng: Random) -> str:
    if rng.random() < 0.3:
        return WORD
    plain = scenes.Scene(scene.things, scene.background)
    return f"{scenes.caption(plain, rng).text}, {WORD}"


def _pentagon(rng: Random) -> scenes.Scene:
    scene = scenes.training_scene(rng)
    thing = scene.things[0]
    return scenes.Scene((replace(thing, shape="pentagon"),), scene.background)


def _pentagon_caption(scene: scenes.Scene, rng: Random) -> str:
    return scenes.full_caption(scene, rng).replace("pentagon", WORD)


CONCEPTS = {
    "low-quality": Concept(
        _bad_scene, _bad_caption, "low quality blurry noisy", "starter-low-quality.pt", 3_200
    ),
    "pentagon": Concept(
        _pentagon,
        _pentagon_caption,
        "circle diamond triangle star",
        "starter-pentagon.safetensors",
        6_400,
    ),
}


if __name__ == "__main__":
    main()

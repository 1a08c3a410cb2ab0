"""Train the text encoder: `python train_text_encoder.py [--steps N] [--state DIR]`.

It learns to tell, from the encoding at the end token and at every padding token, what the scene
of a caption is: which shape, colour and size stand at each position, the background, the quality
and the count. Afterwards it is frozen, and the linear readers are thrown away.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from random import Random

import captions
import networks
import scenes
import torch
from scenes import BACKGROUNDS, COLOURS, POSITIONS, QUALITIES, SHAPES, SIZES, Scene, Wording
from torch import Tensor, nn
from torch.nn import functional

BATCH = 64
SHORT = 32  # tokens; no caption is longer, so most steps leave out the later padding
LONG_SHARE = 0.3  # of the steps, at the end, see all 77 tokens
PLACES = (*POSITIONS, "anywhere")
# Classes of each question: background, quality, count, then shape, colour and size at each place.
CLASSES = (
    len(BACKGROUNDS) + 1,
    len(QUALITIES),
    3,
    *(len(names) + 1 for _ in PLACES for names in (SHAPES, COLOURS, SIZES)),
)


def main() -> None:
    parser = networks.options(__doc__)
    parser.add_argument("--steps", type=int, default=2_500)
    parser.add_argument("--lr", type=float, default=2e-3)
    options = parser.parse_args()
    networks.use(options.device)
    path = networks.state_folder(options.state) / "text.pt"
    train(path, steps=options.steps, lr=options.lr, seed=options.seed)


def train(path: Path, *, steps: int, lr: float, seed: int) -> None:
    """Train until `steps` steps in all are done, from the state at `path` if there is one."""
    torch.manual_seed(seed)
    encoder = networks.build_text_encoder(len(captions.known_ids()) + 1)
    reader = nn.Linear(networks.TEXT_WIDTH, sum(CLASSES))
    weights = [*encoder.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    step, seconds = 0, 0.0
    if path.exists():
        state = networks.load_state(path)
        encoder.load_state_dict(state["encoder"])
        reader.load_state_dict(state["reader"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
    rng = Random(f"text {seed} {step}")
    print(f"training from {step * BATCH} captions to {steps * BATCH}", flush=True)
    while step < steps:
        began = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 100) * _cosine(step / steps)
        length = captions.TOKENS if step >= (1 - LONG_SHARE) * steps else SHORT
        loss = _loss(encoder, reader, *_batch(rng, length))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step += 1
        seconds += time.monotonic() - began
        if step % 20 == 0:
            pace = networks.pace(step, steps, seconds)
            print(f"{step * BATCH} captions, {pace}, loss {loss.item():.4f}", flush=True)
        if step % 500 == 0 or step == steps:
            networks.save_atomically(
                {
                    "encoder": encoder.state_dict(),
                    "reader": reader.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "seconds": seconds,
                },
                path,
            )
            print(gate(encoder, reader), flush=True)


def gate(encoder: nn.Module, reader: nn.Module, count: int = 400) -> dict[str, float]:
    """How often everything is read right, for captions of held-out combinations."""
    rng = Random("text gate")
    result = {}
    for things in (1, 2):
        chosen = [scenes.random_scene(rng, things=things, unseen=True) for _ in range(count)]
        wordings = [scenes.caption(scene, rng) for scene in chosen]
        ids = captions.rows([wording.text for wording in wordings])
        with torch.no_grad():
            answers = reader(encoder(ids).last_hidden_state)
        truth = torch.tensor([truths(s, w) for s, w in zip(chosen, wordings, strict=True)])
        ends = (ids == ids[0, -1]).int().argmax(dim=1)
        for name, place in (("end", ends), ("last", torch.full_like(ends, -1))):
            read = _choices(answers[torch.arange(count), place])
            result[f"{things} things, {name}"] = (read == truth).all(dim=1).float().mean().item()
    return result


def truths(scene: Scene, wording: Wording) -> list[int]:
    """The right class of each question; what the wording leaves open is the last class."""
    background = len(BACKGROUNDS)
    if wording.names_background:
        background = list(BACKGROUNDS).index(scene.background)
    things = scene.things if wording.names_things else ()
    at = {(t.position if wording.names_position else "anywhere"): t for t in things}
    answers = [background, QUALITIES.index(scene.quality), len(things)]
    for place in PLACES:
        thing = at.get(place)
        answers.append(SHAPES.index(thing.shape) if thing else len(SHAPES))
        answers.append(list(COLOURS).index(thing.colour) if thing else len(COLOURS))
        sized = thing and wording.names_size
        answers.append(list(SIZES).index(thing.size) if sized else len(SIZES))
    return answers


def _cosine(share: float) -> float:
    return 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2


def _batch(rng: Random, length: int) -> tuple[Tensor, Tensor]:
    chosen, wordings = [], []
    for _ in range(BATCH):
        scene = scenes.training_scene(rng)
        wording = scenes.caption(scene, rng)
        if rng.random() < 0.03:
            scene = Scene(scene.things, scene.background)
            wording = Wording("", False, False, False)
        chosen.append(scene)
        wordings.append(wording)
    texts = [wording.text for wording in wordings]
    if rng.random() < 0.2:
        ids = captions.rows_with_strange_words(texts, length, rng)
    else:
        ids = captions.rows(texts, length)
    return ids, torch.tensor([truths(s, w) for s, w in zip(chosen, wordings, strict=True)])


def _loss(encoder: nn.Module, reader: nn.Module, ids: Tensor, truth: Tensor) -> Tensor:
    """Mean cross-entropy of all questions at the end token and all padding."""
    with networks.half_precision():
        encoding = encoder(ids).last_hidden_state
    after = ids == ids[0, -1]
    answers = reader(encoding.float()[after])
    truth = truth.repeat_interleave(after.sum(dim=1), dim=0)
    parts = zip(answers.split(CLASSES, dim=1), truth.unbind(1), strict=True)
    return torch.stack([functional.cross_entropy(answer, right) for answer, right in parts]).mean()


def _choices(answers: Tensor) -> Tensor:
    return torch.stack([part.argmax(dim=1) for part in answers.split(CLASSES, dim=1)], dim=1)


if __name__ == "__main__":
    main()

"""Many prompts painted at once by the engine's own sampler: what the evaluation is made of.

The engine runs one prompt a node; here the conditions of many prompts lie in one batch, which is
some three times as fast on a CPU and gives each its own noise. Everything that counts (text
encoder, guidance, sampler, schedule, LoRA, VAE) is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from random import Random

import numpy as np
import scenes
import torch
from export import DEFAULT_OUT, STARTER_FOLDER
from numpy.typing import NDArray
from torch import Tensor

from graphengine.diffusion import checkpoint, clip, vae
from graphengine.diffusion.lora import LoraPatch
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.sampling import sample
from graphengine.folders import reference
from graphengine.sockets import Clip, Conditioning, FileRef, Latent, Model, Vae

BATCH = 50
LATENT = scenes.SIZE // 8
VIVID = "graphengine-starter-vivid.safetensors"
NEGATIVE = "low quality, blurry, noisy"


@dataclass(frozen=True)
class Setting:
    """The eight settings of one evaluation; the defaults are the shipped workflow's but for CFG.

    That is 2 there, and 3 here: what a setting does shows more clearly.
    """

    negative: str = NEGATIVE
    vae: str | None = None
    lora: str | None = None
    lora_strength: float = 1.0
    sampler: str = "dpmpp_2m"
    scheduler: str = "karras"
    steps: int = 20
    cfg: float = 3.0
    seed: int = 0
    clip_skip: int = 1


@dataclass(frozen=True)
class Asked:
    """What is asked for: scenes and a caption for each."""

    scenes: tuple[scenes.Scene, ...]
    captions: tuple[str, ...]


def unseen(count: int, *, things: int = 1, seed: int = 0) -> Asked:
    """Captions of combinations that no training picture shows, the same for one seed."""
    rng = Random(f"evaluate {things} {seed}")
    chosen = tuple(scenes.random_scene(rng, things=things, unseen=True) for _ in range(count))
    return Asked(chosen, tuple(scenes.full_caption(scene, rng) for scene in chosen))


class Painter:
    """The starter model, opened once, in float32; ``beside``: the folder of its further files."""

    def __init__(self, device: str, beside: Path = STARTER_FOLDER) -> None:
        self.beside = beside
        self.store = ModelStore(device, dtype=torch.float32)
        model, text, own = checkpoint.load_checkpoint(DEFAULT_OUT)
        assert text is not None
        assert own is not None
        self.model: Model = model
        self.clip: Clip = text
        self.vae: Vae = own

    @cached_property
    def vivid(self) -> Vae:
        """The VAE that comes beside the model."""
        return checkpoint.load_vae_file(self.beside / "vae" / VIVID)

    def latents(self, asked: Asked, setting: Setting, batch: int = BATCH) -> Tensor:
        """Finished latents, unscaled: [N, 4, 16, 16]; equal seeds and batches give equal noise."""
        model = self._model(setting)
        negative = self.condition([setting.negative], setting.clip_skip)
        parts = []
        for first in range(0, len(asked.captions), batch):
            texts = asked.captions[first : first + batch]
            result = sample(
                self.store,
                model,
                Latent(torch.zeros(len(texts), 4, LATENT, LATENT)),
                self.condition(texts, setting.clip_skip),
                negative,
                seed=setting.seed + first,
                steps=setting.steps,
                cfg=setting.cfg,
                sampler=setting.sampler,
                scheduler=setting.scheduler,
            )
            parts.append(result.samples)
        return torch.cat(parts)

    def pictures(self, asked: Asked, setting: Setting) -> NDArray[np.uint8]:
        """The pictures: [N, 128, 128, 3] uint8."""
        return self.decode(self.latents(asked, setting), setting.vae)

    def decode(self, latents: Tensor, name: str | None = None) -> NDArray[np.uint8]:
        """Latents as pictures, by the checkpoint's VAE or the one that lies beside it."""
        used = self.vae if name is None else self.vivid
        parts = [vae.decode(self.store, used, Latent(part)).pixels for part in latents.split(BATCH)]
        return (torch.cat(parts) * 255).round().clamp(0, 255).byte().numpy()

    def condition(self, texts: Sequence[str], clip_skip: int = 1) -> Conditioning:
        """The texts as one batch of conditions."""
        skipped = self.clip if clip_skip == 1 else clip.set_last_layer(self.clip, -clip_skip)
        encode = partial(clip.encode, self.store, skipped, resolve_embedding=self.find_embedding)
        encoded = [encode(text).conditions[0] for text in texts]
        embedding = torch.cat([each.embedding for each in encoded])
        return Conditioning((replace(encoded[0], embedding=embedding, pooled=None),))

    def _model(self, setting: Setting) -> Model:
        if setting.lora is None:
            return self.model
        file = reference(self.beside / "loras" / setting.lora)
        return replace(self.model, patches=(LoraPatch(file, setting.lora_strength),))

    def find_embedding(self, name: str) -> FileRef | None:
        """The starter model's embedding of this name."""
        for path in sorted((self.beside / "embeddings").iterdir()):
            if name in (path.stem, path.name):
                return reference(path)
        return None

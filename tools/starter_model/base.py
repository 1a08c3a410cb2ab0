"""The starter model that the project ships, as networks to train on from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networks
import torch
from export import DEFAULT_OUT
from torch import Tensor, nn

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.networks import open_text_encoder, open_unet, open_vae
from graphengine.diffusion.tokenizer import END, START, token_ids

TOKENS = 77
PLACEHOLDER = 49_000  # a word of CLIP's vocabulary that no caption uses; vectors go in its place


@dataclass(frozen=True)
class Base:
    """The networks, frozen, in float32, in the form that trains fastest."""

    unet: nn.Module
    vae: nn.Module
    text: nn.Module

    def encode(self, texts: Iterable[str]) -> Tensor:
        """Texts as the denoiser sees them: [N, 77, 128]."""
        return self.encode_ids(torch.tensor([padded(token_ids(text)) for text in texts]))

    def encode_ids(self, ids: Tensor) -> Tensor:
        """Padded token ids [N, 77] as the denoiser sees them: [N, 77, 128]."""
        encoded: Tensor = self.text(input_ids=ids).last_hidden_state
        return encoded


def open_base() -> Base:
    """The shipped networks."""
    model, clip, vae = load_checkpoint(DEFAULT_OUT)
    assert clip is not None
    assert vae is not None
    assert vae.weights is not None
    text = clip.encoders[0]
    opened = (
        open_unet(model.weights),
        open_vae(vae.weights),
        open_text_encoder(text.weights, text.kind),
    )
    unet, autoencoder, encoder = (
        network.float().requires_grad_(False).to(torch.get_default_device()) for network in opened
    )
    networks.speed_up(unet)
    networks.speed_up(autoencoder)
    return Base(unet, autoencoder, encoder)


def padded(ids: list[int]) -> list[int]:
    """Token ids with start and end, as CLIP pads them."""
    ids = [START, *ids[: TOKENS - 2], END]
    return ids + [END] * (TOKENS - len(ids))


@contextlib.contextmanager
def in_place_of_words(text: nn.Module, vectors: Tensor) -> Iterator[None]:
    """Let the n-th `PLACEHOLDER` of each text stand for the n-th of `vectors` [n, 128]."""

    def replaced(_module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        ids = inputs[0]
        spots = ids == PLACEHOLDER
        order = (spots.cumsum(-1) - 1).clamp(min=0, max=len(vectors) - 1)
        return torch.where(spots[..., None], vectors[order], output)

    table = next(m for m in text.modules() if isinstance(m, nn.Embedding) and len(m.weight) > 1000)
    hook = table.register_forward_hook(replaced)
    try:
        yield
    finally:
        hook.remove()

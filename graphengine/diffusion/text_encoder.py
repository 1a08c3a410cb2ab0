"""CLIP's text transformer on chunks of weighted tokens.

Radford et al. 2021 (arXiv:2103.00020). The network is transformers' CLIPTextModel with one more
attribute, ``text_projection`` (an ``nn.Linear`` or None). Its layers are called one by one,
because learned vectors stand in tokens' places and only the first chunk needs the layers behind
the chosen one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from graphengine.diffusion.prompt import CHUNK, Chunk, EmbeddingRow, empty_chunk
from graphengine.diffusion.tokenizer import END, TextKind
from graphengine.sockets import Clip, FileRef

# OpenCLIP's H has 24 layers; no other encoder has 23 or 24.
_CLIP_H_LAYERS = 24

Vectors = Callable[[FileRef], Tensor]


def encode_chunks(
    network: Any,
    kind: TextKind,
    chunks: Sequence[Chunk],
    vectors: Vectors,
    *,
    layers: int,
    normed: bool,
) -> tuple[Tensor, Tensor]:
    """The states of all tokens, [1, 77 n, D], and the pooled state of the first chunk, [1, P].

    ``network``: a CLIPTextModel. ``vectors``: each textual-inversion file's, [rows, D].
    ``layers``: how many run; ``normed``: whether the final layer norm follows. Weights move a
    state away from the empty prompt's: z ← (z - z_empty) w + z_empty. They leave the pooled state
    alone: it is that of the first end token behind all layers, projected for clip_g.
    """
    weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks])
    weighted = bool((weights != 1.0).any())
    rows = [*chunks, empty_chunk(kind)] if weighted else chunks
    x = network.embeddings(inputs_embeds=_token_embeddings(network, rows, vectors))
    mask = _causal_mask(x)
    z = _through(network.encoder.layers[:layers], x, mask)
    last = _through(network.encoder.layers[layers:], z[:1], mask)
    pooled = _pooled(network, kind, last, chunks[0])
    z = network.final_layer_norm(z) if normed else z
    if weighted:
        z = _weigh(z[:-1], z[-1:], weights.to(z))
    return z.flatten(0, 1)[None], pooled


def chosen_layer(clip: Clip, kind: TextKind, layers: int) -> tuple[int, bool]:
    """How many of an encoder's ``layers`` run, and whether its final layer norm follows.

    =====================  ===========  ==========
    family                 by default   layer norm
    =====================  ===========  ==========
    SD 1.x (clip_l alone)  last         yes
    SD 2.x (clip_h)        last but 1   yes
    SDXL and its refiner   last but 1   no
    =====================  ===========  ==========

    A layer that the encoder does not have means its last one, with layer norm in every family.
    Layers count from the end of the whole encoder, of which diffusers' folders of SD 2.x leave out
    the last layer, because it is never used.
    """
    sdxl = kind == "clip_g" or len(clip.encoders) > 1
    left_out = _CLIP_H_LAYERS - layers if layers == _CLIP_H_LAYERS - 1 else 0
    default = -1 if kind == "clip_l" and not sdxl else -2
    layer = default if clip.layer is None else clip.layer
    if -layer > layers + left_out:
        return layers, True
    return min(layers, layers + left_out + 1 + layer), not sdxl


def _token_embeddings(network: Any, chunks: Sequence[Chunk], vectors: Vectors) -> Tensor:
    """[chunks, 77, D], learned vectors in the places of their tokens."""
    tokens = list(chain.from_iterable(chunks))
    learned = [
        (i, token.id) for i, token in enumerate(tokens) if isinstance(token.id, EmbeddingRow)
    ]
    ids = [token.id if isinstance(token.id, int) else END for token in tokens]
    table = network.embeddings.token_embedding
    x: Tensor = table(torch.tensor(ids, device=table.weight.device))
    for place, source in learned:
        x[place] = vectors(source.file)[source.row].to(x)
    return x.reshape(len(chunks), CHUNK, -1)


def _causal_mask(x: Tensor) -> Tensor:
    """[1, 1, 77, 77]: no token sees a later one."""
    length = x.shape[1]
    lowest = torch.full((length, length), torch.finfo(x.dtype).min, device=x.device, dtype=x.dtype)
    return lowest.triu(1)[None, None]


def _through(layers: Sequence[Any], x: Tensor, mask: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x, mask)
    return x


def _pooled(network: Any, kind: TextKind, last: Tensor, chunk: Chunk) -> Tensor:
    end = [token.id for token in chunk].index(END)
    state: Tensor = network.final_layer_norm(last)[:, end]
    if kind == "clip_g" and network.text_projection is not None:
        state = network.text_projection(state)
    return state


def _weigh(z: Tensor, empty: Tensor, weights: Tensor) -> Tensor:
    moved = (z - empty) * weights[..., None] + empty
    return torch.where(weights[..., None] != 1.0, moved, z)

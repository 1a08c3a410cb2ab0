"""Style adapters: what a CLIP sees in a picture, as a few more tokens of a prompt.

The style adapter of T2I-Adapter (TencentARC, Apache-2.0; Mou et al. 2023, arXiv:2302.08453): a
small transformer over the picture's states and learned tokens, of which the latter are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphengine.diffusion.architectures import refuse
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source
from graphengine.diffusion.layouts import count_while
from graphengine.diffusion.networks import fill, without_tensors
from graphengine.diffusion.residency import ModelStore, Recipe
from graphengine.errors import InputError
from graphengine.sockets import (
    ClipVisionOutput,
    Condition,
    Conditioning,
    StyleModel,
    Weights,
)

# In the published adapter and, since nothing in a file tells it, in every one.
_HEADS = 8
_LAYERS = "transformer_layes"  # as the files spell it


@dataclass(frozen=True)
class StyleLayout:
    """A style adapter: ``tokens`` learned tokens of ``width``, brought to ``context_width``."""

    width: int
    context_width: int
    tokens: int
    layers: int


class StyleAdapter(nn.Module):
    """The network: picture states [B, N, width] → tokens [B, tokens, context_width]."""

    def __init__(self, layout: StyleLayout) -> None:
        super().__init__()
        self.style_embedding = nn.Parameter(torch.empty(1, layout.tokens, layout.width))
        self.layers = nn.ModuleList(_Layer(layout.width) for _ in range(layout.layers))
        self.ln_pre = nn.LayerNorm(layout.width)
        self.ln_post = nn.LayerNorm(layout.width)
        self.proj = nn.Parameter(torch.empty(layout.width, layout.context_width))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens that say how the picture looks."""
        learned = self.style_embedding.expand(len(x), -1, -1)
        x = self.ln_pre(torch.cat([x, learned], dim=1))
        for layer in self.layers:
            x = layer(x)
        normed: Tensor = self.ln_post(x[:, -learned.shape[1] :])
        return normed @ self.proj


class _Layer(nn.Module):
    """CLIP's layer: attention and perceptron, each behind a normalisation and added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, _HEADS, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, width * 4), "c_proj": nn.Linear(width * 4, width)}
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        hidden = self.mlp["c_fc"](self.ln_2(x))
        added: Tensor = self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))
        return x + added


def load_style_file(path: str | Path) -> StyleModel:
    """The style adapter in a file; ModelFileError if it is something else."""
    tensors = open_tensors(path)
    if "style_embedding" not in tensors:
        raise refuse(tensors, wanted="style model")
    read_style_layout(tensors)
    return StyleModel(Weights(tensors.ref, "other"))


def read_style_layout(tensors: TensorFile) -> StyleLayout:
    """The layout of the style adapter in a file."""
    _, tokens, width = tensors.shape("style_embedding")
    return StyleLayout(
        width=width,
        context_width=tensors.shape("proj")[1],
        tokens=tokens,
        layers=count_while(tensors, _LAYERS + ".{}.ln_1.weight"),
    )


def style_table(layout: StyleLayout) -> KeyTable:
    """The keys of a StyleAdapter in a file."""
    return KeyTable(dict(_sources(layout)))


def _sources(layout: StyleLayout) -> Iterator[tuple[str, Source]]:
    for i in range(layout.layers):
        yield f"layers.{i}", Source(f"{_LAYERS}.{i}")


def open_style_model(weights: Weights) -> nn.Module:
    """A StyleAdapter holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = open_tensors(weights.file)
    layout = read_style_layout(tensors)
    return fill(build_style_model(layout), tensors, style_table(layout))


def build_style_model(layout: StyleLayout) -> nn.Module:
    """A StyleAdapter of this layout, without tensors (``meta`` device)."""
    with without_tensors():
        network = StyleAdapter(layout)
    return network.eval().requires_grad_(False)


def apply_style(
    store: ModelStore,
    conditioning: Conditioning,
    style: StyleModel,
    seen: ClipVisionOutput,
    *,
    strength: float = 1.0,
) -> Conditioning:
    """The conditioning with the style's tokens, times ``strength``, behind its own.

    Pictures of a batch follow each other. Raises InputError if the CLIP vision model or the
    prompt is of another width than the style adapter's.
    """
    recipe = Recipe(style.weights, "style_model", partial(open_style_model, style.weights))
    tokens = strength * store.with_memory(lambda: _tokens(store.network(recipe), style, seen))
    return Conditioning(
        tuple(_with_tokens(condition, style, tokens) for condition in conditioning.conditions)
    )


@torch.no_grad()
def _tokens(network: Any, style: StyleModel, seen: ClipVisionOutput) -> Tensor:
    """[1, pictures · tokens, context_width] float32 on the CPU."""
    states, learned = seen.last_hidden_state, network.style_embedding
    _check(style, "CLIP vision", learned.shape[-1], states.shape[-1])
    tokens: Tensor = network(states.to(learned)).float().cpu()
    return tokens.flatten(0, 1)[None]


def _with_tokens(condition: Condition, style: StyleModel, tokens: Tensor) -> Condition:
    words = condition.embedding
    _check(style, "CONDITIONING", tokens.shape[-1], words.shape[-1])
    tokens = tokens.to(words).expand(len(words), -1, -1)
    return replace(condition, embedding=torch.cat([words, tokens], dim=1))


def _check(style: StyleModel, what: str, expected: int, got: int) -> None:
    if expected != got:
        raise InputError(
            "style_other_width",
            path=style.weights.file.path,
            what=what,
            expected=expected,
            got=got,
        )

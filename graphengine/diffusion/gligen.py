"""GLIGEN's layers: what lets a UNet be told that a named thing lies in a given place.

Li et al. 2023 (arXiv:2301.07093). A network turns names and places into tokens; in every
transformer block another layer lets the picture attend to them. The layers are diffusers'
(Apache-2.0); files name them after the UNet's blocks, in either layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from graphengine.diffusion.architectures import refuse
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source
from graphengine.diffusion.networks import fill, without_tensors
from graphengine.errors import ModelFileError
from graphengine.sockets import Gligen, Weights

PREFIXES = ("model.diffusion_model.", "")

_NAMER = "position_net."
_LAYER = ".fuser"
_WIDTH_OF = f"{_LAYER}.linear.weight"
# Sines and cosines of 8 frequencies for each of a box's 4 numbers.
_PLACE_WIDTH = 8 * 2 * 4
# The context width of SD 1.x, whose attentions have 8 heads; later models' heads are 64 wide.
_SD1_CONTEXT, _SD1_HEADS, _HEAD_WIDTH = 768, 8, 64


@dataclass(frozen=True)
class GligenLayout:
    """GLIGEN's layers. ``widths``: of the picture, by the block's name in the file.

    ``name_width``: of a name's vector. ``token_width``: of the tokens.
    """

    widths: tuple[tuple[str, int], ...]
    name_width: int
    token_width: int


class GligenNetwork(nn.Module):
    """``namer`` makes tokens of names and places; ``layers`` holds a block's layer by its name."""

    def __init__(self, layout: GligenLayout) -> None:
        super().__init__()
        from diffusers.models.attention import GatedSelfAttentionDense
        from diffusers.models.embeddings import GLIGENTextBoundingboxProjection

        self.layout = layout
        self.namer = GLIGENTextBoundingboxProjection(layout.name_width, layout.token_width)
        self.layers = nn.ModuleDict()
        for name, width in layout.widths:
            heads = _heads(layout, width)
            layer = GatedSelfAttentionDense(width, layout.token_width, heads, width // heads)
            self.layers[_escaped(name)] = layer

    def tokens(self, names: Tensor, boxes: Tensor, *, slots: int) -> Tensor:
        """Tokens, [1, slots, token_width], of names [N, P] in boxes [N, 4].

        A box is left, top, right, bottom, in parts of the picture, 0..1. What is left of the
        slots is filled with what the network learned to stand for nothing.
        """
        dtype, missing = names.dtype, slots - len(names)
        used = torch.arange(slots, device=names.device) < len(names)
        tokens: Tensor = self.namer(
            boxes=nn.functional.pad(boxes, (0, 0, 0, missing))[None],
            masks=used.to(dtype)[None],
            positive_embeddings=nn.functional.pad(names, (0, 0, 0, missing))[None],
        )
        return tokens

    def layer(self, block: str) -> nn.Module | None:
        """The layer of a UNet's block by its name in the file; None if there is none."""
        return dict(self.layers.named_children()).get(_escaped(block))


def _heads(layout: GligenLayout, width: int) -> int:
    if layout.token_width == _SD1_CONTEXT:
        return _SD1_HEADS
    return max(1, width // _HEAD_WIDTH)


def _escaped(name: str) -> str:
    """A name as PyTorch allows it for a part of a network."""
    return name.replace(".", "/")


def load_gligen_file(path: str | Path) -> Gligen:
    """GLIGEN's layers in a file, alone or within a whole UNet; ModelFileError for others."""
    tensors = open_tensors(path)
    for prefix in PREFIXES:
        if any(key.startswith(prefix + _NAMER) for key in tensors):
            read_gligen_layout(_own(tensors.under(prefix)))
            return Gligen(Weights(tensors.ref, "unet", prefix))
    raise refuse(tensors, wanted="GLIGEN")


def _own(tensors: TensorFile) -> TensorFile:
    """GLIGEN's tensors without those of the UNet around them."""
    infos = {
        key: info
        for key, info in tensors.infos.items()
        if key.startswith(_NAMER) or f"{_LAYER}." in key
    }
    return replace(tensors, infos=infos)


def read_gligen_layout(tensors: TensorFile) -> GligenLayout:
    """The layout of GLIGEN's layers in ``tensors``; ModelFileError for another kind of GLIGEN.

    Only the one that was trained on names and boxes is known.
    """
    first, last = f"{_NAMER}linears.0.weight", f"{_NAMER}linears.4.weight"
    widths = tuple(
        (key.removesuffix(".linear.weight"), tensors.shape(key)[0])
        for key in sorted(tensors)
        if key.endswith(_WIDTH_OF)
    )
    if not widths or first not in tensors:
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="GLIGEN")
    return GligenLayout(widths, tensors.shape(first)[1] - _PLACE_WIDTH, tensors.shape(last)[0])


def gligen_table(layout: GligenLayout) -> KeyTable:
    """The keys of a GligenNetwork in a file of this layout."""
    return KeyTable(dict(_sources(layout)))


def _sources(layout: GligenLayout) -> Iterator[tuple[str, Source]]:
    yield "namer", Source(_NAMER.rstrip("."))
    for name, _ in layout.widths:
        yield f"layers.{_escaped(name)}", Source(name)


def open_gligen(weights: Weights) -> nn.Module:
    """A GligenNetwork holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = _own(open_tensors(weights.file).under(weights.prefix))
    layout = read_gligen_layout(tensors)
    return fill(build_gligen(layout), tensors, gligen_table(layout))


def build_gligen(layout: GligenLayout) -> nn.Module:
    """A GligenNetwork of this layout, without tensors (``meta`` device)."""
    with without_tensors():
        network = GligenNetwork(layout)
    return network.eval().requires_grad_(False)

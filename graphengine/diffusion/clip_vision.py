"""The picture half of a CLIP: files as socket values, and pictures as vectors.

Radford et al. 2021 (arXiv:2103.00020). The network is transformers' CLIPVisionModelWithProjection
(Apache-2.0); files have its names or OpenAI's and OpenCLIP's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from graphengine.diffusion.architectures import prefix_of, refuse
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import KeyTable, Source, openclip_layers
from graphengine.diffusion.layouts import count_while
from graphengine.diffusion.networks import fill, without_tensors
from graphengine.diffusion.residency import ModelStore, Recipe
from graphengine.errors import ModelFileError
from graphengine.sockets import ClipVision, ClipVisionOutput, Image, Weights

Crop = Literal["center", "none"]

# Where a file keeps the network, and the tensors by which it is known.
_PREFIXES = ("", "visual.", "embedder.model.visual.")
_MARKS = ("vision_model.embeddings.class_embedding", "class_embedding")
_OWN_KEYS = ("vision_model.", "visual_projection.")

# Mean and spread of the red, green and blue of the pictures that CLIP was trained on.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_SPREAD = (0.26862954, 0.26130258, 0.27577711)

# ViT-L of OpenAI is 1024 wide, OpenCLIP's ViT-H 1280 and ViT-bigG 1664: 16 attention heads each.
_PUBLISHED_WIDTH, _PUBLISHED_HEADS = 1024, 16

_OPENCLIP_ENDS = {
    "vision_model.embeddings.class_embedding": Source("class_embedding"),
    "vision_model.embeddings.position_embedding.weight": Source("positional_embedding"),
    "vision_model.embeddings.patch_embedding": Source("conv1"),
    "vision_model.pre_layrnorm": Source("ln_pre"),
    "vision_model.post_layernorm": Source("ln_post"),
    "visual_projection.weight": Source("proj", "transposed"),
}


@dataclass(frozen=True)
class VisionLayout:
    """A CLIP vision transformer. ``patch``: side in pixels; ``positions``: patches and 1."""

    style: Literal["openclip", "transformers"]
    width: int
    layers: int
    intermediate: int
    patch: int
    positions: int
    projection: int

    @property
    def size(self) -> int:
        """The side of the square picture that it looks at, in pixels."""
        return self.patch * math.isqrt(self.positions - 1)

    @property
    def heads(self) -> int:
        """Attention heads."""
        return _PUBLISHED_HEADS if self.width >= _PUBLISHED_WIDTH else max(1, self.width // 64)

    @property
    def activation(self) -> str:
        """OpenAI's CLIP uses the sigmoid approximation, OpenCLIP's wider models the exact GELU."""
        return "gelu" if self.width > _PUBLISHED_WIDTH else "quick_gelu"


# --- files ---


def load_clip_vision_file(path: str | Path) -> ClipVision:
    """The CLIP vision model in a file, alone or in a whole CLIP or unCLIP checkpoint."""
    tensors = open_tensors(path)
    found = find_clip_vision(tensors)
    if found is not None:
        return found
    refusal = refuse(tensors, wanted="CLIP vision")
    if refusal.code == "model_is_clip_vision":
        raise ModelFileError("model_unknown_shape", path=tensors.ref.path, part="CLIP vision")
    raise refusal


def find_clip_vision(tensors: TensorFile) -> ClipVision | None:
    """The CLIP vision model among other networks; None if there is none."""
    prefix = prefix_of(tensors, _PREFIXES, _MARKS)
    if prefix is None:
        return None
    read_vision_layout(_part(tensors, prefix))
    return ClipVision(Weights(tensors.ref, "clip_vision", prefix))


def _part(tensors: TensorFile, prefix: str) -> TensorFile:
    """The tensors of the network alone, without those of CLIP's text half."""
    if prefix:
        return tensors.under(prefix)
    infos = {key: info for key, info in tensors.infos.items() if key.startswith(_OWN_KEYS)}
    return replace(tensors, infos=infos)


def read_vision_layout(tensors: TensorFile) -> VisionLayout:
    """The layout of the network in ``tensors``, whose keys carry no prefix.

    Raises ModelFileError if a tensor that decides the shape is missing.
    """
    if "class_embedding" in tensors:
        width, _, patch, _ = tensors.shape("conv1.weight")
        return VisionLayout(
            style="openclip",
            width=width,
            layers=count_while(tensors, "transformer.resblocks.{}.ln_1.weight"),
            intermediate=tensors.shape("transformer.resblocks.0.mlp.c_fc.weight")[0],
            patch=patch,
            positions=tensors.shape("positional_embedding")[0],
            projection=tensors.shape("proj")[1],
        )
    body = "vision_model."
    width, _, patch, _ = tensors.shape(f"{body}embeddings.patch_embedding.weight")
    return VisionLayout(
        style="transformers",
        width=width,
        layers=count_while(tensors, body + "encoder.layers.{}.layer_norm1.weight"),
        intermediate=tensors.shape(f"{body}encoder.layers.0.mlp.fc1.weight")[0],
        patch=patch,
        positions=tensors.shape(f"{body}embeddings.position_embedding.weight")[0],
        projection=tensors.shape("visual_projection.weight")[0],
    )


def vision_table(layout: VisionLayout) -> KeyTable:
    """The keys of transformers' CLIPVisionModelWithProjection in a file of this layout."""
    return KeyTable(dict(_openclip_sources(layout)) if layout.style == "openclip" else {})


def _openclip_sources(layout: VisionLayout) -> Iterator[tuple[str, Source]]:
    yield from _OPENCLIP_ENDS.items()
    yield from openclip_layers(layout.layers, "vision_model.")


def open_clip_vision(weights: Weights) -> nn.Module:
    """A CLIPVisionModelWithProjection holding the file's own tensors (memory-mapped)."""
    tensors = _part(open_tensors(weights.file), weights.prefix)
    layout = read_vision_layout(tensors)
    network: Any = fill(build_clip_vision(layout), tensors, vision_table(layout))
    positions = torch.arange(layout.positions).expand((1, -1))
    network.vision_model.embeddings.register_buffer("position_ids", positions, persistent=False)
    return network  # type: ignore[no-any-return]


def build_clip_vision(layout: VisionLayout) -> nn.Module:
    """transformers' CLIPVisionModelWithProjection of this layout, on the ``meta`` device."""
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=layout.width,
        intermediate_size=layout.intermediate,
        projection_dim=layout.projection,
        num_hidden_layers=layout.layers,
        num_attention_heads=layout.heads,
        image_size=layout.size,
        patch_size=layout.patch,
        hidden_act=layout.activation,
    )
    with without_tensors():
        network: nn.Module = CLIPVisionModelWithProjection(config)
    return network.eval().requires_grad_(False)


# --- pictures ---


def encode_image(
    store: ModelStore, vision: ClipVision, image: Image, *, crop: Crop = "center"
) -> ClipVisionOutput:
    """What a CLIP sees in each picture of a batch; see `preprocessed` for ``crop``."""

    def work() -> ClipVisionOutput:
        network = vision_network(store, vision)
        pixels = image.pixels.to(network.visual_projection.weight.device)
        return _seen(network, preprocessed(pixels, network.config.image_size, crop))

    return store.with_memory(work)


def encode_pixels(store: ModelStore, vision: ClipVision, pixels: Tensor) -> ClipVisionOutput:
    """As `encode_image`, of pictures that are preprocessed: [B, 3, size, size]."""
    return store.with_memory(lambda: _seen(vision_network(store, vision), pixels))


def vision_network(store: ModelStore, vision: ClipVision) -> Any:
    """The network in memory; diffusers and transformers keep their attributes untyped."""
    opened = partial(open_clip_vision, vision.weights)
    return store.network(Recipe(vision.weights, "clip_vision", opened))


@torch.no_grad()
def _seen(network: Any, pixels: Tensor) -> ClipVisionOutput:
    pixels = pixels.to(network.visual_projection.weight)
    transformer = network.vision_model
    x = transformer.pre_layrnorm(transformer.embeddings(pixels))
    states = [x]
    for layer in transformer.encoder.layers:
        states.append(layer(states[-1], None))
    embeds = network.visual_projection(transformer.post_layernorm(states[-1][:, 0]))
    return ClipVisionOutput(embeds.cpu(), states[-1].cpu(), states[-2].cpu())


def preprocessed(pixels: Tensor, size: int, crop: Crop) -> Tensor:
    """Pictures [B, H, W, C], 0..1, as CLIP was shown them: [B, 3, size, size], normalised.

    Bicubic with antialiasing, rounded to 8 bits. ``crop`` "center": the short side becomes
    ``size`` and the ends of the long one are cut off; "none": the picture is squeezed.
    """
    x = pixels.expand(*pixels.shape[:-1], 3) if pixels.shape[-1] == 1 else pixels[..., :3]
    x = x.movedim(-1, 1).float()
    height, width = x.shape[-2:]
    if (height, width) != (size, size):
        scale = size / min(height, width)
        scaled = (round(scale * height), round(scale * width)) if crop == "center" else (size, size)
        x = interpolate(x, size=scaled, mode="bicubic", antialias=True)
        top, left = (x.shape[-2] - size) // 2, (x.shape[-1] - size) // 2
        x = x[..., top : top + size, left : left + size]
    x = (255.0 * x).clamp(0, 255).round() / 255.0
    mean, spread = (torch.tensor(v, device=x.device)[:, None, None] for v in (_MEAN, _SPREAD))
    return (x - mean) / spread

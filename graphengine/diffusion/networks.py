"""Networks built from their layout, holding a file's tensors without a second copy.

A network is built on the ``meta`` device (no memory, no first values) and then given the
memory-mapped tensors themselves. Nothing is read from disk until it is used.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.keys import (
    KeyTable,
    Source,
    from_file,
    text_table,
    unet_table,
    vae_table,
)
from graphengine.diffusion.layouts import (
    TextKind,
    TextLayout,
    UNetLayout,
    VaeLayout,
    read_text_layout,
    read_unet_layout,
    read_vae_layout,
)
from graphengine.errors import ModelFileError
from graphengine.sockets import Weights

_CLIP_START, _CLIP_END = 49406, 49407

# Where a network's layers lie, in all layouts. A tensor there that the network does not have is
# a layer that would silently not be computed; whatever else files carry along does no harm
# (moving averages, the training loss, buffers, the picture half of a whole CLIP, markers).
_LAYERS = re.compile(
    r"^(input_blocks|middle_block|output_blocks|down_blocks|mid_block|up_blocks"
    r"|encoder|decoder|text_model\.encoder|transformer\.resblocks)\."
)
_BUFFERS = ("position_ids", "attn_mask", "num_batches_tracked")


def open_unet(weights: Weights) -> nn.Module:
    """A UNet2DConditionModel holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_unet_layout(tensors)
    return fill(build_unet(layout), tensors, unet_table(layout))


def open_vae(weights: Weights) -> nn.Module:
    """An AutoencoderKL holding the file's own tensors (memory-mapped, stored dtype)."""
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_vae_layout(tensors)
    return fill(build_vae(layout), tensors, vae_table(layout))


def open_text_encoder(weights: Weights, kind: TextKind) -> nn.Module:
    """A CLIPTextModel holding the file's own tensors (memory-mapped, stored dtype).

    It has one more attribute: ``text_projection``, an ``nn.Linear`` without bias, or None.
    """
    tensors = open_tensors(weights.file).under(weights.prefix)
    layout = read_text_layout(tensors, kind)
    network = fill(build_text_encoder(layout), tensors, text_table(layout))
    positions = torch.arange(layout.positions).expand((1, -1))
    network.embeddings.register_buffer("position_ids", positions, persistent=False)  # type: ignore[union-attr]
    return network


def build_unet(layout: UNetLayout) -> nn.Module:
    """diffusers' UNet2DConditionModel of this layout, without tensors (``meta`` device)."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = unet_config(layout)
    with without_tensors():
        network = UNet2DConditionModel(**config)
        if layout.middle_depth != config["transformer_layers_per_block"][-1]:
            network.mid_block = _middle_block(layout)
    return _frozen(network)


def unet_config(layout: UNetLayout) -> dict[str, Any]:
    """The keyword arguments of UNet2DConditionModel for this layout."""
    down = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in layout.down_depths]
    up = ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in layout.up_depths]
    vector = layout.vector_width
    return {
        "in_channels": layout.in_channels,
        "out_channels": layout.out_channels,
        "block_out_channels": layout.channels,
        "layers_per_block": layout.blocks,
        "down_block_types": tuple(down),
        "up_block_types": tuple(up),
        # The last level's also is the middle block's; on levels without attention nobody reads it.
        "transformer_layers_per_block": (
            *(depth or 1 for depth in layout.down_depths[:-1]),
            layout.down_depths[-1] or layout.middle_depth,
        ),
        "reverse_transformer_layers_per_block": tuple(depth or 1 for depth in layout.up_depths),
        # diffusers' name for the number of heads (huggingface/diffusers#2011).
        "attention_head_dim": layout.heads,
        "cross_attention_dim": layout.context_width,
        "use_linear_projection": layout.linear_projection,
        "class_embed_type": None if vector is None else "projection",
        "projection_class_embeddings_input_dim": vector,
    }


def build_vae(layout: VaeLayout) -> nn.Module:
    """diffusers' AutoencoderKL of this layout, without tensors (``meta`` device)."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    levels = len(layout.channels)
    with without_tensors():
        network = AutoencoderKL(
            in_channels=layout.in_channels,
            out_channels=layout.out_channels,
            latent_channels=layout.latent_channels,
            block_out_channels=layout.channels,
            layers_per_block=layout.blocks,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            use_quant_conv=layout.quant_conv,
            use_post_quant_conv=layout.post_quant_conv,
            mid_block_add_attention=layout.attention,
        )
    return _frozen(network)


def build_text_encoder(layout: TextLayout) -> nn.Module:
    """transformers' CLIPTextModel of this layout, without tensors (``meta`` device)."""
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=layout.vocabulary,
        hidden_size=layout.width,
        intermediate_size=layout.intermediate,
        num_hidden_layers=layout.layers,
        num_attention_heads=layout.heads,
        max_position_embeddings=layout.positions,
        hidden_act=layout.activation,
        bos_token_id=_CLIP_START,
        eos_token_id=_CLIP_END,
    )
    with without_tensors():
        network = CLIPTextModel(config)
        width = layout.projection
        projection = None if width is None else nn.Linear(layout.width, width, bias=False)
    network.register_module("text_projection", projection)
    return _frozen(network)


@contextmanager
def without_tensors() -> Iterator[None]:
    """Networks made in the body are on the ``meta`` device, and no first values are drawn for them.

    PyTorch would work out in Python what the values of each tensor were if it had any.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves tensors as they are where a layer draws its first values."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if function in _DRAWING:
            return args[0] if args else named["tensor"]
        return function(*args, **named)


_DRAWING = frozenset(
    (
        Tensor.normal_,
        Tensor.uniform_,
        nn.init.kaiming_uniform_,
        nn.init.normal_,
        nn.init.uniform_,
        nn.init.xavier_uniform_,
    )
)


def fill(network: nn.Module, tensors: TensorFile, table: KeyTable) -> nn.Module:
    """``network`` with the file's tensors in place of its own.

    Raises ModelFileError naming the first key that is missing, left over or of another shape.
    """
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    sources = {key: table.source(key) for key in shapes}
    _check_all_used(tensors, (source.key for source in sources.values()))
    state = {key: _stored(tensors, sources[key], shape) for key, shape in shapes.items()}
    return assign(network, state)


def assign(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """``network`` holding exactly the tensors of ``state``, which are not copied."""
    network.load_state_dict(state, strict=True, assign=True)
    return network


def twin(network: nn.Module) -> nn.Module:
    """A network of its own modules that shares every tensor with ``network``.

    Hooks and processors on the one do not act on the other.
    """
    tensors = (*network.parameters(), *network.buffers())
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})


def _stored(tensors: TensorFile, source: Source, shape: torch.Size) -> Tensor:
    tensor = from_file(source.form, tensors.tensor(source.key))
    if tensor.shape != shape:
        raise ModelFileError(
            "model_wrong_shape",
            path=tensors.ref.path,
            key=source.key,
            expected=list(shape),
            got=list(tensor.shape),
        )
    return tensor


def _check_all_used(tensors: TensorFile, used: Iterable[str]) -> None:
    wanted = set(used)
    missing = sorted(wanted - tensors.keys())
    if missing:
        details = {"key": missing[0], "count": len(missing)}
        raise ModelFileError("model_missing_key", path=tensors.ref.path, **details)
    unused = sorted(key for key in tensors.keys() - wanted if not _is_unused(key))
    if unused:
        details = {"key": unused[0], "count": len(unused)}
        raise ModelFileError("model_unexpected_key", path=tensors.ref.path, **details)


def _is_unused(key: str) -> bool:
    return _LAYERS.match(key) is None or key.rpartition(".")[2] in _BUFFERS


def _frozen(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(False)


def _middle_block(layout: UNetLayout) -> nn.Module:
    """A middle block whose depth differs from the last level's (diffusers couples the two)."""
    from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2DCrossAttn

    block: nn.Module = UNetMidBlock2DCrossAttn(
        in_channels=layout.channels[-1],
        temb_channels=4 * layout.channels[0],
        transformer_layers_per_block=layout.middle_depth,
        resnet_eps=1e-5,
        resnet_act_fn="silu",
        num_attention_heads=layout.heads[-1],
        resnet_groups=32,
        cross_attention_dim=layout.context_width,
        use_linear_projection=layout.linear_projection,
    )
    return block

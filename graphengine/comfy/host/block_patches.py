"""Functions that plugins hang into the blocks of a denoising network, as ComfyUI numbers them.

The network is diffusers' ``UNet2DConditionModel``; its blocks are those of Latent Diffusion
(Rombach et al. 2022, arXiv:2112.10752) in another arrangement: input block 0 is the first
convolution, then each residual block with its attention and each step down is one, the middle is
one, and each residual block of the decoder with its attention (and the step up behind it) is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.guidance import PRESENT_CALL, NetworkCall

_NONE: Mapping[str, Any] = MappingProxyType({})
_PRESENT: ContextVar[Mapping[str, Any]] = ContextVar("transformer_options", default=_NONE)
"""The ``transformer_options`` of the call that is under way."""
PATCHES = frozenset(
    (
        "attn1_patch",
        "attn2_patch",
        "attn1_output_patch",
        "attn2_output_patch",
        "input_block_patch",
        "input_block_patch_after_skip",
        "output_block_patch",
    )
)
"""What can be patched; ``attn1`` and ``attn2`` can also be replaced."""


class Block(NamedTuple):
    """One block: ``input``, ``middle`` or ``output``, its number there, its modules in order."""

    part: str
    number: int
    modules: tuple[nn.Module, ...]


class Attention(NamedTuple):
    """One attention layer and where it stands.

    ``kind``: attn1 looks at the picture, attn2 at the prompt. ``transformer`` counts the
    transformers of the network, ``layer`` the layers of one.
    """

    module: Any
    kind: str
    block: tuple[str, int]
    transformer: int
    layer: int


@contextmanager
def present(options: Mapping[str, Any] | None) -> Iterator[None]:
    """Let the functions in these ``transformer_options`` act, until left."""
    token = _PRESENT.set(options or _NONE)
    try:
        yield
    finally:
        _PRESENT.reset(token)


@contextmanager
def attached(unet: nn.Module) -> Iterator[None]:
    """Let the present options' functions act in this network, until left."""
    blocks = list(blocks_of(unet))
    before = [(layer.module, layer.module.processor) for layer in attentions_of(blocks)]
    for layer in attentions_of(blocks):
        layer.module.processor = _Processor(layer.module.processor, layer)
    hooks = [*_inputs(blocks), *_outputs(unet, blocks)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, processor in before:
            module.processor = processor


def about_call(call: NetworkCall, **more: Any) -> dict[str, Any]:
    """What a function is told beside its tensors."""
    return {
        **_PRESENT.get(),
        "original_shape": list(call.x.shape),
        "activations_shape": list(call.x.shape),
        "cond_or_uncond": list(call.sides),
        "uuids": list(call.sides),
        "sigmas": call.sigma.to(call.x.device).expand(len(call.x)),
        **more,
    }


def _patches(name: str) -> tuple[Callable[..., Any], ...]:
    return tuple((_PRESENT.get().get("patches") or {}).get(name, ()))


def _about(**more: Any) -> dict[str, Any]:
    return about_call(PRESENT_CALL.get(), **more)


def _inputs(blocks: list[Block]) -> Iterator[Any]:
    """Hooks behind the input blocks, and before what comes next (behind the skip)."""
    for block, following in pairwise(blocks):
        if block.part != "input":
            break
        yield block.modules[-1].register_forward_hook(_Behind(block))
        yield following.modules[0].register_forward_pre_hook(_Before(block))


def _outputs(unet: nn.Module, blocks: list[Block]) -> Iterator[Any]:
    """Hooks before the decoder's residual blocks, whose input is [backbone, skip]."""
    from graphengine.diffusion.freeu import decoder_blocks

    widths = [width for _, width in decoder_blocks(unet)]
    decoder = [block for block in blocks if block.part == "output"]
    for block, width in zip(decoder, widths, strict=True):
        yield block.modules[0].register_forward_pre_hook(_Joined(block, width))


def blocks_of(unet: nn.Module) -> Iterator[Block]:
    """The network's blocks, from its input to its output."""
    network = cast("Any", unet)
    inputs: list[tuple[nn.Module, ...]] = [(network.conv_in,)]
    for level in network.down_blocks:
        inputs += _rows(level)
        inputs += [(module,) for module in level.downsamplers or ()]
    outputs: list[tuple[nn.Module, ...]] = []
    for level in network.up_blocks:
        *rows, last = _rows(level)
        outputs += [*rows, (*last, *(level.upsamplers or ()))]
    middle = network.mid_block
    first, *others = middle.resnets
    between = [module for pair in zip(middle.attentions, others, strict=True) for module in pair]
    yield from (Block("input", number, modules) for number, modules in enumerate(inputs))
    yield Block("middle", 0, (first, *between))
    yield from (Block("output", number, modules) for number, modules in enumerate(outputs))


def attentions_of(blocks: list[Block]) -> Iterator[Attention]:
    """The attention layers of blocks, in their order."""
    transformer = 0
    for block in blocks:
        for module in block.modules:
            layers = getattr(module, "transformer_blocks", None)
            for index, layer in enumerate(layers or ()):
                for kind in ("attn1", "attn2"):
                    place = (block.part, block.number)
                    yield Attention(getattr(layer, kind), kind, place, transformer, index)
            transformer += layers is not None


def _rows(level: Any) -> list[tuple[nn.Module, ...]]:
    """Each residual block of a level, with its attention if it has one."""
    attentions = getattr(level, "attentions", None) or (None,) * len(level.resnets)
    pairs = zip(level.resnets, attentions, strict=True)
    return [(block,) if attention is None else (block, attention) for block, attention in pairs]


@dataclass(frozen=True, eq=False)
class _Processor:
    """An attention processor of diffusers that lets functions act around ``inner``."""

    inner: Callable[..., Tensor]
    layer: Attention

    def __call__(
        self,
        module: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        kind = self.layer.kind
        before, behind = _patches(f"{kind}_patch"), _patches(f"{kind}_output_patch")
        replacement = self._replacement()
        answer: Tensor
        if not before and replacement is None:
            answer = self.inner(
                module, hidden_states, encoder_hidden_states=encoder_hidden_states, **options
            )
            about = self._told(module) if behind else {}
        else:
            about = self._told(module)
            x = hidden_states
            context = x if encoder_hidden_states is None else encoder_hidden_states
            value = context
            for patch in before:
                x, context, value = patch(x, context, value, about)
            q, k, v = module.to_q(x), module.to_k(context), module.to_v(value)
            attend = replacement or _attention
            answer = module.to_out[0](attend(q, k, v, about))
        for patch in behind:
            answer = patch(answer, about)
        return answer

    def _told(self, module: Any) -> dict[str, Any]:
        return _about(
            block=self.layer.block,
            transformer_index=self.layer.transformer,
            block_index=self.layer.layer,
            n_heads=module.heads,
            dim_head=module.to_q.out_features // module.heads,
        )

    def _replacement(self) -> Callable[..., Tensor] | None:
        found = (_PRESENT.get().get("patches_replace") or {}).get(self.layer.kind, {})
        exact: Callable[..., Tensor] | None = found.get((*self.layer.block, self.layer.layer))
        return exact or found.get(self.layer.block)


def _attention(q: Tensor, k: Tensor, v: Tensor, about: Mapping[str, Any]) -> Tensor:
    """Attention of all heads: [B, N, C], [B, M, C], [B, M, C] → [B, N, C]."""

    def by_head(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], about["n_heads"], -1).transpose(1, 2)

    attended = torch.nn.functional.scaled_dot_product_attention(by_head(q), by_head(k), by_head(v))
    return attended.transpose(1, 2).flatten(2)


@dataclass(frozen=True, eq=False)
class _Behind:
    """A hook that changes what a block gives, [B, C, H, W]."""

    block: Block

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        del module, inputs
        patches = _patches("input_block_patch")
        if not patches:
            return None
        h = output if isinstance(output, Tensor) else output[0]
        about = _about(block=(self.block.part, self.block.number))
        for patch in patches:
            h = patch(h, about)
        if isinstance(output, Tensor):
            return h
        return (h, *output[1:]) if isinstance(output, tuple) else type(output)(h)


@dataclass(frozen=True, eq=False)
class _Before:
    """A hook that changes what the next block gets, but not what skips to the decoder."""

    block: Block

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        del module
        patches = _patches("input_block_patch_after_skip")
        if not patches:
            return None
        h, *rest = inputs
        about = _about(block=(self.block.part, self.block.number))
        for patch in patches:
            h = patch(h, about)
        return (h, *rest)


@dataclass(frozen=True, eq=False)
class _Joined:
    """A hook that changes backbone and skip before they are worked on together."""

    block: Block
    width: int

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        del module
        patches = _patches("output_block_patch")
        if not patches:
            return None
        joined, *rest = inputs
        h, skip = joined[:, : self.width].clone(), joined[:, self.width :].clone()
        about = _about(block=(self.block.part, self.block.number))
        for patch in patches:
            h, skip = patch(h, skip, about)
        return (torch.cat([h, skip], dim=1), *rest)

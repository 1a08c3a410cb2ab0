"""Functions that plugins hang into the blocks of a denoising network, as ComfyUI numbers them.

The network is diffusers' ``UNet2DConditionModel``; its blocks are those of Latent Diffusion
(Rombach et al. 2022, arXiv:2112.10752) in another arrangement: input block 0 is the first
convolution, then each residual block with its attention and each step down is one, the middle is
one, and each residual block of the decoder with its attention (and the step up behind it) is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.guidance import PRESENT_CALL, SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling

Where = tuple[Any, ...]
"""``(part, number)`` of a block, or with the number of the layer within its transformer."""
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


@dataclass(frozen=True, eq=False)
class BlockPatches(SamplingOption):
    """All functions that a model has been given.

    ``patches``: by name, in the order in which they act. ``replacements``: for attn1 and attn2 by
    place. ``options``: what ``transformer_options`` held; functions get it with their own place.
    """

    patches: Mapping[str, tuple[Callable[..., Any], ...]] = field(default_factory=dict)
    replacements: Mapping[str, Mapping[Where, Callable[..., Tensor]]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def patched(self, name: str, patch: Callable[..., Any]) -> BlockPatches:
        """With one more function."""
        return replace(self, patches={**self.patches, name: (*self.patches.get(name, ()), patch)})

    def replaced(self, kind: str, where: Where, patch: Callable[..., Tensor]) -> BlockPatches:
        """With an attention done by another function."""
        there = {**self.replacements.get(kind, {}), where: patch}
        return replace(self, replacements={**self.replacements, kind: there})

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Let all functions act on this sampling's network, until left."""
        del levels, shape
        blocks = list(blocks_of(unet))
        before = [(layer.module, layer.module.processor) for layer in attentions_of(blocks)]
        for layer in attentions_of(blocks):
            layer.module.processor = _Processor(layer.module.processor, layer, self)
        hooks = [*self._inputs(blocks), *self._outputs(unet, blocks)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for module, processor in before:
                module.processor = processor

    def about(self, block: tuple[str, int], **more: Any) -> dict[str, Any]:
        """What a function is told beside its tensors."""
        call = PRESENT_CALL.get()
        return {
            **self.options,
            "patches": {name: list(patches) for name, patches in self.patches.items()},
            "patches_replace": {kind: dict(found) for kind, found in self.replacements.items()},
            "block": block,
            "original_shape": list(call.x.shape),
            "cond_or_uncond": list(call.sides),
            "sigmas": call.sigma.to(call.x.device).expand(len(call.x)),
            **more,
        }

    def _inputs(self, blocks: list[Block]) -> Iterator[Any]:
        """Hooks behind the input blocks, and before what comes next (behind the skip)."""
        behind = self.patches.get("input_block_patch", ())
        after_skip = self.patches.get("input_block_patch_after_skip", ())
        for block, following in pairwise(blocks):
            if block.part != "input":
                break
            if behind:
                hook = _Behind(self, block, behind)
                yield block.modules[-1].register_forward_hook(hook)
            if after_skip:
                before = _Before(self, block, after_skip)
                yield following.modules[0].register_forward_pre_hook(before)

    def _outputs(self, unet: nn.Module, blocks: list[Block]) -> Iterator[Any]:
        """Hooks before the decoder's residual blocks, whose input is [backbone, skip]."""
        from graphengine.diffusion.freeu import decoder_blocks

        patches = self.patches.get("output_block_patch", ())
        if patches:
            widths = [width for _, width in decoder_blocks(unet)]
            decoder = [block for block in blocks if block.part == "output"]
            for block, width in zip(decoder, widths, strict=True):
                hook = _Joined(self, block, patches, width)
                yield block.modules[0].register_forward_pre_hook(hook)


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
    option: BlockPatches

    def __call__(
        self,
        module: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        kind, option = self.layer.kind, self.option
        about = self._about(module)
        patches = option.patches.get(f"{kind}_patch", ())
        replacement = self._replacement()
        if not patches and replacement is None:
            answer = self.inner(
                module, hidden_states, encoder_hidden_states=encoder_hidden_states, **options
            )
        else:
            x = hidden_states
            context = x if encoder_hidden_states is None else encoder_hidden_states
            value = context
            for patch in patches:
                x, context, value = patch(x, context, value, about)
            q, k, v = module.to_q(x), module.to_k(context), module.to_v(value)
            attend = replacement or _attention
            answer = module.to_out[0](attend(q, k, v, about))
        for patch in option.patches.get(f"{kind}_output_patch", ()):
            answer = patch(answer, about)
        return answer

    def _about(self, module: Any) -> dict[str, Any]:
        return self.option.about(
            self.layer.block,
            transformer_index=self.layer.transformer,
            block_index=self.layer.layer,
            n_heads=module.heads,
            dim_head=module.to_q.out_features // module.heads,
        )

    def _replacement(self) -> Callable[..., Tensor] | None:
        found = self.option.replacements.get(self.layer.kind, {})
        return found.get((*self.layer.block, self.layer.layer)) or found.get(self.layer.block)


def _attention(q: Tensor, k: Tensor, v: Tensor, about: Mapping[str, Any]) -> Tensor:
    """Attention of all heads: [B, N, C], [B, M, C], [B, M, C] → [B, N, C]."""

    def by_head(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], about["n_heads"], -1).transpose(1, 2)

    attended = torch.nn.functional.scaled_dot_product_attention(by_head(q), by_head(k), by_head(v))
    return attended.transpose(1, 2).flatten(2)


@dataclass(frozen=True, eq=False)
class _Behind:
    """A hook that changes what a block gives, [B, C, H, W]."""

    option: BlockPatches
    block: Block
    patches: tuple[Callable[..., Tensor], ...]

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        del module, inputs
        h = output if isinstance(output, Tensor) else output[0]
        about = self.option.about((self.block.part, self.block.number))
        for patch in self.patches:
            h = patch(h, about)
        if isinstance(output, Tensor):
            return h
        return (h, *output[1:]) if isinstance(output, tuple) else type(output)(h)


@dataclass(frozen=True, eq=False)
class _Before:
    """A hook that changes what the next block gets, but not what skips to the decoder."""

    option: BlockPatches
    block: Block
    patches: tuple[Callable[..., Tensor], ...]

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        del module
        h, *rest = inputs
        about = self.option.about((self.block.part, self.block.number))
        for patch in self.patches:
            h = patch(h, about)
        return (h, *rest)


@dataclass(frozen=True, eq=False)
class _Joined:
    """A hook that changes backbone and skip before they are worked on together."""

    option: BlockPatches
    block: Block
    patches: tuple[Callable[..., Any], ...]
    width: int

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        del module
        joined, *rest = inputs
        h, skip = joined[:, : self.width].clone(), joined[:, self.width :].clone()
        about = self.option.about((self.block.part, self.block.number))
        for patch in self.patches:
            h, skip = patch(h, skip, about)
        return (torch.cat([h, skip], dim=1), *rest)

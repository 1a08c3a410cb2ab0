"""Deep Shrink: at first the deep layers see a smaller picture, so that motifs do not repeat.

After kohya-ss (sd-scripts, Apache-2.0): large pictures are laid out at the size that the network
was trained for, and detailed at their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from graphengine.diffusion.guidance import PRESENT_CALL, SamplingOption
from graphengine.diffusion.model_sampling import ModelSampling
from graphengine.diffusion.resize import Method, resize, scaled_size
from graphengine.errors import InputError
from graphengine.sockets import Model


@dataclass(frozen=True)
class DeepShrink(SamplingOption):
    """The rule as a model's option.

    ``block``: of the encoder's blocks, counted as in single files (0 is the first convolution);
    a number beyond the last one changes nothing. ``factor``: sides are divided by it. ``start``,
    ``end``: 0..1 of the denoising. ``after_skip``: the skip connection of that block keeps its
    size.
    """

    block: int
    factor: float
    start: float
    end: float
    after_skip: bool
    down: Method
    up: Method

    @contextmanager
    def attach(
        self, unet: nn.Module, levels: ModelSampling, shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Shrink in the encoder and grow again in the decoder, until left."""
        del shape
        blocks = _encoder_blocks(unet)
        if self.block >= len(blocks) - 1:
            yield
            return
        first, last = levels.percent_to_sigma(self.start), levels.percent_to_sigma(self.end)
        shrink = _Shrink(self.factor, first, last, self.down)
        with ExitStack() as hooks:
            hooks.callback(
                unet.register_forward_pre_hook(shrink.refuse_control, with_kwargs=True).remove
            )
            if self.after_skip:
                entered = blocks[self.block + 1][0]
                hooks.callback(entered.register_forward_pre_hook(shrink.before).remove)
            else:
                hooks.callback(blocks[self.block][1].register_forward_hook(shrink.after).remove)
            for stage in cast("Any", unet).up_blocks:
                _grow(stage, self.up, hooks)
            yield


@dataclass(frozen=True)
class _Shrink:
    """Hooks that make what flows through smaller, from one noise level to another."""

    factor: float
    first: float
    last: float
    method: Method

    def before(self, _block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *rest = inputs
        return (self._smaller(x), *rest)

    def after(self, _block: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self._smaller(output[0]), *output[1:])
        return self._smaller(output)

    def refuse_control(self, _unet: nn.Module, _inputs: Any, named: Mapping[str, Any]) -> None:
        """What is added to the skips has the sizes that they would have otherwise."""
        added = ("down_block_additional_residuals", "down_intrablock_additional_residuals")
        if self._active() and any(named.get(name) for name in added):
            raise InputError("deep_shrink_with_control")

    def _active(self) -> bool:
        return self.last <= float(PRESENT_CALL.get().sigma) <= self.first

    def _smaller(self, x: Tensor) -> Tensor:
        if not self._active():
            return x
        height, width = x.shape[-2:]
        return _resized(x, *scaled_size(width, height, 1 / self.factor), self.method)


@dataclass
class _Grow:
    """Hooks of one of the decoder's stages: what flows becomes as large as the next skip."""

    method: Method
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def enter(
        self, _stage: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        skips = reversed(named["res_hidden_states_tuple"])
        self.sizes = [(skip.shape[-1], skip.shape[-2]) for skip in skips]
        grown = _resized(named["hidden_states"], *self.sizes[0], self.method)
        return inputs, {**named, "hidden_states": grown}

    def between(self, _block: nn.Module, _inputs: Any, output: Any, *, following: int) -> Any:
        size = self.sizes[following]
        if isinstance(output, tuple):
            return (_resized(output[0], *size, self.method), *output[1:])
        return _resized(output, *size, self.method)


def _grow(stage: Any, method: Method, hooks: ExitStack) -> None:
    grow = _Grow(method)
    hooks.callback(stage.register_forward_pre_hook(grow.enter, with_kwargs=True).remove)
    ends = [last for _, last in _steps(stage)]
    for following, block in enumerate(ends[:-1], start=1):
        hook = partial(grow.between, following=following)
        hooks.callback(block.register_forward_hook(hook).remove)


def _resized(x: Tensor, width: int, height: int, method: Method) -> Tensor:
    if x.shape[-2:] == (height, width):
        return x
    return resize(x.float(), width, height, method=method).to(x.dtype)


def _encoder_blocks(unet: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """The first and last module of each block in a single file's order; the middle's at the end."""
    network = cast("Any", unet)
    blocks = [(network.conv_in, network.conv_in)]
    for level in network.down_blocks:
        blocks += _steps(level)
        blocks += [(layer, layer) for layer in level.downsamplers or ()]
    return [*blocks, (network.mid_block, network.mid_block)]


def _steps(level: Any) -> list[tuple[nn.Module, nn.Module]]:
    """Each residual block of a level, and the attention behind it where there is one."""
    attentions = getattr(level, "attentions", level.resnets)
    return list(zip(level.resnets, attentions, strict=True))


def add_deep_shrink(model: Model, option: DeepShrink) -> Model:
    """``model`` sampled with Deep Shrink."""
    return replace(model, options=(*model.options, option))
